package raft

import (
	"fmt"
	"slices"
)

// writer is the conversation with the driver's log. What must become durable
// collects here; Output hands it out as one numbered write when the log is
// idle; Persisted brings the number back.
//
// A number, not an index, names a write: when entry 7@2 was on its way to the
// disk and 7@3 has replaced it in memory since, "7 is durable" would vouch for
// an entry that isn't. So each write remembers up to where it still counts,
// and truncation lowers that.
//
// Invariants:
//  1. persisted < next ≤ last+1.
//  2. Entries up to persisted are durable here, as they are in memory.
//  3. after and held hold messages that rest on what is not durable yet.
type writer struct {
	issued  Write
	durable HardState // in the last write acknowledged
	handed  HardState // in the last write handed out

	next     Index // the first entry not handed out
	truncate Index // not 0: the log on disk must be cut here first
	reset    *SnapshotMeta
	after    []Message
	// commitDue: the commit index alone is worth a write now. idleTicks counts
	// towards that.
	commitDue bool
	idleTicks int

	inflight  []writeRecord
	held      []heldMessage
	persisted Index
}

type writeRecord struct {
	write Write
	last  Index // of its entries
	upTo  Index // what it still vouches for
	hard  HardState
	reset *SnapshotMeta
}

// heldMessage leaves when a write that is already on its way is durable.
type heldMessage struct {
	write   Write
	message Message
}

func (w *writer) start(h HardState, last Index) {
	w.durable, w.handed = h, h
	w.next, w.persisted = last+1, last
}

// needsPersist reports whether there is something to write.
func (n *Node) needsPersist() bool {
	return n.mustPersist() || len(n.writer.after) > 0 || n.writer.commitDue && n.log.commit > n.writer.handed.Commit
}

// mustPersist reports whether something other than the commit index waits.
func (n *Node) mustPersist() bool {
	w := &n.writer
	return w.handed.Term != n.term || w.handed.Vote != n.vote ||
		w.next <= n.log.last() || w.truncate != 0 || w.reset != nil
}

// tickCommit makes a commit index that nothing else carries to the disk due,
// at most once a heartbeat interval: commit is an optimisation (it tells a
// restarted member what it may apply at once), not worth a write each.
func (n *Node) tickCommit() {
	w := &n.writer
	if w.idleTicks++; w.idleTicks >= n.cfg.HeartbeatTicks {
		w.idleTicks = 0
		w.commitDue = n.log.commit > w.handed.Commit
	}
}

// takePersist puts all that waits into one write; nil if nothing does.
func (n *Node) takePersist() *Persist {
	if !n.needsPersist() {
		return nil
	}
	w := &n.writer
	p := &Persist{
		HardState: HardState{Term: n.term, Vote: n.vote, Commit: n.log.commit},
		Reset:     w.reset, Truncate: w.truncate, After: w.after, MustSync: n.mustPersist() || len(w.after) > 0,
	}
	if w.next <= n.log.last() {
		p.Entries = n.log.tail.slice(w.next, n.log.last())
		p.Configs = n.configs.from(w.next)
	}
	w.issued++
	p.Write = w.issued
	w.inflight = append(w.inflight, writeRecord{
		write: w.issued, last: n.log.last(), upTo: n.log.last(), hard: p.HardState, reset: w.reset,
	})
	w.handed, w.next = p.HardState, n.log.last()+1
	w.reset, w.truncate, w.after, w.commitDue, w.idleTicks = nil, 0, nil, false, 0
	return p
}

// Persisted tells that the write w and all before it are durable. Writes are
// acknowledged in order; an old number again is ignored.
func (n *Node) Persisted(write Write) {
	w := &n.writer
	if write > w.issued {
		panic(fmt.Sprintf("raft: write %d persisted, %d issued", write, w.issued))
	}
	for len(w.inflight) > 0 && w.inflight[0].write <= write {
		r := w.inflight[0]
		w.inflight = w.inflight[1:]
		n.writeDone(r)
	}
	k := 0
	for k < len(w.held) && w.held[k].write <= write {
		n.out.Send = append(n.out.Send, w.held[k].message)
		k++
	}
	w.held = w.held[k:]
	n.countOwnVote()
	n.advanceLeaderCommit()
	n.settle()
}

func (n *Node) writeDone(r writeRecord) {
	w := &n.writer
	w.durable = r.hard
	if r.reset != nil {
		n.applier.resetDurable(*r.reset)
	}
	if r.upTo < r.last {
		n.event(EventWriteSuperseded, ReasonNone, 0, r.upTo+1)
	}
	w.persisted = max(w.persisted, r.upTo)
}

// truncated notes that the entries from index from on are gone from memory.
// Those not handed out are simply forgotten; the others have to be cut from the
// disk, and no longer count, durable or not.
func (w *writer) truncated(from Index) {
	if from < w.next {
		w.next = from
		if w.truncate == 0 || from < w.truncate {
			w.truncate = from
		}
	}
	w.persisted = min(w.persisted, from-1)
	for k := range w.inflight {
		w.inflight[k].upTo = min(w.inflight[k].upTo, from-1)
	}
	w.dropAcks(from)
}

// replaced notes that the log was replaced by a snapshot's position.
func (w *writer) replaced(meta SnapshotMeta) {
	w.next, w.truncate, w.reset, w.persisted = meta.Last.Index+1, 0, &meta, 0
	for k := range w.inflight {
		w.inflight[k].upTo = 0
	}
	w.dropAcks(0)
}

// dropAcks withdraws what was to acknowledge entries that are gone.
func (w *writer) dropAcks(from Index) {
	gone := func(m *Message) bool { return m.Type == AppendEntriesReply && !m.Reject && m.Match >= from }
	w.after = slices.DeleteFunc(w.after, func(m Message) bool { return gone(&m) })
	w.held = slices.DeleteFunc(w.held, func(h heldMessage) bool { return gone(&h.message) })
}

// dropUnsent withdraws the messages of an older term: nobody needs them.
func (w *writer) dropUnsent() { w.after, w.held = nil, nil }

// sendDurable sends m once all that this member has decided so far is durable:
// acknowledgements of entries.
func (n *Node) sendDurable(m Message) {
	w := &n.writer
	switch m = n.stamp(m); {
	case n.mustPersist():
		w.after = coalesce(w.after, m)
	case len(w.inflight) > 0:
		w.held = append(w.held, heldMessage{w.issued, m})
	default:
		n.out.Send = append(n.out.Send, m)
	}
}

// sendInTerm sends m once the term and the vote are durable: votes, and
// whatever else tells that this member has reached its term. It doesn't wait for
// entries, so heartbeats and reads are as quick under load as without.
func (n *Node) sendInTerm(m Message) {
	w := &n.writer
	switch m = n.stamp(m); {
	case w.durable.Term == n.term && w.durable.Vote == n.vote:
		n.out.Send = append(n.out.Send, m)
	case w.handed.Term == n.term && w.handed.Vote == n.vote:
		w.held = append(w.held, heldMessage{w.issued, m})
	default:
		w.after = append(w.after, m)
	}
}

// coalesce appends m, or lets it take the place of the last message if that
// acknowledged less to the same leader: one write, one acknowledgement.
func coalesce(ms []Message, m Message) []Message {
	if k := len(ms) - 1; k >= 0 && m.Type == AppendEntriesReply && !m.Reject {
		if l := &ms[k]; l.Type == m.Type && l.To == m.To && l.Term == m.Term && !l.Reject {
			l.Match = max(l.Match, m.Match)
			return ms
		}
	}
	return append(ms, m)
}

// settle lets entries that are applied and durable leave memory.
func (n *Node) settle() {
	n.log.tail.settle(min(n.applier.applied, n.writer.persisted), n.cfg.TailEntriesMax, n.cfg.TailBytesMax)
}
