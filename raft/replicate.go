package raft

import "slices"

// Propose appends one entry per element of data, which must not be changed
// afterwards, and returns the first one's identity; the others follow it. There
// must be at least one. An entry that is committed with this very term is the
// proposal; another term at its index means that it was lost.
//
// Errors: ErrNotLeader, ErrTransferring, ErrOverloaded.
func (n *Node) Propose(data [][]byte) (EntryID, error) {
	if len(data) == 0 {
		panic("raft: Propose without data")
	}
	switch {
	case n.role != Leader:
		return EntryID{}, ErrNotLeader
	case n.lead.transferee != 0:
		return EntryID{}, ErrTransferring
	case n.lead.uncommittedBytes >= n.cfg.UncommittedBytesMax:
		return EntryID{}, ErrOverloaded
	}
	first := EntryID{Term: n.term, Index: n.log.last() + 1}
	for _, d := range data {
		n.appendOwn(EntryCommand, d)
	}
	return first, nil
}

// appendOwn appends an entry of the leader's term. A leader only ever appends
// to its log (Leader Append-Only, Raft §5.3).
func (n *Node) appendOwn(t EntryType, data []byte) EntryID {
	e := Entry{Index: n.log.last() + 1, Term: n.term, Type: t, Data: data}
	e.CRC = EntryCRC(e)
	n.log.append(e)
	n.lead.uncommittedBytes += len(data)
	n.lead.dirty = true
	return e.ID()
}

// replicate sends every member what it may be sent now.
func (n *Node) replicate() {
	if !n.lead.dirty {
		return
	}
	n.lead.dirty = false
	for _, p := range n.lead.progress {
		n.replicateTo(p)
	}
}

func (n *Node) replicateTo(p *progress) {
	switch p.state {
	case Probe:
		if !p.paused {
			n.sendNext(p)
		}
	case Replicate:
		for p.next <= n.log.last() && !p.full(&n.cfg) && n.sendNext(p) {
		}
		if p.state == Replicate && p.commitSent < n.log.commit && p.next >= n.log.first() {
			n.sendAppend(p, nil) // nothing to say but that more is committed
		}
	}
}

// sendNext sends the entries from p.next on, as many as fit in a message. It
// returns false if they are not in memory: then the driver was asked for them,
// or for a snapshot.
func (n *Node) sendNext(p *progress) bool {
	switch tail := &n.log.tail; {
	case p.loading != LoadRequest{}:
		return false
	case p.next < n.log.first():
		n.needSnapshot(p)
		return false
	case p.next > n.log.last():
		n.sendAppend(p, nil)
	case p.next < tail.first():
		p.loading = LoadRequest{
			Member: p.id, From: p.next, To: min(n.log.last(), tail.first()-1, p.next+Index(n.cfg.MessageEntriesMax)-1),
			BytesMax: n.cfg.MessageBytesMax,
		}
		n.out.Load = append(n.out.Load, p.loading)
		return false
	default:
		n.sendAppend(p, tail.upTo(p.next, n.log.last(), n.cfg.MessageEntriesMax, n.cfg.MessageBytesMax))
	}
	return true
}

// sendAppend sends es, which start at p.next. The leader's own disk may still
// be busy with them (thesis §10.2.1).
func (n *Node) sendAppend(p *progress, es []Entry) {
	n.send(Message{
		Type: AppendEntries, To: p.id, Prev: n.log.id(p.next - 1), Entries: es, Commit: n.log.commit,
	})
	p.commitSent = n.log.commit
	if p.state == Probe {
		p.paused = true
	} else if len(es) > 0 {
		p.fly(es[len(es)-1].Index, payloadBytes(es))
	}
}

// loadedForPeer sends entries that the driver read, if they are still wanted.
func (n *Node) loadedForPeer(l Loaded) {
	p := n.lead.find(l.Request.Member)
	if p == nil || p.loading != l.Request {
		return
	}
	p.loading = LoadRequest{}
	n.lead.dirty = true
	switch {
	case p.state == SnapshotTransfer || p.next != l.Request.From || p.state == Probe && p.paused:
		return
	case l.Compacted:
		n.needSnapshot(p)
	case n.log.first() <= l.Request.From && n.log.matches(l.Request.From, l.Entries):
		n.sendAppend(p, prefix(l.Entries, n.cfg.MessageEntriesMax, n.cfg.MessageBytesMax))
	}
}

// advanceLeaderCommit applies the commit rule: an entry of the leader's own
// term that a quorum holds durably is committed, and with it all before it. One
// of an earlier term is not, however many hold it (Raft §5.4.2, Figure 8).
func (n *Node) advanceLeaderCommit() {
	if n.role != Leader {
		return
	}
	i := n.config().held(n.matchOf)
	if i <= n.log.commit || n.log.term(i) != n.term {
		return
	}
	from := max(n.log.commit+1, n.log.tail.first())
	if from <= i {
		n.lead.uncommittedBytes -= payloadBytes(n.log.tail.slice(from, i))
	}
	n.lead.dirty = true
	n.advanceCommit(i)
}

// tickLeader measures time for everything a leader waits for.
func (n *Node) tickLeader() {
	l := n.lead
	l.ticks++
	for _, p := range l.progress {
		p.tick(n.cfg.ElectionTicks)
	}
	if !n.quorumActive() {
		// Heartbeats that reach a part of the cluster would keep that part from
		// electing a leader that can work (openraft #2080).
		n.becomeFollower(n.term, 0, ReasonQuorumLost, 0)
		return
	}
	n.tickTransfer()
	n.tickSnapshots()
	n.dropDeparted()
	if l.heartbeatElapsed++; l.heartbeatElapsed >= n.cfg.HeartbeatTicks {
		l.heartbeatElapsed = 0
		n.broadcastHeartbeat()
		n.probeStalled()
		n.bindIncarnations()
	}
}

// quorumActive is CheckQuorum (thesis §6.2): the leader hears a quorum.
func (n *Node) quorumActive() bool {
	return n.config().quorum(func(id NodeID) bool {
		if id == n.cfg.ID {
			return true
		}
		p := n.lead.find(id)
		return p != nil && p.active(n.cfg.ElectionTicks)
	})
}

// broadcastHeartbeat begins a round: renews leases, tells the commit index as
// far as each member certainly has the log, and asks for the round's echo.
func (n *Node) broadcastHeartbeat() {
	n.lead.round++
	for _, p := range n.lead.progress {
		commit := min(p.match, n.log.commit)
		n.send(Message{Type: Heartbeat, To: p.id, Commit: commit, Round: n.lead.round})
		if p.departing && p.departRound == 0 && commit >= p.departAt {
			p.departRound = n.lead.round
		}
	}
}

// probeStalled asks members that acknowledge nothing whether they have what was
// sent: the end of a pipeline can be lost without anything following that
// would show the gap.
func (n *Node) probeStalled() {
	for _, p := range n.lead.progress {
		switch {
		case p.state != Replicate || p.stalled < n.cfg.HeartbeatTicks:
		case p.next >= n.log.first():
			n.sendAppend(p, nil)
		default: // the question itself is compacted away
			p.probe(p.match + 1)
			n.lead.dirty = true
		}
	}
}

// dropDeparted forgets removed members once they know, or can't be told.
func (n *Node) dropDeparted() {
	n.lead.progress = slices.DeleteFunc(n.lead.progress, func(p *progress) bool {
		if !p.departing {
			return false
		}
		p.departTicks++
		why := ReasonNone
		switch {
		case p.departRound > 0 && p.round >= p.departRound:
			why = ReasonTold
		case p.departTicks > 2*n.cfg.ElectionTicks:
			why = ReasonTimeout
		default:
			return false
		}
		n.event(EventMemberDropped, why, p.id, 0)
		return true
	})
}

// onHeartbeatReply counts the echo, and wakes what waited for the member.
func (n *Node) onHeartbeatReply(m *Message) {
	p := n.lead.find(m.From)
	if p == nil {
		n.drop(m, ReasonNotMember)
		return
	}
	if m.Round > n.lead.round {
		n.drop(m, ReasonMalformed)
		return
	}
	p.hear()
	p.round = max(p.round, m.Round)
	if p.state == Probe && p.paused {
		p.paused = false
		n.lead.dirty = true
	}
	n.confirmReads()
}

// onAppendEntriesReply moves the member's progress.
func (n *Node) onAppendEntriesReply(m *Message) {
	p := n.lead.find(m.From)
	switch {
	case p == nil:
		n.drop(m, ReasonNotMember)
	case m.Match > n.log.last():
		n.drop(m, ReasonMalformed)
	case m.Reject:
		p.hear()
		n.onRejected(p, m)
	default:
		p.hear()
		n.onAcknowledged(p, m)
	}
}

func (n *Node) onAcknowledged(p *progress, m *Message) {
	p.acknowledge(m.Match)
	switch p.state {
	case Probe:
		p.pipeline()
	case SnapshotTransfer:
		if p.match+1 >= n.log.first() && (p.snapshot == 0 || p.match >= p.snapshot) {
			p.pipeline()
		}
	}
	n.lead.dirty = true
	if p.id == n.lead.transferee && p.match == n.log.last() {
		n.sendTimeoutNow(p)
	}
	n.advanceLeaderCommit()
}

// onRejected goes back to where the logs may still agree. The follower's hint
// is its last entry at or before Prev whose term is not above Prev's; the
// leader looks for its own last entry not above that. So a whole term is
// skipped per round trip, on either side, instead of an entry (Raft §5.3's
// optimisation).
func (n *Node) onRejected(p *progress, m *Message) {
	prev := m.RejectedPrev.Index
	stale := p.state == SnapshotTransfer || prev <= p.match || prev > n.log.last() ||
		p.state == Probe && prev != p.next-1 || p.state == Replicate && prev >= p.next
	if stale {
		n.drop(m, ReasonStale)
		return
	}
	below := min(m.Hint.Index, prev-1)
	agree := n.log.terms.highest(below, m.Hint.Term)
	// Where the log's start itself was refused, next falls below it: a snapshot.
	p.probe(min(agree.Index, below) + 1)
	p.loading = LoadRequest{}
	n.event(EventMatchLost, ReasonRejected, p.id, p.next-1)
	n.lead.dirty = true
}

// PeerUnreachable tells that messages to a member were lost. The leader stops
// being optimistic about it.
func (n *Node) PeerUnreachable(id NodeID) {
	if n.role != Leader {
		return
	}
	if p := n.lead.find(id); p != nil && p.state == Replicate {
		p.probe(p.match + 1)
		n.event(EventMatchLost, ReasonUnreachable, id, p.match)
		n.lead.dirty = true
	}
}
