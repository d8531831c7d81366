package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestHTTP runs the scripts in testdata/http. Directives:
//
//	cluster [members=N] [args=(FLAG,…)]   start a cluster; first in each script
//	http [headers|status]   one request a line, METHOD PATH [BODY], against member n1; prints status and body, the
//	                        body's JSON without blanks; with "headers" those headers, too, that a server decides on;
//	                        with "status" nothing else. Lines that begin with two blanks are headers of the request
//	                        above
//	stream name=S           POST PATH BODY in the background; later `chunk name=S [count=N]` reads N HTTP chunks
func TestHTTP(t *testing.T) {
	datadriven.Walk(t, "testdata/http", func(t *testing.T, path string) {
		if !rewriting() {
			t.Parallel()
		}
		s := &httpScript{t: t, streams: map[string]*bufio.Reader{}}
		datadriven.RunTest(t, path, s.run)
	})
}

type httpScript struct {
	t       *testing.T
	cluster *proc.Cluster
	names   *names
	streams map[string]*bufio.Reader
}

func (s *httpScript) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "cluster":
		members := 1
		d.MaybeScanArgs(t, "members", &members)
		var args []string
		if arg, ok := d.Arg("args"); ok {
			args = arg.Vals
		}
		s.cluster = startCluster(t, members, args...)
		s.names = nameMembers(t, s.cluster)
		return ""
	case "http":
		return s.requests(d, d.Input)
	case "stream":
		var name string
		d.ScanArgs(t, "name", &name)
		return s.open(name, d.Input)
	case "chunk":
		var name string
		count := 1
		d.ScanArgs(t, "name", &name)
		d.MaybeScanArgs(t, "count", &count)
		return s.chunks(name, count)
	}
	t.Fatalf("%s: no directive %q", d.Pos, d.Cmd)
	return ""
}

func (s *httpScript) requests(d *datadriven.TestData, input string) string {
	var b strings.Builder
	lines := strings.Split(input, "\n")
	for i := 0; i < len(lines); {
		line := lines[i]
		var extra []string
		for i++; i < len(lines) && strings.HasPrefix(lines[i], "  "); i++ {
			extra = append(extra, strings.TrimSpace(lines[i]))
		}
		fmt.Fprintf(&b, "> %s\n", shorten(line))
		resp := s.do(line, extra)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			fmt.Fprintf(&b, "%v\n", err)
		}
		fmt.Fprintf(&b, "%d\n", resp.StatusCode)
		if d.HasArg("headers") {
			b.WriteString(shownHeaders(resp))
		}
		if !d.HasArg("status") {
			b.WriteString(s.show(body))
		}
	}
	return b.String()
}

// shorten keeps huge requests out of the script's output.
func shorten(line string) string {
	if len(line) > 200 {
		return line[:200] + "…"
	}
	return line
}

// repeated stands in a script for a text of that length: <x*1000>.
var repeated = regexp.MustCompile(`<(.+?)\*([0-9]+)>`)

func (s *httpScript) do(line string, headers []string) *http.Response {
	method, rest, _ := strings.Cut(line, " ")
	path, body, _ := strings.Cut(rest, " ")
	body = repeated.ReplaceAllStringFunc(body, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n := 0
		fmt.Sscan(parts[2], &n)
		return strings.Repeat(parts[1], n)
	})
	ctx := timeout(s.t, 30*time.Second)
	request := must(http.NewRequestWithContext(ctx, method, s.cluster.Endpoints()[0]+path, strings.NewReader(body)))(s.t)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			request.Host = value
		}
		request.Header.Set(name, value)
	}
	return must(http.DefaultTransport.RoundTrip(request))(s.t)
}

// decided are headers that a server decides on, besides date and length.
var decided = []string{
	"Content-Type", "Grpc-Metadata-Content-Type", "Allow", "X-Content-Type-Options", "Trailer", "Www-Authenticate",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
}

func shownHeaders(r *http.Response) string {
	var b strings.Builder
	for _, name := range decided {
		for _, value := range r.Header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	for _, te := range r.TransferEncoding {
		fmt.Fprintf(&b, "Transfer-Encoding: %s\n", te)
	}
	return b.String()
}

// counted are fields whose values differ from run to run.
var counted = regexp.MustCompile(`"(raft_term|TTL|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse|dbSizeQuota|hash|token)":("[^"]*"|[0-9]+)`)

// show prints a body: JSON without blanks, for Go's encoder puts some in at random.
func (s *httpScript) show(body []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(body) {
		var compact bytes.Buffer
		if json.Compact(&compact, line) == nil {
			line = append(compact.Bytes(), '\n')
		}
		b.Write(line)
	}
	text := s.names.known.Replace(b.String())
	text = strings.ReplaceAll(text, "\u00a0", " ") // protobuf's errors have one or the other, by the binary's hash
	text = counted.ReplaceAllString(text, `"$1":<n>`)
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return strings.ReplaceAll(text, "\n\n", "\n\\n\n") // an empty line would end the script's block
}

// open starts a stream; its chunks are read later.
func (s *httpScript) open(name, input string) string {
	resp := s.do("POST "+input, nil)
	s.t.Cleanup(func() { resp.Body.Close() })
	s.streams[name] = bufio.NewReader(resp.Body)
	return fmt.Sprintf("%d\n%s", resp.StatusCode, shownHeaders(resp))
}

// chunks reads lines: the client hides where chunks end, but what has come without more is in the buffer.
func (s *httpScript) chunks(name string, count int) string {
	var b strings.Builder
	for range count {
		line, err := s.streams[name].ReadBytes('\n')
		b.WriteString(s.show(line))
		if err != nil {
			fmt.Fprintf(&b, "%v\n", err)
			break
		}
	}
	return b.String()
}
