package gateway

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// NewStream implements grpc.ClientConnInterface. The handler runs on a goroutine
// of its own, until it returns; it is told to by the end of ctx, which is the
// caller's to bring about.
func (c *Conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	m, ok := c.stream[method]
	if !ok {
		return nil, unknownMethod(method)
	}
	p := &pipe{
		conn: c, client: ctx,
		requests: make(chan proto.Message), replies: make(chan any),
		started: make(chan struct{}), ended: make(chan struct{}),
	}
	p.server = grpc.NewContextWithServerTransportStream(incoming(ctx), header{method})
	info := &grpc.StreamServerInfo{FullMethod: method, IsClientStream: m.desc.ClientStreams, IsServerStream: m.desc.ServerStreams}
	go func() {
		defer close(p.ended)
		if err := c.Stream(m.service, serverEnd{p}, info, m.desc.Handler); err != nil {
			p.err = statusOf(err)
		}
	}()
	return &clientEnd{pipe: p}, nil
}

// pipe joins a client's and a server's end of a stream. Neither direction holds
// more than one message: a reader that is slow stops its writer, as flow control
// does on a wire.
type pipe struct {
	conn           *Conn
	client, server context.Context
	requests       chan proto.Message // closed when the client has no more
	replies        chan any           // proto.Message or encoded

	startOnce sync.Once
	started   chan struct{} // closed with the first reply or header
	ended     chan struct{} // closed once the handler has returned
	err       error         // the handler's; read after ended
}

func (p *pipe) start() { p.startOnce.Do(func() { close(p.started) }) }

// clientEnd is grpc.ClientStream. As in grpc-go, one goroutine may send and
// another receive.
type clientEnd struct {
	*pipe
	closed bool // CloseSend was called
}

// Header waits for the first sign of the server.
func (c *clientEnd) Header() (metadata.MD, error) {
	select {
	case <-c.started:
		return headers(), nil
	case <-c.ended:
		return headers(), nil // RecvMsg tells how it ended
	case <-c.client.Done():
		return nil, statusOf(c.client.Err())
	}
}

// Trailer implements grpc.ClientStream.
func (c *clientEnd) Trailer() metadata.MD { return nil }

// CloseSend implements grpc.ClientStream.
func (c *clientEnd) CloseSend() error {
	if !c.closed {
		c.closed = true
		close(c.requests)
	}
	return nil
}

// Context implements grpc.ClientStream.
func (c *clientEnd) Context() context.Context { return c.client }

// SendMsg returns io.EOF once the stream has ended, as grpc-go does.
func (c *clientEnd) SendMsg(m any) error {
	message := proto.Clone(m.(proto.Message))
	if err := c.conn.checkSize(message); err != nil {
		return err
	}
	select {
	case c.requests <- message:
		return nil
	case <-c.ended:
		return io.EOF
	case <-c.client.Done():
		return statusOf(c.client.Err())
	}
}

// RecvMsg implements grpc.ClientStream.
func (c *clientEnd) RecvMsg(m any) error {
	select {
	case reply := <-c.replies:
		return c.conn.deliver(reply, m)
	case <-c.ended:
		if c.err != nil {
			return c.err
		}
		return io.EOF
	case <-c.client.Done():
		return statusOf(c.client.Err())
	}
}

// serverEnd is grpc.ServerStream.
type serverEnd struct{ *pipe }

// SetHeader implements grpc.ServerStream.
func (s serverEnd) SetHeader(metadata.MD) error { return nil }

// SendHeader implements grpc.ServerStream.
func (s serverEnd) SendHeader(metadata.MD) error {
	s.start()
	return nil
}

// SetTrailer implements grpc.ServerStream.
func (s serverEnd) SetTrailer(metadata.MD) {}

// Context implements grpc.ServerStream.
func (s serverEnd) Context() context.Context { return s.server }

// SendMsg copies the message: the handler may use it again.
func (s serverEnd) SendMsg(m any) error {
	var reply any
	if message, ok := m.(proto.Message); ok {
		reply = proto.Clone(message)
	} else {
		wire, err := s.conn.encode(m)
		if err != nil {
			return err
		}
		reply = wire
	}
	s.start()
	select {
	case s.replies <- reply:
		return nil
	case <-s.server.Done():
		return statusOf(s.server.Err())
	}
}

// RecvMsg implements grpc.ServerStream.
func (s serverEnd) RecvMsg(m any) error {
	select {
	case request, more := <-s.requests:
		if !more {
			return io.EOF
		}
		proto.Reset(m.(proto.Message))
		proto.Merge(m.(proto.Message), request)
		return nil
	case <-s.server.Done():
		return statusOf(s.server.Err())
	}
}
