package api

import (
	"context"
	"runtime"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A response holds memory twice over: rows for its keys while it is put together
// (values are the store's own until then), and its encoding until the client has
// taken it. Clients decide how much that is and for how long, so both are
// bounded for all of them together. Who asks for much waits for those that asked
// before, and nobody notices who asks for little.
//
//	request ─▶ rows: keys × keyBytes ─▶ result ─▶ bytes: its encoding ─▶ wire ─▶ both given back
//
// They are two budgets, since who holds rows waits for bytes, while nobody who
// holds bytes waits for anything but his client.

const (
	// fewKeys and fewBytes are let through: requests that small are bounded by
	// their number.
	fewKeys  = 1024
	fewBytes = 64 << 10
	// keyBytes is what a key's row takes, first in mvcc's form, then in protobuf's.
	keyBytes = 256
	// jsonWeight is how much more than its encoding a response of the JSON gateway
	// takes: a copy of the message, and the text.
	jsonWeight = 3
	// collectAfter is how long somebody waits before forgotten buffers are looked
	// for, and the least time between two such looks.
	collectAfter = time.Second
)

// Responses bounds the memory of responses on their way. It is shared by all
// services of a member.
type Responses struct {
	rows, bytes budget
	responseMax int64 // of one response; 0: unbounded
	patience    time.Duration

	collecting sync.Mutex
	collected  time.Time
}

// NewResponses divides so many bytes among all responses, half for each of the
// two kinds. Who waits for longer than patience is told that there are too many
// requests. A response of more than responseMax bytes is refused; 0: none is.
func NewResponses(bytes, responseMax int64, patience time.Duration) *Responses {
	r := &Responses{responseMax: responseMax, patience: patience}
	r.rows.max, r.bytes.max = bytes/2, bytes/2
	return r
}

// Held is how many bytes responses hold now.
func (r *Responses) Held() int64 { return r.rows.held() + r.bytes.held() }

// tab is what one request holds.
type tab struct {
	all         *Responses
	rows, bytes int64
	once        sync.Once
}

type tabKey struct{}

func tabOf(ctx context.Context) *tab {
	t, _ := ctx.Value(tabKey{}).(*tab)
	return t
}

// take waits for room in one of the two budgets.
func (t *tab) take(ctx context.Context, b *budget, held *int64, bytes int64) error {
	wait, cancel := context.WithTimeout(ctx, t.all.patience)
	defer cancel()
	defer time.AfterFunc(collectAfter, t.all.collect).Stop()
	taken, err := b.take(wait, bytes)
	*held += taken
	if err != nil && ctx.Err() == nil {
		return rpctypes.ErrGRPCRequestTooManyRequests
	}
	return err
}

// collect looks for buffers that nobody will free any more, while somebody waits
// for their room; not too often, for it costs the whole member.
func (r *Responses) collect() {
	if !r.collecting.TryLock() {
		return
	}
	defer r.collecting.Unlock()
	if time.Since(r.collected) >= collectAfter {
		runtime.GC()
		r.collected = time.Now()
	}
}

// takeRows makes room for the rows of so many keys, once for a request.
func (t *tab) takeRows(ctx context.Context, keys int64) error {
	if t == nil || keys <= fewKeys {
		return nil
	}
	return ToGRPC(t.take(ctx, &t.all.rows, &t.rows, keys*keyBytes))
}

// release gives everything back; calls after the first do nothing.
func (t *tab) release() {
	t.once.Do(func() {
		t.all.rows.give(t.rows)
		t.all.bytes.give(t.bytes)
	})
}

// Response is a message that holds memory of the member until it is on the wire.
// Codec encodes it; whoever sends it otherwise calls Release.
type Response struct {
	Message proto.Message
	tab     *tab
}

// Unwrap returns the message itself.
func (r *Response) Unwrap() proto.Message { return r.Message }

// Release tells that the message was sent, or never will be. It may be called again.
func (r *Response) Release() { r.tab.release() }

// marshal encodes the message into a buffer whose end is the release.
func (r *Response) marshal() (mem.BufferSlice, error) {
	encoded, err := proto.Marshal(r.Message)
	if err != nil {
		r.Release()
		return nil, err
	}
	if mem.IsBelowBufferPoolingThreshold(cap(encoded)) { // nobody is told of the end of such a buffer
		r.Release()
	}
	// grpc-go forgets the buffers of a connection that breaks without freeing
	// them; the collector finds them.
	buffer := &encoded
	runtime.AddCleanup(buffer, (*tab).release, r.tab)
	return mem.BufferSlice{mem.NewBuffer(buffer, releasing{r.tab})}, nil
}

// releasing is where the buffer of a response goes when it is on the wire.
type releasing struct{ tab *tab }

func (releasing) Get(length int) *[]byte {
	b := make([]byte, length)
	return &b
}

func (p releasing) Put(*[]byte) { p.tab.release() }

// Unary bounds unary responses around the next interceptor.
func (r *Responses) Unary(next grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		var t *tab
		if manyRows(request) {
			t = &tab{all: r}
			ctx = context.WithValue(ctx, tabKey{}, t)
		}
		response, err := next(ctx, request, info, handler)
		if err == nil {
			response, err = r.hold(ctx, t, response)
		}
		if err != nil {
			if t != nil {
				t.release()
			}
			return nil, err
		}
		return response, nil
	}
}

// hold makes room for a response's encoding. t is what the request holds already;
// nil: nothing.
func (r *Responses) hold(ctx context.Context, t *tab, response any) (any, error) {
	bytes := payload(response)
	if r.responseMax > 0 && bytes > r.responseMax {
		return nil, status.Errorf(codes.ResourceExhausted,
			"holdfast: the response has %d bytes, more than %d: ask for less at a time, or use RangeStream", bytes, r.responseMax)
	}
	if t == nil && bytes <= fewBytes {
		return response, nil
	}
	if t == nil {
		t = &tab{all: r}
	}
	if len(metadata.ValueFromIncomingContext(ctx, "grpcgateway-accept")) > 0 {
		bytes *= jsonWeight
	}
	if bytes > fewBytes {
		if err := t.take(ctx, &r.bytes, &t.bytes, bytes); err != nil {
			t.release()
			return nil, ToGRPC(err)
		}
	}
	message, ok := response.(proto.Message)
	if !ok {
		panic("api: a large response is no protobuf")
	}
	return &Response{Message: message, tab: t}, nil
}

// Stream bounds the chunks of streamed ranges around the next interceptor. Other
// streams are bounded by their credit, or send little at a time.
func (r *Responses) Stream(next grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if info.FullMethod != pb.KV_RangeStream_FullMethodName {
			return next(srv, ss, info, handler)
		}
		t := &tab{all: r}
		defer t.release()
		return next(srv, &chunkedStream{ServerStream: ss, all: r, ctx: context.WithValue(ss.Context(), tabKey{}, t)}, info, handler)
	}
}

type chunkedStream struct {
	grpc.ServerStream
	all *Responses
	ctx context.Context
}

func (s *chunkedStream) Context() context.Context { return s.ctx }

// SendMsg implements grpc.ServerStream. The rows are held by the stream, the
// bytes by each chunk.
func (s *chunkedStream) SendMsg(m any) error {
	chunk, err := s.all.hold(s.ctx, nil, m)
	if err != nil {
		return err
	}
	return s.ServerStream.SendMsg(chunk)
}
