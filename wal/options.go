package wal

import (
	"fmt"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Options of a log. FS, Dir and Salt must be set.
type Options struct {
	FS disk.FS
	// Dir is the log's own directory; LOCK lies in it too.
	Dir string
	// SegmentBytes is the size of a segment, a multiple of 4096 and at least
	// SegmentBytesMin; 0 means SegmentBytesDefault.
	SegmentBytes int64
	// Salt draws a random number for each segment. It need not be secret, only
	// never the same twice.
	Salt func() uint64
	// Policy says when batches are synced.
	Policy Policy
	// TailBytes bounds the entries that Open returns in Recovered.Tail; 0 means
	// TailBytesDefault.
	TailBytes int
	// SparesMax bounds the segments kept for recycling; 0 means SparesDefault.
	SparesMax int
}

const (
	// TailBytesDefault is about what raft keeps in memory of its log.
	TailBytesDefault = 8 << 20
	// SparesDefault is enough that a steady log never makes a new file.
	SparesDefault = 4
)

func (o Options) withDefaults() (Options, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = SegmentBytesDefault
	}
	if o.TailBytes == 0 {
		o.TailBytes = TailBytesDefault
	}
	if o.SparesMax == 0 {
		o.SparesMax = SparesDefault
	}
	switch {
	case o.FS == nil || o.Dir == "" || o.Salt == nil:
		return o, fmt.Errorf("wal: options need FS, Dir and Salt")
	case o.SegmentBytes < SegmentBytesMin || o.SegmentBytes%blockBytes != 0 || o.SegmentBytes > batchBytesMax:
		return o, fmt.Errorf("wal: segment size %d: want a multiple of %d from %d to %d",
			o.SegmentBytes, blockBytes, SegmentBytesMin, batchBytesMax)
	}
	return o, nil
}

// Identity says whose log this is. It never changes.
type Identity struct {
	Cluster     uint64
	Member      uint64
	Incarnation raft.Incarnation
}

// Recovered is what Open found. Everything in it is durable.
type Recovered struct {
	Identity
	// Boot counts the starts, this one included, from 1.
	Boot      uint64
	HardState raft.HardState
	// Snapshot is the oldest that the log depends on: the log continues it
	// without a gap. At a first start it is what Create was given. Its
	// configuration may be empty where only the snapshot file has it.
	Snapshot raft.SnapshotMeta
	// First and Last bound the log; First = Last+1 if it is empty.
	First, Last raft.Index
	// Prev is the identity of the entry before First.
	Prev raft.EntryID
	// Terms lists the first entry of each term in the log.
	Terms []raft.EntryID
	// Configs lists the configuration entries in the log.
	Configs []raft.ConfigAt
	// Tail holds the newest entries, contiguous up to Last; at least the last
	// one, and more up to Options.TailBytes.
	Tail []raft.Entry
	// Peers is what was remembered of the other members.
	Peers []PeerMark
	// Active is the newest configuration that super remembers.
	Active raft.ConfigAt
	// Torn tells of a tail that was cut; nil if there was none.
	Torn *Torn
	// Damage lists damaged places that cost nothing, for the operator.
	Damage []Damage
}

// NeedsReset reports whether a snapshot that lies on disk was installed without
// the log being told: the crash came between the two. The caller completes it
// by appending a Persist with Reset set to it.
func (r *Recovered) NeedsReset(s raft.SnapshotMeta) bool {
	st := state{prev: r.Prev, last: raft.EntryID{Index: r.Last}, terms: r.Terms}
	return s.Last.Index > r.Snapshot.Last.Index && !st.holds(s.Last)
}
