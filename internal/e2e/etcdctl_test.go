package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestEtcdctl runs the scripts in testdata/etcdctl. Directives:
//
//	cluster members=N     start a cluster; first in each script
//	etcdctl [members]     one command a line, against member n1 (or those named: n1,n2); prints what the tool printed
//	pipe                  the first line is a command, the others are its standard input
//	txn [flags]           etcdctl txn with this standard input: compares, then, else, each ended by an empty line
//	sorted                as etcdctl, with the lines of the output sorted (members come in the order of their ids)
//	watch name=W          start `etcdctl watch …` in the background; later `read name=W lines=N` takes N lines from it
func TestEtcdctl(t *testing.T) {
	datadriven.Walk(t, "testdata/etcdctl", func(t *testing.T, path string) {
		if !rewriting() { // a rewrite writes files, one at a time
			t.Parallel()
		}
		s := &script{t: t, watches: map[string]*watchProcess{}}
		datadriven.RunTest(t, path, s.run)
	})
}

func rewriting() bool {
	f := flag.Lookup("rewrite")
	return f != nil && f.Value.String() == "true"
}

// script is the state of one script.
type script struct {
	t       *testing.T
	cluster *proc.Cluster
	names   *names
	watches map[string]*watchProcess
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "cluster":
		members := 1
		d.MaybeScanArgs(t, "members", &members)
		s.cluster = startCluster(t, members)
		s.names = nameMembers(t, s.cluster)
		return ""
	case "etcdctl":
		return s.commands(s.endpoints(d), d.Input)
	case "pipe":
		command, input, _ := strings.Cut(d.Input, "\n")
		return s.output(s.endpoints(d), command, input)
	case "txn":
		return s.output(s.endpoints(d), "txn "+flagsOf(d), d.Input+"\n\n\n")
	case "sorted":
		lines := slices.Sorted(strings.Lines(s.commands(s.endpoints(d), d.Input)))
		return strings.Join(lines, "")
	case "watch":
		var name string
		d.ScanArgs(t, "name", &name)
		s.watches[name] = s.startWatch(d.Input)
		return ""
	case "read":
		var name string
		lines := 0
		d.ScanArgs(t, "name", &name)
		d.ScanArgs(t, "lines", &lines)
		return s.names.apply(s.watches[name].read(t, lines))
	}
	t.Fatalf("%s: no directive %q", d.Pos, d.Cmd)
	return ""
}

// flagsOf writes the directive's arguments as flags: "w=json" is --write-out's short form -w json.
func flagsOf(d *datadriven.TestData) string {
	var flags []string
	for _, arg := range d.CmdArgs {
		flags = append(flags, "-"+arg.Key+" "+strings.Join(arg.Vals, ","))
	}
	return strings.Join(flags, " ")
}

// endpoints are the addresses of the members that a directive names, of n1 if it names none.
func (s *script) endpoints(d *datadriven.TestData) []string {
	var urls []string
	for _, arg := range d.CmdArgs {
		for _, m := range s.cluster.Members {
			if m.Name == arg.Key {
				urls = append(urls, m.ClientURL)
			}
		}
	}
	if len(urls) == 0 {
		urls = s.cluster.Endpoints()[:1]
	}
	return urls
}

// commands runs several; each output follows its command, unless there is only one.
func (s *script) commands(endpoints []string, input string) string {
	lines := strings.Split(input, "\n")
	if len(lines) == 1 {
		return s.output(endpoints, lines[0], "")
	}
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "> %s\n%s", line, s.output(endpoints, line, ""))
	}
	return b.String()
}

func (s *script) output(endpoints []string, command, input string) string {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	cmd := s.command(ctx, endpoints, command)
	cmd.Stdin = strings.NewReader(input)
	text, err := cmd.CombinedOutput()
	out := s.names.apply(withoutClientLog(string(text)))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Sprintf("%sexit %d\n", out, exit.ExitCode())
	}
	if err != nil {
		s.t.Fatalf("etcdctl %s: %v", command, err)
	}
	return out
}

func (s *script) command(ctx context.Context, endpoints []string, command string) *exec.Cmd {
	args := append([]string{"--endpoints=" + strings.Join(endpoints, ",")}, words(s.names.expand(command))...)
	cmd := exec.CommandContext(ctx, etcdctlBinary, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"} // none of the tester's ETCDCTL_ variables
	cmd.WaitDelay = time.Second
	return cmd
}

// words splits a command at blanks; double quotes keep blanks together and may stand for an empty word.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quoted, any := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				out = append(out, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	if any {
		out = append(out, word.String())
	}
	return out
}

// withoutClientLog drops the lines that the client library logs as JSON beside the tool's own output.
func withoutClientLog(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, `{"level"`) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// watchProcess is an `etcdctl watch` in the background.
type watchProcess struct {
	lines chan string
}

func (s *script) startWatch(command string) *watchProcess {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := s.command(ctx, s.cluster.Endpoints()[:1], command)
	w := &watchProcess{lines: make(chan string, 1000)}
	cmd.Stdout = &lineWriter{lines: w.lines}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed: always an error
	})
	return w
}

func (w *watchProcess) read(t *testing.T, n int) string {
	var b strings.Builder
	deadline := time.After(20 * time.Second)
	for i := range n {
		select {
		case line := <-w.lines:
			b.WriteString(line)
		case <-deadline:
			t.Fatalf("the watch printed %d of %d lines:\n%s", i, n, b.String())
		}
	}
	return b.String()
}

// lineWriter cuts what is written into lines, with their ends.
type lineWriter struct {
	rest  []byte
	lines chan<- string
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		w.lines <- string(w.rest[:i+1])
		w.rest = w.rest[i+1:]
	}
}
