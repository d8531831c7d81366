package differential

import (
	"context"
	"fmt"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// Step is one thing that a client does, with every value in it settled, so that a list of steps can be replayed.
type Step interface {
	// String shows the step to a person, on one line.
	String() string
	// do has one server do it and returns what came back.
	do(ctx context.Context, t *target) outcome
}

// Call is a request with one reply.
type Call struct {
	Method  string // Range, Put, …: a key of methods
	Request proto.Message
}

func (s Call) String() string { return s.Method + " " + show(s.Request) }

func (s Call) do(ctx context.Context, t *target) outcome { return t.call(ctx, s) }

// RangeStream is a range whose reply comes in chunks; they are joined, since where they are cut is the server's affair.
type RangeStream struct{ Request *pb.RangeRequest }

func (s RangeStream) String() string { return "RangeStream " + show(s.Request) }

func (s RangeStream) do(ctx context.Context, t *target) outcome { return t.rangeStream(ctx, s.Request) }

// KeepAlive renews a lease once, on a stream of its own.
type KeepAlive struct {
	Lease int64
	JSON  bool // through the gateway
}

func (s KeepAlive) String() string {
	return fmt.Sprintf("LeaseKeepAlive ID:%d, JSON %t", s.Lease, s.JSON)
}

func (s KeepAlive) do(ctx context.Context, t *target) outcome {
	if s.JSON {
		return t.json(ctx, keepAlivePath, &pb.LeaseKeepAliveRequest{ID: s.Lease}, &pb.LeaseKeepAliveResponse{}, false)
	}
	return t.keepAlive(ctx, s.Lease)
}

// Watch sends a request on watch stream Stream, which it opens if it isn't open. What the stream says is compared by
// the Pair, not as an outcome. A stream that isn't Bare gets a witness: a watcher of everything.
type Watch struct {
	Stream  int
	Bare    bool
	Request *pb.WatchRequest
}

func (s Watch) String() string { return fmt.Sprintf("Watch %d %s", s.Stream, show(s.Request)) }

func (s Watch) do(_ context.Context, t *target) outcome { return t.watch(s) }

// CloseWatch ends a watch stream from the client's side.
type CloseWatch struct{ Stream int }

func (s CloseWatch) String() string { return fmt.Sprintf("CloseWatch %d", s.Stream) }

func (s CloseWatch) do(_ context.Context, t *target) outcome { return t.closeWatch(s.Stream) }

// HTTP is a request to the client port without gRPC.
type HTTP struct{ Method, Path string }

func (s HTTP) String() string { return "HTTP " + s.Method + " " + s.Path }

func (s HTTP) do(ctx context.Context, t *target) outcome { return t.http(ctx, s) }

// show prints a message on one line, long values cut.
func show(m proto.Message) string {
	text := prototext.MarshalOptions{AllowPartial: true}.Format(m)
	// prototext varies its spaces on purpose, so that nobody compares its output.
	text = strings.Join(strings.Fields(text), " ")
	const limit = 600
	if len(text) > limit {
		return fmt.Sprintf("%s… (%d bytes)", text[:limit], proto.Size(m))
	}
	return text
}
