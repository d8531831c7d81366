package server

import (
	"sync"

	"github.com/holdfast-db/holdfast/server/replica"
)

// mailboxBacklog is how many events may wait for an actor before those who can
// wait (links to peers) have to. What actors send each other is bounded by
// credit and never waits; clients' requests by their number.
const mailboxBacklog = 8192

// ticksWaitingMax bounds the ticks that pile up before an actor that is stuck
// (a slow disk, a stopped process): time may pass slower for it, not all at once.
const ticksWaitingMax = 4

// lateTicks bounds how far an actor's count of ticks lags behind time: what
// waits, as much in the batch that it is working through, and the grid.
const lateTicks = 2*ticksWaitingMax + 1

// mailbox is an actor's queue: many put, one goroutine takes all there is. What
// gathers while the actor works is its next batch.
//
// Invariants:
//  1. Events from one goroutine are taken in the order they were put.
//  2. wake holds a token whenever something waits and the owner doesn't know.
type mailbox struct {
	mu       sync.Mutex
	drained  sync.Cond // someone waits in putWait
	events   []replica.Event
	requests []*replica.Request
	ticks    int
	closed   bool
	wake     chan struct{}

	spareEvents   []replica.Event
	spareRequests []*replica.Request
}

func newMailbox() *mailbox {
	m := &mailbox{wake: make(chan struct{}, 1)}
	m.drained.L = &m.mu
	return m
}

// put adds events. It never blocks.
func (m *mailbox) put(events ...replica.Event) {
	m.mu.Lock()
	m.events = append(m.events, events...)
	m.mu.Unlock()
	m.signal()
}

// putWait adds an event, but waits while too much waits already. It reports
// false if the mailbox was closed.
func (m *mailbox) putWait(ev replica.Event) bool {
	m.mu.Lock()
	for len(m.events) >= mailboxBacklog && !m.closed {
		m.drained.Wait()
	}
	closed := m.closed
	if !closed {
		m.events = append(m.events, ev)
	}
	m.mu.Unlock()
	m.signal()
	return !closed
}

// submit adds a client's request.
func (m *mailbox) submit(r *replica.Request) {
	m.mu.Lock()
	m.requests = append(m.requests, r)
	m.mu.Unlock()
	m.signal()
}

// tick adds a tick, unless too many wait.
func (m *mailbox) tick(to replica.ActorID) {
	m.mu.Lock()
	if m.ticks < ticksWaitingMax {
		m.ticks++
		m.events = append(m.events, replica.TickEvent{To: to})
	}
	m.mu.Unlock()
	m.signal()
}

func (m *mailbox) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take returns all that waits; the slices are valid until the next call.
func (m *mailbox) take() ([]replica.Event, []*replica.Request) {
	clear(m.spareEvents) // the owner's: what was taken before may be collected
	clear(m.spareRequests)
	m.mu.Lock()
	events, requests := m.events, m.requests
	m.events, m.requests = m.spareEvents[:0], m.spareRequests[:0]
	m.ticks = 0
	m.mu.Unlock()
	m.spareEvents, m.spareRequests = events, requests
	m.drained.Broadcast()
	return events, requests
}

// close lets go of those who wait in putWait.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.drained.Broadcast()
}
