package grpcproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/internal/oneport"
)

// handshakeTimeout is how long a client may take to say its first bytes, a TLS
// handshake included.
const handshakeTimeout = 10 * time.Second

// port shares one listener between gRPC and HTTP/1.1.
type port struct {
	listener   net.Listener
	tls        *tls.Config // nil: in the clear
	grpc, http *oneport.Handoff
	log        *slog.Logger

	work sync.WaitGroup
	open oneport.Conns // that haven't said yet what they are
}

func newPort(l net.Listener, config *tls.Config, log *slog.Logger) *port {
	return &port{listener: l, tls: config, grpc: oneport.NewHandoff(), http: oneport.NewHandoff(), log: log}
}

// serve accepts until close; the error is the listener's.
func (p *port) serve() error {
	for {
		conn, err := p.listener.Accept()
		switch {
		case err == nil:
			p.work.Go(func() { p.route(conn) })
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			p.log.Warn("cannot accept a connection", "error", err.Error())
			time.Sleep(10 * time.Millisecond) // out of descriptors: others must close first
		}
	}
}

// route finds out what a connection speaks.
func (p *port) route(conn net.Conn) {
	if !p.open.Add(conn) {
		conn.Close()
		return
	}
	to, ready, err := p.sort(conn)
	if err == nil {
		err = ready.SetDeadline(time.Time{})
	}
	p.open.Remove(conn)
	if err != nil {
		conn.Close()
		return
	}
	to.Give(ready)
}

// sort knows by ALPN what TLS carries, and by its first bytes what comes in the
// clear.
func (p *port) sort(conn net.Conn) (to *oneport.Handoff, ready net.Conn, err error) {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, nil, err
	}
	if p.tls != nil {
		secured := tls.Server(conn, p.tls)
		if err := secured.Handshake(); err != nil {
			level := slog.LevelWarn
			if errors.Is(err, io.EOF) {
				level = slog.LevelDebug // who just hung up was a probe
			}
			p.log.Log(context.Background(), level, "rejected connection on client endpoint", "remote-addr", conn.RemoteAddr().String(), "error", err.Error())
			return nil, nil, err
		}
		if secured.ConnectionState().NegotiatedProtocol == "h2" {
			return p.grpc, secured, nil
		}
		return p.http, secured, nil
	}
	head, err := oneport.Sniff(conn)
	if err != nil {
		return nil, nil, err
	}
	ready = &oneport.Conn{Conn: conn, Head: head}
	if bytes.Equal(head, oneport.Preface) {
		return p.grpc, ready, nil
	}
	return p.http, ready, nil
}

// close stops accepting and ends connections that haven't said what they are.
func (p *port) close() {
	p.listener.Close()
	p.open.End()
	p.grpc.Close()
	p.http.Close()
	p.work.Wait()
}
