package server

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// descriptorsReserved are left to files and peers when clients take all that
	// they can get (etcd's number). Without them the log could not open its next
	// segment, and a member whose log fails must end.
	descriptorsReserved = 150
	// writeStall is how long a client's connection may take nothing of what is
	// sent to it. Then it is closed: what waits for it would wait forever.
	writeStall = 2 * time.Minute
)

// ration bounds the connections of clients, over all listeners. Beyond it they
// wait in the listeners' backlogs.
type ration struct {
	slots chan struct{} // nil: no bound
	stall time.Duration // of their writes
}

// newRation reserves descriptors for the member itself; limit 0 is unknown.
func newRation(limit uint64, stall time.Duration) *ration {
	r := &ration{stall: stall}
	if limit > descriptorsReserved {
		r.slots = make(chan struct{}, min(limit-descriptorsReserved, 1<<20))
	}
	return r
}

// listener gives each connection a slot.
func (r *ration) listener(l net.Listener) net.Listener {
	return &rationedListener{Listener: l, ration: r, done: make(chan struct{})}
}

type rationedListener struct {
	net.Listener
	ration *ration
	done   chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *rationedListener) Accept() (net.Conn, error) {
	if l.ration.slots != nil {
		select {
		case l.ration.slots <- struct{}{}:
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		l.ration.release()
		return nil, err
	}
	return &clientConn{Conn: conn, ration: l.ration}, nil
}

// Close implements net.Listener.
func (l *rationedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

func (r *ration) release() {
	if r.slots != nil {
		<-r.slots
	}
}

// clientConn is a client's socket, which holds a slot until it is closed.
type clientConn struct {
	net.Conn
	ration   *ration
	served   atomic.Bool // past the handshake, which has a deadline of its own
	released atomic.Bool
}

// Write fails if the client takes nothing for too long.
func (c *clientConn) Write(p []byte) (int, error) {
	if c.served.Load() {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.ration.stall)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *clientConn) Close() error {
	if c.released.CompareAndSwap(false, true) {
		c.ration.release()
	}
	return c.Conn.Close()
}
