package wal

import (
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
)

// Compact tells the log that a durable snapshot exists and that entries below
// first are not needed any more. meta describes the oldest snapshot that is
// kept, never an older one than before; first is at most one above its last
// entry. Entries below first can't be
// read from now on, though a later Open may find some of them again: whole
// segments are dropped, and only after super with the new start is durable.
func (l *Log) Compact(meta raft.SnapshotMeta, first raft.Index) error {
	if err := l.usable(); err != nil {
		return err
	}
	if first > meta.Last.Index+1 || !l.state.holds(meta.Last) || meta.Last.Index < l.state.snapshot.Last.Index {
		panic(fmt.Sprintf("wal: compact below %d for a snapshot at %v after %v, log (%v, %v]", first, meta.Last, l.state.snapshot.Last, l.state.prev, l.state.last))
	}
	l.state.snapshot = meta
	l.state.compact(first)
	for _, s := range l.segments {
		if s.base < first && s.seq > l.super.start {
			l.super.start = s.seq
		}
	}
	l.stats.BytesSinceSnapshot = 0
	l.due.super = true
	return nil
}
