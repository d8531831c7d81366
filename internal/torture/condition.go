package torture

import (
	"sync"
	"time"
)

// condition is how the directions of a network are.
type condition struct {
	mu      sync.Mutex
	cut     map[direction]bool
	severed map[direction]bool
	delay   map[direction]time.Duration
	changed chan struct{} // closed when any of these changes
}

func newCondition() *condition {
	return &condition{
		cut: map[direction]bool{}, severed: map[direction]bool{}, delay: map[direction]time.Duration{},
		changed: make(chan struct{}),
	}
}

// change runs f and wakes all that wait for a state.
func (c *condition) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *condition) setCut(cut, sever bool, ds ...direction) {
	c.change(func() {
		for _, d := range ds {
			c.cut[d], c.severed[d] = cut, cut && sever
		}
	})
}

func (c *condition) setDelay(d time.Duration, ds ...direction) {
	c.change(func() {
		for _, one := range ds {
			c.delay[one] = d
		}
	})
}

func (c *condition) heal() {
	c.change(func() { clear(c.cut); clear(c.severed); clear(c.delay) })
}

func (c *condition) delayOf(d direction) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.delay[d]
}

func (c *condition) isCut(d direction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut[d]
}

// isSevered: a connection needs both directions.
func (c *condition) isSevered(d direction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.severed[d] || c.severed[d.back()]
}

// wait returns when a direction is not cut, or stop is closed.
func (c *condition) wait(d direction, stop <-chan struct{}) bool {
	for {
		c.mu.Lock()
		cut, changed := c.cut[d], c.changed
		c.mu.Unlock()
		if !cut {
			return true
		}
		select {
		case <-changed:
		case <-stop:
			return false
		}
	}
}
