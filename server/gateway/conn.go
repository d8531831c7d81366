package gateway

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Conn is a client's connection to services that are registered with it: calls
// run on the caller's goroutine, streams on one more. It is a
// grpc.ServiceRegistrar and a grpc.ClientConnInterface; register first, call
// then. Interceptors are those of the gRPC server; none may be nil.
type Conn struct {
	Unary  grpc.UnaryServerInterceptor
	Stream grpc.StreamServerInterceptor
	// Codec encodes replies that are not protobuf messages.
	Codec encoding.CodecV2
	// RequestBytesMax bounds an encoded request, as gRPC does.
	RequestBytesMax int

	unary  map[string]unaryMethod
	stream map[string]streamMethod
}

type unaryMethod struct {
	service any
	desc    *grpc.MethodDesc
}

type streamMethod struct {
	service any
	desc    *grpc.StreamDesc
}

var (
	_ grpc.ServiceRegistrar    = (*Conn)(nil)
	_ grpc.ClientConnInterface = (*Conn)(nil)
)

// RegisterService implements grpc.ServiceRegistrar.
func (c *Conn) RegisterService(desc *grpc.ServiceDesc, service any) {
	if c.unary == nil {
		c.unary, c.stream = map[string]unaryMethod{}, map[string]streamMethod{}
	}
	for i := range desc.Methods {
		m := &desc.Methods[i]
		c.unary["/"+desc.ServiceName+"/"+m.MethodName] = unaryMethod{service, m}
	}
	for i := range desc.Streams {
		m := &desc.Streams[i]
		c.stream["/"+desc.ServiceName+"/"+m.StreamName] = streamMethod{service, m}
	}
}

// Invoke implements grpc.ClientConnInterface. args and reply are protobuf
// messages; of the options, those that read headers are served.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	m, ok := c.unary[method]
	if !ok {
		return unknownMethod(method)
	}
	for _, o := range options {
		if h, ok := o.(grpc.HeaderCallOption); ok {
			*h.HeaderAddr = headers()
		}
	}
	request := args.(proto.Message)
	if err := c.checkSize(request); err != nil {
		return err
	}
	decode := func(v any) error {
		proto.Merge(v.(proto.Message), request)
		return nil
	}
	ctx = grpc.NewContextWithServerTransportStream(incoming(ctx), header{method})
	answer, err := m.desc.Handler(m.service, ctx, decode, c.Unary)
	if err != nil {
		return statusOf(err)
	}
	if h, ok := answer.(Held); ok {
		holdUntilSent(ctx, h)
		answer = h.Unwrap()
	}
	return c.deliver(answer, reply)
}

func (c *Conn) checkSize(request proto.Message) error {
	if size := proto.Size(request); size > c.RequestBytesMax {
		return status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", size, c.RequestBytesMax)
	}
	return nil
}

// deliver copies what a handler sent into what the caller reads: neither may see
// the other's later changes.
func (c *Conn) deliver(from, to any) error {
	target := to.(proto.Message)
	proto.Reset(target)
	switch m := from.(type) {
	case proto.Message:
		proto.Merge(target, m)
		return nil
	case encoded:
		return proto.Unmarshal(m, target)
	}
	wire, err := c.encode(from)
	if err != nil {
		return err
	}
	return proto.Unmarshal(wire, target)
}

// encoded is a message that encoded itself.
type encoded []byte

func (c *Conn) encode(m any) (encoded, error) {
	wire, err := c.Codec.Marshal(m)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err)
	}
	defer wire.Free()
	return wire.Materialize(), nil
}

// incoming makes of a client's context a server's: what the client sends is what
// the server reads.
func incoming(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	return metadata.NewIncomingContext(ctx, md)
}

func unknownMethod(method string) error {
	return status.Errorf(codes.Unimplemented, "unknown method %s", method)
}

// statusOf is the error that a client would get over the wire.
func statusOf(err error) error {
	if st, ok := status.FromError(err); ok {
		return st.Err()
	}
	return status.FromContextError(err).Err()
}

// headers are those of every gRPC reply. The gateway passes them on.
func headers() metadata.MD { return metadata.Pairs("content-type", "application/grpc") }

// header takes the headers that handlers set; nobody reads them.
type header struct{ method string }

func (h header) Method() string             { return h.method }
func (header) SetHeader(metadata.MD) error  { return nil }
func (header) SendHeader(metadata.MD) error { return nil }
func (header) SetTrailer(metadata.MD) error { return nil }
