package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// JSON is a request through the gateway. Names are those of the .proto file, or camel case.
type JSON struct {
	Call  Call
	Camel bool
}

func (s JSON) String() string { return "JSON " + s.Call.String() }

// do compares more than the message: outcome.text holds the status, the type and the form of what came back.
func (s JSON) do(ctx context.Context, t *target) outcome {
	m := methods[s.Call.Method]
	o := t.json(ctx, m.json, t.own(s.Call.Request), m.reply(), s.Camel)
	t.learn(o.message)
	return o
}

// The paths of RPCs that are no Call: a login, and a stream of which one request is sent.
const (
	authenticatePath = "/v3/auth/authenticate"
	keepAlivePath    = "/v3/lease/keepalive"
)

// json sends a request and reads the reply into a message.
func (t *target) json(ctx context.Context, path string, request, into proto.Message, camel bool) outcome {
	body, err := protojson.MarshalOptions{UseProtoNames: !camel}.Marshal(request)
	if err != nil {
		return outcome{err: err}
	}
	reply, text, err := t.post(ctx, path, body)
	if err != nil {
		return outcome{err: err}
	}
	return readJSON(reply, text, into)
}

// post sends a body, with the token that a step As carries for gRPC.
func (t *target) post(ctx context.Context, path string, body []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if md, _ := metadata.FromOutgoingContext(ctx); len(md.Get("token")) > 0 {
		r.Header.Set("Authorization", md.Get("token")[0])
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return reply, text, err
}

// readJSON takes a reply apart: what it says, and how.
func readJSON(reply *http.Response, text []byte, m proto.Message) outcome {
	shape := fmt.Sprintf("%d %s %s", reply.StatusCode, reply.Header.Get("Content-Type"), form(text))
	if reply.StatusCode != http.StatusOK {
		var e struct {
			Code    codes.Code
			Message string
		}
		if err := json.Unmarshal(text, &e); err != nil {
			return outcome{text: shape + " " + string(text)}
		}
		return outcome{err: status.Error(e.Code, plain(e.Message)), text: shape}
	}
	var streamed struct{ Result json.RawMessage }
	if json.Unmarshal(text, &streamed) == nil && streamed.Result != nil {
		text = streamed.Result
	}
	if err := protojson.Unmarshal(text, m); err != nil {
		return outcome{text: fmt.Sprintf("%s %s: %v", shape, text, err)}
	}
	return outcome{message: m, text: shape}
}

// plain undoes what protobuf does to its error texts so that nobody compares them: spaces that don't break.
func plain(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

// form is a JSON text without its values: the names in their order and the kind of each value; what is in a list is
// sorted, since ids decide the order of members. Values are compared as a message; spaces protobuf draws by the build.
func form(text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	var b strings.Builder
	for {
		one, err := formOf(d)
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			return b.String() + " broken"
		}
		b.WriteString(one + "\n")
	}
}

// formOf reads one value.
func formOf(d *json.Decoder) (string, error) {
	token, err := d.Token()
	if err != nil {
		return "", err
	}
	opened, ok := token.(json.Delim)
	if !ok {
		return fmt.Sprintf("%T", token), nil
	}
	var parts []string
	for d.More() {
		name := ""
		if opened == '{' {
			if token, err = d.Token(); err != nil {
				return "", err
			}
			name = fmt.Sprint(token) + ":"
		}
		value, err := formOf(d)
		if err != nil {
			return "", err
		}
		parts = append(parts, name+value)
	}
	if opened == '[' {
		slices.Sort(parts)
	}
	if !slices.Contains(parts, "value:string") { // etcd leaves the lease of a key out where it is read without value
		parts = slices.DeleteFunc(parts, func(p string) bool { return p == "lease:string" })
	}
	_, err = d.Token() // the end
	return fmt.Sprintf("%v%s", opened, strings.Join(parts, ",")), err
}

// clusterIDs are what differs between clusters, in a text.
var clusterIDs = regexp.MustCompile(`("(?:cluster_id|member_id|memberID|raft_term|ID)"):"[0-9]+"`)

// Body is a text sent to the gateway that need not be a request at all.
type Body struct{ Path, Text string }

func (s Body) String() string { return fmt.Sprintf("POST %s %q", s.Path, s.Text) }

func (s Body) do(ctx context.Context, t *target) outcome {
	reply, text, err := t.post(ctx, s.Path, []byte(s.Text))
	if err != nil {
		return outcome{err: err}
	}
	var compact bytes.Buffer
	if json.Compact(&compact, text) == nil {
		text = compact.Bytes()
	}
	said := clusterIDs.ReplaceAllString(plain(string(text)), "$1")
	return outcome{text: fmt.Sprintf("%d %s %s", reply.StatusCode, reply.Header.Get("Content-Type"), said)}
}
