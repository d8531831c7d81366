package wal

import (
	"errors"
	"path"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// lastMark is a member that was killed when its newest batch was one that proves
// the batch before it, while super knew of neither: the moment in which one
// damaged batch has a single witness.
type lastMark struct {
	fs      *disk.Mem
	o       Options
	entries []raft.Entry
	name    string // of the newest segment
	// at are the places of the batches of entries, in it or the one before.
	at []Pos
}

func newLastMark(t *testing.T) (*lastMark, *Log) {
	t.Helper()
	m := &lastMark{fs: disk.NewMem(), entries: entries(1, 3, 1, 300)}
	m.o = testOptions(m.fs)
	m.o.SegmentBytes = 64 << 10
	mustCreate(t, m.o)
	l, _ := mustOpen(t, m.o)
	must(t, l.RunJobs())
	for i := range m.entries {
		m.at = append(m.at, Pos{l.current().seq, l.block})
		appendEntries(t, l, m.entries[i:i+1])
	}
	m.name = path.Join(testDir, segmentName(l.current().seq))
	return m, l
}

// refused wants a start that names the entry, and changes nothing.
func (m *lastMark) refused(t *testing.T, what string, i raft.Index) {
	t.Helper()
	before := m.fs.Clone()
	_, rec, err := Open(m.o)
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) {
		t.Errorf("%s: open: %v, %v; want a refusal", what, rec, err)
		return
	}
	sameDisk(t, before, m.fs)
	if i == 0 {
		return
	}
	if len(corrupt.Faults) != 1 || corrupt.Faults[0].First > i || corrupt.Faults[0].Last < i {
		t.Errorf("%s: faults %v, want entry %d", what, corrupt.Faults, i)
	}
}

// TestLostBeforeLastMark: the mark itself is proven by nothing, but it proves
// that the batch before it was durable. Both mustn't be cut as a torn tail.
func TestLostBeforeLastMark(t *testing.T) {
	m, l := newLastMark(t)
	must(t, l.Idle())
	m.fs.Kill()
	must(t, m.fs.Zero(m.name, m.at[2].Offset(), blockBytes))
	m.refused(t, "the last entry's batch zeroed", 3)

	m, l = newLastMark(t)
	must(t, l.Idle())
	m.fs.Kill()
	must(t, m.fs.Misdirect(m.name, m.at[0].Offset(), m.name, m.at[2].Offset(), blockBytes))
	m.refused(t, "the last entry's batch overwritten by another", 3)
}

// TestLostVoteBeforeLastMark loses the batch that a vote was written in. The
// mark behind it repeats term and vote: nothing is forgotten, now or later.
func TestLostVoteBeforeLastMark(t *testing.T) {
	m, l := newLastMark(t)
	vote := raft.HardState{Term: 7, Vote: 2}
	at := int64(l.block) * blockBytes
	must(t, l.Append(&raft.Persist{HardState: vote, MustSync: true}))
	must(t, l.Idle())
	m.fs.Kill()
	must(t, m.fs.Zero(m.name, at, blockBytes))
	for start := range 3 {
		l, rec := mustOpen(t, m.o)
		if rec.HardState != vote || rec.Last != 3 || start == 0 && len(rec.Damage) != 1 {
			t.Fatalf("start %d: %s, damage %v; want %v and 3 entries", start, brief(rec), rec.Damage, vote)
		}
		got, err := l.Read(1, 3, 1<<20)
		must(t, err)
		must(t, sameEntries(got, m.entries))
		m.fs.Kill()
	}
}

// TestLostBeforeOpen loses the last batch of a segment whose successor has one
// batch only, the open: its link proves it, and nothing proves the open.
func TestLostBeforeOpen(t *testing.T) {
	m, l := newLastMark(t)
	first := l.current().seq
	for i := raft.Index(4); l.current().seq == first; i++ {
		m.entries = append(m.entries, entry(i, 1, 300))
		m.at = append(m.at, Pos{first, l.block})
		appendEntries(t, l, m.entries[i-1:])
	}
	m.fs.Kill()
	lost := len(m.at) - 2 // the last one went into the open
	must(t, m.fs.Zero(m.name, m.at[lost].Offset(), blockBytes))
	m.refused(t, "the last batch before a link zeroed", raft.Index(lost+1))
}

// TestLostBeforeTorn: what proves the lost batch is the header of one that was
// being written when the power went. Super's floor is older, so it doesn't tell
// what the log held there.
func TestLostBeforeTorn(t *testing.T) {
	m, _ := newLastMark(t)
	m.fs.Kill()
	must(t, m.fs.Zero(m.name, m.at[1].Offset(), blockBytes))
	must(t, m.fs.Zero(m.name, m.at[2].Offset()+headerBytes, blockBytes-2*headerBytes))
	m.refused(t, "a batch zeroed, the next one torn behind its header", 0)
}

// TestShortNewest cuts the newest segment below super's floor. What it held up
// to the floor may be known; what came behind it, votes too, is not.
func TestShortNewest(t *testing.T) {
	for _, cut := range []string{"the last mark", "a vote behind the floor", "all but the header", "the file"} {
		m, l := newLastMark(t)
		if cut == "a vote behind the floor" {
			l.Checkpoint()
			must(t, l.RunJobs())
			must(t, l.Append(&raft.Persist{HardState: raft.HardState{Term: 7, Vote: 2}, MustSync: true}))
			must(t, l.Idle())
		} else {
			must(t, l.Idle())
			l.Checkpoint()
			must(t, l.RunJobs())
		}
		end := l.super.floor.At.Offset()
		m.fs.Kill()
		switch cut {
		case "the last mark":
			must(t, m.fs.Cut(m.name, end-blockBytes))
		case "a vote behind the floor":
			must(t, m.fs.Cut(m.name, end-1))
		case "all but the header":
			must(t, m.fs.Cut(m.name, blockBytes))
		default:
			must(t, m.fs.Delete(m.name))
		}
		m.refused(t, cut+" cut off", 0)
	}
}
