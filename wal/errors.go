package wal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Errors of this package; test with errors.Is.
var (
	// ErrFailed: a write or sync failed earlier. What the files hold is not
	// known, so the log takes nothing any more; the process must end and
	// recover (ATC'20). The first cause is in the chain.
	ErrFailed = errors.New("wal: the disk failed; restart to recover")
	// ErrNoSpace: no room to prepare the next segment. Nothing was written and
	// nothing is lost; the call may be repeated when there is room.
	ErrNoSpace = disk.ErrNoSpace
	// ErrCompacted: the entry was dropped, a snapshot holds its effect.
	ErrCompacted = errors.New("wal: entry was compacted")
	// ErrCorrupt: durable data is damaged; the chain holds a *CorruptError.
	ErrCorrupt = errors.New("wal: corrupt")
	// ErrAmnesiac: super is lost though a log exists, so the member can't know
	// what it promised. It must not vote under its old incarnation.
	ErrAmnesiac = errors.New("wal: super is lost though a log exists")
	// ErrNew: there is neither super nor log; call Create first.
	ErrNew = errors.New("wal: no log here yet")
	// ErrExists: Create found a member's log.
	ErrExists = errors.New("wal: a log exists already")
	// ErrVersion: the files were written by a newer release.
	ErrVersion = errors.New("wal: unknown format version")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("wal: closed")
)

// Fault is a range of entries that can't be read though it was durable.
type Fault struct {
	// File and Offset tell where the damage begins.
	File   string
	Offset int64
	// First and Last bound the entries, inclusive.
	First, Last raft.Index
	// Terms holds the terms of First..Last where all are known: then the
	// entries can be fetched by identity. Empty: unknown identity.
	Terms []raft.Term
	// CRCs holds the entries' checksums where they are known.
	CRCs []uint32
}

// Known reports whether the identity of every entry of the range is known.
func (f Fault) Known() bool { return len(f.Terms) > 0 }

// String prints the range for people.
func (f Fault) String() string {
	id := "identity unknown"
	if f.Known() {
		id = fmt.Sprintf("terms %d to %d", f.Terms[0], f.Terms[len(f.Terms)-1])
	}
	return fmt.Sprintf("%s at byte %d: entries %d to %d (%s)", f.File, f.Offset, f.First, f.Last, id)
}

// CorruptError tells that entries which were durable can't be read any more.
// errors.Is(err, ErrCorrupt) holds.
type CorruptError struct {
	Dir string
	// Reason is set where no range of entries can be named.
	Reason string
	Faults []Fault
	// Damage lists every damaged place that was met, harmless ones too.
	Damage []Damage
}

// Error names files, offsets, indexes, and what to do about them.
func (e *CorruptError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "wal: corrupt log in %s", e.Dir)
	if e.Reason != "" {
		fmt.Fprintf(&b, ": %s", e.Reason)
	}
	for _, f := range e.Faults {
		fmt.Fprintf(&b, "; %v", f)
	}
	b.WriteString("; nothing was changed. What to do: in a cluster, remove this member and add it again with an" +
		" empty directory; alone, restore from a backup, or keep the files and look at them with `holdfast wal verify`")
	return b.String()
}

// Unwrap makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// Damage is a damaged place, harmful or not.
type Damage struct {
	File   string
	Offset int64
	Bytes  int64
	What   string
}

// String prints the place on one line.
func (d Damage) String() string {
	return fmt.Sprintf("%s [%d,+%d): %s", d.File, d.Offset, d.Bytes, d.What)
}

// Torn describes a tail that was being written when the machine stopped. It
// was never acknowledged and has been cut.
type Torn struct {
	File   string
	Offset int64
	// Batches that are whole but stand behind the torn place.
	Batches int
}

// String prints the place on one line.
func (t Torn) String() string {
	return fmt.Sprintf("%s torn at byte %d (%d whole batches behind it were cut too)", t.File, t.Offset, t.Batches)
}
