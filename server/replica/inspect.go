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
