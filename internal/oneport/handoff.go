package oneport

import (
	"net"
	"sync"
)

// Handoff is a listener whose connections are given to it.
type Handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewHandoff makes one; it needs no end but Close.
func NewHandoff() *Handoff {
	return &Handoff{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Give hands a connection over, or closes it if nobody takes any more.
func (h *Handoff) Give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		c.Close()
	}
}

// Accept implements net.Listener.
func (h *Handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *Handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener; many addresses share it.
func (h *Handoff) Addr() net.Addr { return &net.TCPAddr{} }
