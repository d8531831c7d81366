package raft

import (
	"cmp"
	"slices"
)

// leadership is the state that only a leader has.
type leadership struct {
	noop     Index       // the entry that opened the term
	progress []*progress // all members but this one, by ID
	dirty    bool        // there may be something to replicate
	ticks    int         // since the election

	heartbeatElapsed int
	round            uint64 // the last quorum round begun, from 1 in each term
	uncommittedBytes int    // payload above commit

	transferee      NodeID
	transferElapsed int

	reads leaderReads
}

func newLeadership(noop Index) *leadership {
	return &leadership{noop: noop, dirty: true}
}

// find returns the progress of a member; nil if there is none.
func (l *leadership) find(id NodeID) *progress {
	k, ok := l.search(id)
	if !ok {
		return nil
	}
	return l.progress[k]
}

func (l *leadership) search(id NodeID) (int, bool) {
	return slices.BinarySearchFunc(l.progress, id, func(p *progress, id NodeID) int { return cmp.Compare(p.id, id) })
}

// progress is what a leader knows of another member.
//
// Invariants:
//  1. match < next; match never falls for one incarnation within a term.
//  2. The member's log equals the leader's up to match, durably.
//  3. Probe: at most one message unanswered (paused). Replicate: next is
//     optimistic, inflight lists what was sent above match.
type progress struct {
	id          NodeID
	incarnation Incarnation // bound one, 0 if not bound
	voter       bool

	departing   bool   // no longer in the configuration; see syncProgress
	departAt    Index  // the configuration without it
	departRound uint64 // the round that told it of its commit, 0 until then
	departTicks int

	state       ProgressState
	match, next Index
	paused      bool // Probe: wait for an answer
	loading     LoadRequest
	commitSent  Index // highest commit index told with entries
	stalled     int   // ticks without an acknowledgement while something is in flight
	snapshot    Index // SnapshotTransfer: delivered up to here, 0 until then
	waited      int   // ticks since it was delivered

	inflight      []flight
	inflightBytes int

	silent      int // ticks since the member was last heard
	activeTicks int // ticks since it is heard without a break
	heard       bool
	round       uint64 // highest round it has acknowledged
}

// flight is one AppendEntries that isn't acknowledged yet.
type flight struct {
	last  Index
	bytes int
}

func (p *progress) tick(electionTicks int) {
	p.silent++
	if !p.heard || p.silent >= electionTicks {
		p.activeTicks = 0
	} else {
		p.activeTicks++
	}
	if len(p.inflight) > 0 {
		p.stalled++
	}
}

// active: heard of, or just become a peer, within an election timeout.
func (p *progress) active(electionTicks int) bool { return p.silent < electionTicks }

func (p *progress) hear() { p.silent, p.heard = 0, true }

// probe goes back to one message at a time, from next on.
func (p *progress) probe(next Index) {
	p.state, p.next, p.paused = Probe, max(next, p.match+1), false
	p.inflight, p.inflightBytes, p.stalled, p.snapshot = nil, 0, 0, 0
}

// pipeline starts optimistic replication after match.
func (p *progress) pipeline() {
	p.probe(p.match + 1)
	p.state = Replicate
}

// fly notes a message with entries up to last.
func (p *progress) fly(last Index, bytes int) {
	if len(p.inflight) == 0 {
		p.stalled = 0
	}
	p.inflight = append(p.inflight, flight{last, bytes})
	p.inflightBytes += bytes
	p.next = last + 1
}

// full reports whether the pipeline takes no more.
func (p *progress) full(c *Config) bool {
	return len(p.inflight) >= c.InflightMessagesMax || p.inflightBytes >= c.InflightBytesMax
}

// acknowledge notes that everything up to match arrived.
func (p *progress) acknowledge(match Index) {
	if match > p.match {
		p.stalled = 0
	}
	p.match = max(p.match, match)
	p.next = max(p.next, p.match+1)
	k := 0
	for k < len(p.inflight) && p.inflight[k].last <= match {
		p.inflightBytes -= p.inflight[k].bytes
		k++
	}
	p.inflight = p.inflight[k:]
}

// syncProgress follows a change of the configuration. A member that was removed
// is told so before it is forgotten: it gets the log until it has acknowledged
// the configuration without it and heard that it is committed, or for two
// election timeouts. Without that it would never learn why nobody speaks to it.
func (n *Node) syncProgress() {
	c := n.config()
	for _, m := range c.Members {
		if m.ID != n.cfg.ID {
			n.syncMember(m)
		}
	}
	for _, p := range n.lead.progress {
		if _, ok := c.Find(p.id); !ok && !p.departing {
			p.departing, p.voter, p.departAt = true, false, n.configs.active().At.Index
		}
	}
	if m, ok := c.Find(n.lead.transferee); n.lead.transferee != 0 && (!ok || !m.Voter) {
		n.abortTransfer(ReasonNotVoter)
	}
	n.lead.dirty = true
}

// syncMember makes or updates the progress of one member. Another incarnation,
// or a member that left and is back, starts from nothing: what the old one
// acknowledged says nothing of its disk.
func (n *Node) syncMember(m Member) {
	l := n.lead
	k, ok := l.search(m.ID)
	if ok {
		p := l.progress[k]
		rebound := p.incarnation != 0 && p.incarnation != m.Incarnation
		if !p.departing && !rebound {
			p.voter, p.incarnation = m.votes(), m.Incarnation
			return
		}
		l.progress = slices.Delete(l.progress, k, k+1)
	}
	p := &progress{id: m.ID, incarnation: m.Incarnation, voter: m.votes(), next: n.log.last() + 1}
	l.progress = slices.Insert(l.progress, k, p)
}

// matchOf returns up to where a member holds this log durably: nothing if its
// disk has forgotten.
func (n *Node) matchOf(id NodeID) Index {
	if n.marks.disowned(id) {
		return 0
	}
	return n.acknowledgedBy(id)
}

// acknowledgedBy returns up to where a member has once held this log durably.
func (n *Node) acknowledgedBy(id NodeID) Index {
	if id == n.cfg.ID {
		return n.writer.persisted // its own entries count like any other's
	}
	if p := n.lead.find(id); p != nil {
		return p.match
	}
	return 0
}

// best returns the incoming voter that is active and holds most of the log,
// the lowest id among equals; nil if there is none.
func (l *leadership) best(c *Configuration) *progress {
	var best *progress
	for _, p := range l.progress {
		m, ok := c.Find(p.id)
		if ok && m.Voter && p.heard && (best == nil || p.match > best.match) {
			best = p
		}
	}
	return best
}
