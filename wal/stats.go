package wal

import "github.com/holdfast-db/holdfast/raft"

// Stats counts what the log did since it was opened, and how it stands.
type Stats struct {
	// Batches, Entries and Bytes were written; Bytes counts whole blocks.
	Batches, Entries, Bytes uint64
	// Syncs of segments by appends and marks; jobs are not counted.
	Syncs uint64
	// BatchEntriesMax is the largest batch.
	BatchEntriesMax int
	// BytesSinceSnapshot were written since the last Compact or reset; CountFrom
	// adds what the log held before: the measure for the next snapshot.
	BytesSinceSnapshot uint64
	// Segments of the log, Spares that wait for use, and whether the next
	// segment is Ready.
	Segments, Spares int
	Ready            bool
	// MadeInline counts segments that an append had to make itself.
	MadeInline uint64
	// NoSpace counts preparations that a full disk refused; Full tells that the
	// last one was. Then BytesLeft is all that can still be appended.
	NoSpace   uint64
	Full      bool
	BytesLeft int64
	// Low: the disk is full and half of the reserve of one segment is used up.
	// From here on only what makes room should be appended: alarms, revokes,
	// configurations, compactions.
	Low bool
	// RecycleErrors counts files that couldn't be renamed or removed.
	RecycleErrors uint64
	// First and Last bound the log; Synced is how far it is durable.
	First, Last raft.Index
	Synced      Pos
}

func (s *Stats) count(h *header, bytes int) {
	s.Batches++
	s.Entries += uint64(h.entries())
	s.Bytes += uint64(bytes)
	s.BytesSinceSnapshot += uint64(bytes)
	s.BatchEntriesMax = max(s.BatchEntriesMax, h.entries())
}

// CountFrom tells the log up to where the newest snapshot reaches: what the log
// holds behind it, whenever it was written, counts towards the next one. Else a
// member that is restarted again and again would never take one, or none that
// reaches beyond what its state machine has read a moment after a start.
func (l *Log) CountFrom(last raft.Index) {
	l.stats.BytesSinceSnapshot = 0
	for _, s := range l.state.spans {
		if s.last > last {
			l.stats.BytesSinceSnapshot += uint64(batchBlocks(int(s.bytes))) * blockBytes
		}
	}
}

// Stats returns the counters as they stand.
func (l *Log) Stats() Stats {
	s := l.stats
	s.Segments, s.Spares, s.Ready = len(l.segments), len(l.spares), l.ready != nil
	s.Full = l.full
	s.First, s.Last, s.Synced = l.state.first(), l.state.last.Index, l.floor.At
	if len(l.segments) > 0 {
		s.BytesLeft = int64(l.current().blocks-l.block) * blockBytes
	}
	if l.ready != nil {
		s.BytesLeft += int64(l.ready.blocks-1) * blockBytes
	}
	s.Low = s.Full && s.BytesLeft <= l.o.SegmentBytes/2
	return s
}
