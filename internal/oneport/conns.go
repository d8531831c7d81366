package oneport

import (
	"net"
	"sync"
)

// Conns are connections that end together. The zero value has none.
type Conns struct {
	mu    sync.Mutex
	open  map[net.Conn]struct{}
	ended bool
}

// Add tells whether a connection may live: none may after End.
func (c *Conns) Add(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	if c.open == nil {
		c.open = map[net.Conn]struct{}{}
	}
	c.open[conn] = struct{}{}
	return true
}

// Remove leaves a connection to somebody else.
func (c *Conns) Remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// End closes those that are there, and refuses all others.
func (c *Conns) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		conn.Close()
	}
	c.open, c.ended = nil, true
}
