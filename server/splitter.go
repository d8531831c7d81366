package server

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// http2Preface opens every HTTP/2 connection without TLS (RFC 9113 §3.4). The
// first bytes of it tell gRPC from HTTP/1.1, whose methods are other words.
var http2Preface = []byte("PRI * HTTP/2.0")

// sniffTimeout bounds how long a client may take to say its first bytes.
const sniffTimeout = 10 * time.Second

// splitter shares one port between gRPC and HTTP/1.1: it reads the first bytes
// of each connection and hands it to the listener for its protocol. (grpc-go's
// own way, serving through net/http, costs it much of its speed.)
type splitter struct {
	grpc, http *handoff
	meter      *metrics
	work       sync.WaitGroup
	mu         sync.Mutex
	listeners  []net.Listener
	sniffing   map[net.Conn]struct{}
	closed     bool
}

func newSplitter(m *metrics) *splitter {
	return &splitter{meter: m, grpc: newHandoff(), http: newHandoff(), sniffing: map[net.Conn]struct{}{}}
}

// serve accepts from a listener until close.
func (s *splitter) serve(l net.Listener) {
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			var temporary net.Error
			switch {
			case err == nil:
				s.work.Go(func() { s.route(conn) })
			case errors.As(err, &temporary) && temporary.Timeout():
			case errors.Is(err, net.ErrClosed):
				return
			default:
				time.Sleep(10 * time.Millisecond) // out of descriptors: others must close first
			}
		}
	})
}

func (s *splitter) route(conn net.Conn) {
	if !s.track(conn) {
		conn.Close()
		return
	}
	head, err := sniff(conn)
	s.untrack(conn)
	if err != nil {
		conn.Close()
		return
	}
	sniffed := &sniffedConn{Conn: conn, head: head}
	if bytes.Equal(head, http2Preface) {
		s.grpc.give(&meteredConn{sniffed, s.meter})
		return
	}
	s.http.give(sniffed)
}

// sniff reads until the first bytes are the preface or can't become it.
func sniff(conn net.Conn) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(sniffTimeout)); err != nil {
		return nil, err
	}
	head := make([]byte, 0, len(http2Preface))
	for len(head) < cap(head) && bytes.HasPrefix(http2Preface, head) {
		n, err := conn.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if err != nil && len(head) == 0 {
			return nil, err
		}
		if err != nil {
			break
		}
	}
	return head, conn.SetReadDeadline(time.Time{})
}

func (s *splitter) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.sniffing[conn] = struct{}{}
	}
	return !s.closed
}

func (s *splitter) untrack(conn net.Conn) {
	s.mu.Lock()
	delete(s.sniffing, conn)
	s.mu.Unlock()
}

// close stops accepting and ends connections that haven't said what they are.
func (s *splitter) close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.listeners {
		l.Close()
	}
	for conn := range s.sniffing {
		conn.Close()
	}
	s.mu.Unlock()
	s.grpc.Close()
	s.http.Close()
	s.work.Wait()
}

// sniffedConn gives back the bytes that were read to find out.
type sniffedConn struct {
	net.Conn
	head []byte
}

func (c *sniffedConn) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// meteredConn counts a gRPC client's bytes.
type meteredConn struct {
	*sniffedConn
	metrics *metrics
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.sniffedConn.Read(p)
	c.metrics.clientReceived.Add(float64(n))
	return n, err
}

func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.sniffedConn.Write(p)
	c.metrics.clientSent.Add(float64(n))
	return n, err
}

// handoff is a listener whose connections come from the splitter.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (h *handoff) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		c.Close()
	}
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener; many addresses share it.
func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }
