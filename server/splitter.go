package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/internal/oneport"
	"github.com/holdfast-db/holdfast/internal/tlsconf"
)

// splitter shares one port between gRPC and HTTP/1.1, both with and without
// TLS: it reads the first bytes of each connection, does the handshake if those
// begin one, and hands it to the listener for its protocol. (grpc-go's own way,
// serving through net/http, costs it much of its speed.) Under TLS the protocol
// is the one that ALPN settled.
type splitter struct {
	grpc, http *oneport.Handoff
	meter      *metrics
	tls        *tls.Config // nil without certificates
	log        *slog.Logger
	patience   time.Duration // for the first bytes and the handshake
	ration     *ration
	work       sync.WaitGroup
	mu         sync.Mutex
	listeners  []net.Listener
	sniffing   oneport.Conns // that haven't said yet what they are
}

func newSplitter(m *metrics, source *tlsconf.Source, log *slog.Logger, set *settings) *splitter {
	s := &splitter{meter: m, log: log, patience: set.handshakeTimeout(), grpc: oneport.NewHandoff(), http: oneport.NewHandoff()}
	_, limit := descriptors()
	s.ration = newRation(limit, set.limits.writeStall)
	if source != nil {
		s.tls = source.Server()
	}
	return s
}

// serve accepts from a listener until close.
func (s *splitter) serve(e *endpoint) {
	s.mu.Lock()
	l := s.ration.listener(e)
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			var temporary net.Error
			switch {
			case err == nil:
				s.work.Go(func() { s.route(conn, e) })
			case errors.As(err, &temporary) && temporary.Timeout():
			case errors.Is(err, net.ErrClosed):
				return
			default:
				time.Sleep(10 * time.Millisecond) // out of descriptors: others must close first
			}
		}
	})
}

// route finds out what a connection speaks; it has the splitter's patience for that.
func (s *splitter) route(conn net.Conn, e *endpoint) {
	if !s.sniffing.Add(conn) {
		conn.Close()
		return
	}
	err := conn.SetDeadline(time.Now().Add(s.patience))
	var head []byte
	if err == nil {
		head, err = oneport.Sniff(conn)
	}
	sniffed := &oneport.Conn{Conn: conn, Head: head}
	switch {
	case err != nil:
	case e.secure && (head[0] == oneport.TLSRecord || !e.plain): // what isn't TLS fails in words
		err = s.routeTLS(sniffed, e)
	case bytes.Equal(head, oneport.Preface):
		err = s.giveGRPC(sniffed, e)
	default:
		err = s.giveHTTP(sniffed, e)
	}
	if err != nil {
		s.sniffing.Remove(conn)
		conn.Close()
	}
}

// give hands a connection over without a deadline.
func (s *splitter) give(to *oneport.Handoff, conn net.Conn) error {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	raw := rawConn(conn)
	s.sniffing.Remove(raw)
	if c, ok := raw.(*clientConn); ok {
		c.served.Store(true)
	}
	to.Give(conn)
	return nil
}

// errNotServed ends a connection whose protocol its address doesn't offer.
var errNotServed = errors.New("server: this address is for the other protocol")

func (s *splitter) giveGRPC(conn net.Conn, e *endpoint) error {
	if e.only == "http" {
		return errNotServed
	}
	return s.give(s.grpc, &meteredConn{conn, s.meter})
}

func (s *splitter) giveHTTP(conn net.Conn, e *endpoint) error {
	if e.only == "grpc" {
		return errNotServed
	}
	return s.give(s.http, conn)
}

func (s *splitter) routeTLS(conn net.Conn, e *endpoint) error {
	secured := tls.Server(conn, s.tls)
	if err := secured.Handshake(); err != nil {
		if !errors.Is(err, net.ErrClosed) { // else it was us, stopping
			logRejected(s.log, "rejected connection on client endpoint", secured, err)
		}
		return err
	}
	if secured.ConnectionState().NegotiatedProtocol == "h2" {
		return s.giveGRPC(secured, e)
	}
	return s.giveHTTP(secured, e)
}

// rawConn is the socket under what route has put around it.
func rawConn(conn net.Conn) net.Conn {
	for {
		switch c := conn.(type) {
		case *meteredConn:
			conn = c.Conn
		case *oneport.Conn:
			conn = c.Conn
		case *tls.Conn:
			conn = c.NetConn()
		default:
			return conn
		}
	}
}

// close stops accepting and ends connections that haven't said what they are.
func (s *splitter) close() {
	s.mu.Lock()
	for _, l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
	s.sniffing.End()
	s.grpc.Close()
	s.http.Close()
	s.work.Wait()
}

// meteredConn counts a gRPC client's bytes.
type meteredConn struct {
	net.Conn
	metrics *metrics
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.metrics.clientReceived.Add(float64(n))
	return n, err
}

func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.metrics.clientSent.Add(float64(n))
	return n, err
}
