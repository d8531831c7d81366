package wal

import (
	"errors"
	"fmt"
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

// TestShortNewest cuts the newest segment. What it held up to super's floor may be
// known; what came behind it, votes too, is not.
func TestShortNewest(t *testing.T) {
	for _, where := range []string{"behind the floor", "at the floor", "before the last mark", "behind the header", "in the header", "the file"} {
		m, l := newLastMark(t)
		must(t, l.Idle())
		l.Checkpoint()
		must(t, l.RunJobs())
		floor := l.super.floor.At.Offset()
		must(t, l.Append(&raft.Persist{HardState: raft.HardState{Term: 7, Vote: 2}, MustSync: true}))
		must(t, l.Idle())
		m.fs.Kill()
		switch where {
		case "behind the floor":
			must(t, m.fs.Cut(m.name, floor+1))
		case "at the floor":
			must(t, m.fs.Cut(m.name, floor))
		case "before the last mark":
			must(t, m.fs.Cut(m.name, floor-blockBytes))
		case "behind the header":
			must(t, m.fs.Cut(m.name, blockBytes))
		case "in the header":
			must(t, m.fs.Cut(m.name, blockBytes-1))
		default:
			must(t, m.fs.Delete(m.name))
		}
		m.refused(t, "cut "+where, 0)
	}
}

// TestShortBeginning cuts all that the newest segment held, when super's floor is
// still in the one before. It is no file that was prepared and not used: those are
// as long as they were made.
func TestShortBeginning(t *testing.T) {
	for _, left := range []int64{0, 100, blockBytes, blockBytes + 100} {
		m, l := newLastMark(t)
		first := l.current().seq
		for i := raft.Index(4); l.current().seq == first; i++ {
			appendEntries(t, l, []raft.Entry{entry(i, 1, 300)})
		}
		if l.super.floor.At.Seq != first {
			t.Fatalf("the floor is at %v", l.super.floor.At)
		}
		m.fs.Kill()
		must(t, m.fs.Cut(path.Join(testDir, segmentName(l.current().seq)), left))
		m.refused(t, fmt.Sprintf("cut to %d bytes", left), 0)
	}
}

// TestSizeUnknown cuts free room off a segment from before headers told the
// file's size: nothing says that it was longer, and nothing is lost.
func TestSizeUnknown(t *testing.T) {
	m, l := newLastMark(t)
	must(t, l.Idle())
	end := int64(l.block) * blockBytes
	m.fs.Kill()
	whole := m.fs.Clone()
	must(t, m.fs.Cut(m.name, end))
	m.refused(t, "free room cut off", 0)

	s := l.current()
	old := segmentHeader{cluster: testID.Cluster, member: testID.Member, seq: s.seq, salt: s.salt}
	must(t, whole.Poke(m.name, 0, old.encode()))
	must(t, whole.Cut(m.name, end))
	m.o.FS = whole
	l, rec := mustOpen(t, m.o)
	got, err := l.Read(1, rec.Last, 1<<20)
	must(t, err)
	must(t, sameEntries(got, m.entries))
}

// TestNewTermIsWrittenTwice loses each write of an append, one at a time, as a
// disk that lies does, and kills the member at once: no term and no vote that was
// acknowledged is forgotten, whether a batch of entries brought it or none.
func TestNewTermIsWrittenTwice(t *testing.T) {
	for _, es := range [][]raft.Entry{nil, entries(4, 6, 7, 300), entries(4, 100, 7, 300)} {
		for lost := 1; lost <= 3; lost++ {
			m, l := newLastMark(t)
			must(t, l.Idle())
			m.fs.SetInjector(disk.LoseWrites(".wal", lost, 1))
			want := raft.HardState{Term: 7, Vote: 2}
			must(t, l.Append(&raft.Persist{HardState: want, Entries: es, MustSync: true}))
			m.fs.SetInjector(nil)
			m.fs.Kill()
			_, rec, err := Open(m.o)
			if errors.Is(err, ErrCorrupt) {
				continue
			}
			must(t, err)
			if rec.HardState.Term != 7 || rec.HardState.Vote != 2 {
				t.Errorf("%d entries, write %d lost: %s", len(es), lost, brief(rec))
			}
		}
	}
}
