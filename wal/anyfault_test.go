package wal

import (
	"errors"
	"fmt"
	"path"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// anyFaultSeeds is how many lives TestAnyFaultAfterAnyHistory damages.
const anyFaultSeeds = 60

// TestAnyFaultAfterAnyHistory lives random lives and kills each at some moment;
// then it damages every block of the log that something proves, and every block
// of super, one at a time and in several ways. Open must refuse, or have lost
// nothing. What nothing proves yet, the newest batch, may lose its entries, but no
// term and no vote.
func TestAnyFaultAfterAnyHistory(t *testing.T) {
	refused, whole, lives := 0, 0, anyFaultSeeds/crashStride
	for seed := range uint64(lives) {
		d := newDriver(seed)
		if err := d.run(3 + d.rng.IntN(60)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		d.fs.Kill()
		for _, f := range d.faults(t) {
			what := fmt.Sprintf("seed %d, %s", seed, f.what)
			fs := d.fs.Clone()
			must(t, f.apply(fs))
			if d.survives(t, what, fs, f.proven) {
				whole++
			} else {
				refused++
			}
		}
	}
	t.Logf("%d lives, %d faults refused, %d without loss", lives, refused, whole)
	if refused < 10*lives || whole < 10*lives {
		t.Errorf("%d faults refused, %d without loss", refused, whole)
	}
}

// anyFault is one thing that a disk does to one block.
type anyFault struct {
	what   string
	proven bool
	apply  func(*disk.Mem) error
}

// faults lists what can be done to the blocks of the log and of super.
func (d *driver) faults(t *testing.T) (list []anyFault) {
	report, err := Verify(d.fs.Clone(), testDir)
	must(t, err)
	rows, err := List(d.fs.Clone(), testDir)
	must(t, err)
	for _, r := range rows {
		seq, isSegment := parseName(r.Name, segmentSuffix)
		if r.Role != "segment" && r.Role != "super" {
			continue
		}
		for b := range uint32(r.Bytes / blockBytes) {
			proven := !isSegment || (Pos{seq, b}).Before(report.Proven)
			list = append(list, blockFaults(d, path.Join(testDir, r.Name), b, proven)...)
		}
	}
	return list
}

func blockFaults(d *driver, name string, b uint32, proven bool) []anyFault {
	off, other := int64(b)*blockBytes, int64(d.rng.IntN(3))*blockBytes
	sector := off + int64(d.rng.IntN(8))*512
	label := fmt.Sprintf("%s block %d ", path.Base(name), b)
	return []anyFault{
		{label + "zeroed", proven, func(fs *disk.Mem) error { return fs.Zero(name, off, blockBytes) }},
		{label + "with a sector zeroed", proven, func(fs *disk.Mem) error { return fs.Zero(name, sector, 512) }},
		{label + "overwritten", proven, func(fs *disk.Mem) error { return fs.Misdirect(name, other, name, off, blockBytes) }},
	}
}

// survives opens a damaged log; false: it refused.
func (d *driver) survives(t *testing.T, what string, fs *disk.Mem, proven bool) bool {
	t.Helper()
	o := d.o
	o.FS = fs
	l, rec, err := Open(o)
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrAmnesiac) {
		return false
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	m := &d.acked
	if rec.HardState.Term < m.hard.Term || rec.HardState.Term == m.hard.Term && rec.HardState.Vote != m.hard.Vote {
		t.Errorf("%s: hard state %+v, was %+v", what, rec.HardState, m.hard)
	}
	if !proven {
		return true
	}
	first := max(rec.First, m.first())
	if rec.Last != m.last().Index || rec.First > max(m.first(), rec.Snapshot.Last.Index+1) {
		t.Errorf("%s: log %d to %d with a snapshot at %v, was %d to %v", what, rec.First, rec.Last, rec.Snapshot.Last, m.first(), m.last())
		return true
	}
	got, err := l.Read(first, rec.Last, 1<<30)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	var want []raft.Entry
	if first <= rec.Last {
		want = m.entries[first-m.first():]
	}
	if err := sameEntries(got, want); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return true
}
