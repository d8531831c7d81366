package tcp

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/raft"
)

// PeerStats is what is known of one member's links.
type PeerStats struct {
	ID raft.NodeID
	// Connected: the link that we dial stands, ActiveSince that time. (etcd's
	// strict reconfiguration check wants it to be 5 s old.)
	Connected   bool
	ActiveSince time.Time
	// Inbound: the member has a connection to us. Frames come by it.
	Inbound bool
	// Incarnation, Boot and URL are of the last connection that we dialled.
	Incarnation raft.Incarnation
	Boot        uint64
	URL         string
	// BytesSent and FramesSent count what went to the member, on links only;
	// BytesReceived and FramesReceived what came from it on its own.
	BytesSent, BytesReceived   uint64
	FramesSent, FramesReceived uint64
	// FramesDropped were given to Send without a link or with a full queue.
	FramesDropped uint64
	// QueuedFrames and QueuedBytes wait for the link's writer now.
	QueuedFrames, QueuedBytes int
	// RoundTrip is the last ping's, 0 before the first answer.
	RoundTrip time.Duration
	// LastError is why the link ended or can't be made; "" while it stands.
	LastError string
}

// Stats returns one row for each member of the address book, sorted by id.
func (t *Transport) Stats() []PeerStats {
	t.mu.RLock()
	links := make([]*link, 0, len(t.links))
	for _, l := range t.links {
		links = append(links, l)
	}
	t.mu.RUnlock()
	rows := make([]PeerStats, 0, len(links))
	for _, l := range links {
		row := l.stats.row(l.id)
		row.QueuedFrames, row.QueuedBytes = l.queue.depth()
		row.Inbound = t.inbounds.has(l.id)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b PeerStats) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

// counters of one direction; they only grow.
type counters struct {
	sent, received, frames atomic.Uint64
}

// linkStats belongs to the link that we dial; inbound counts what the member
// sends us over its own.
type linkStats struct {
	counters
	inbound counters
	dropped atomic.Uint64

	mu     sync.Mutex
	state  PeerStats
	pingAt time.Time // of the ping not yet answered
}

func (s *linkStats) connected(c *connected) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = PeerStats{
		Connected: true, ActiveSince: time.Now(),
		Incarnation: c.peer.Incarnation, Boot: c.peer.Boot, URL: c.url,
	}
	s.pingAt = time.Time{}
}

func (s *linkStats) disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Connected, s.state.ActiveSince = false, time.Time{}
}

// failed records why there is no link, and tells whether that is news.
func (s *linkStats) failed(err error) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.state.LastError != err.Error()
	s.state.LastError = err.Error()
	return news
}

func (s *linkStats) pinged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pingAt.IsZero() {
		s.pingAt = time.Now()
	}
}

func (s *linkStats) ponged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pingAt.IsZero() {
		s.state.RoundTrip = time.Since(s.pingAt)
		s.pingAt = time.Time{}
	}
}

func (s *linkStats) row(id raft.NodeID) PeerStats {
	s.mu.Lock()
	row := s.state
	s.mu.Unlock()
	row.ID = id
	row.BytesSent, row.FramesSent = s.sent.Load(), s.frames.Load()
	row.BytesReceived, row.FramesReceived = s.inbound.received.Load(), s.inbound.frames.Load()
	row.FramesDropped = s.dropped.Load()
	return row
}
