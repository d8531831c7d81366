package replica

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// What follows lets the simulator and tests look at what actors tell each
// other. A driver that only runs a Replica needs none of it.

// PersistOf returns the write that an event asks the log for, or nil.
func PersistOf(ev Event) *raft.Persist {
	if p, ok := ev.(persistEvent); ok {
		return p.Persist
	}
	return nil
}

// EntriesOf returns the committed entries that an event hands to the apply
// actor, or nil.
func EntriesOf(ev Event) []raft.Entry {
	if a, ok := ev.(applyEvent); ok {
		return a.Entries
	}
	return nil
}

// RestoreOf returns the snapshot that an event makes the apply actor restore,
// or nil.
func RestoreOf(ev Event) *raft.SnapshotMeta {
	if r, ok := ev.(restoreEvent); ok {
		return &r.Meta
	}
	return nil
}

// CompactOf returns the snapshot up to which an event makes the log move its
// start, or nil.
func CompactOf(ev Event) *raft.SnapshotMeta {
	if c, ok := ev.(compactEvent); ok {
		return &c.Meta
	}
	return nil
}

// RequestIDOf returns the identity that a request was given, or the zero one
// if it was refused before.
func RequestIDOf(r *Request) state.RequestID { return r.id }

// MessageOf returns the message of raft's that a peer's frame carries, or nil.
func MessageOf(ev Event) *raft.Message {
	if f, ok := ev.(FrameEvent); ok {
		return f.message
	}
	return nil
}

// Raft is the core's protocol state, for checks between events. Only the
// core's goroutine may use it.
func (c *Core) Raft() *raft.Node { return c.node }

// Waiting counts what a member holds for somebody, each kind by its name.
// Between events only; on an idle cluster all of it comes down to the open
// watch streams.
type Waiting struct {
	// Core: requests not proposed yet, reads without a round's answer, questions
	// to the leader, transfers under way.
	Writes, Reads, Asked, Moves int
	// Apply: requests whose outcome isn't known, reads whose index isn't applied.
	Pending, Ready int
	// Streams are watch streams, Sinks their ways out, Deadlines those of leases.
	Streams, Sinks, Deadlines int
}

// LeaseTicks returns how many of its ticks this member, if it leads, still gives
// a lease. Between events, and in a Request's Done, only.
func (r *Replica) LeaseTicks(id int64) (ticks uint64, ok bool) {
	return r.Apply.lessor.remaining(id, r.Apply.now)
}

// Waiting looks through all queues.
func (r *Replica) Waiting() Waiting {
	c, a := r.Core, r.Apply
	w := Waiting{
		Writes: len(c.writes.own) + len(c.writes.later) + len(c.writes.laterSeq) + len(c.writes.foreign) + len(c.writes.internal) +
			len(c.writes.reconfigure) + len(c.writes.refused),
		Reads: len(c.reads.waiting) + len(c.reads.round), Asked: len(c.asked.bySeq) + len(c.asked.order), Moves: len(c.moves),
		Streams: a.hub.Streams(), Sinks: len(a.sinks), Deadlines: len(a.lessor.deadline),
	}
	for seq := a.pending.low; seq < a.pending.high; seq++ {
		if a.pending.peek(seq) != nil {
			w.Pending++
		}
	}
	for i := range a.ready {
		w.Ready += len(a.ready[i].Requests)
	}
	return w
}
