package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// TestFailedWriteOrSyncPoisons: after a failed write or sync the log takes
// nothing any more, not even if the disk recovers; after a restart all that was
// acknowledged is there, and after a power loss too.
func TestFailedWriteOrSyncPoisons(t *testing.T) {
	for _, kind := range []disk.OpKind{disk.OpWrite, disk.OpSync} {
		for _, count := range []int{1, disk.Times} {
			t.Run(fmt.Sprintf("%v, %d times", kind, count), func(t *testing.T) {
				d := newDriver(1)
				must(t, d.open())
				for range 5 {
					must(t, d.append(d.randomAppend()))
				}
				d.fs.SetInjector(disk.FailOn(kind, segmentSuffix, 1, count, disk.ErrIO))
				err := d.append(d.randomAppend())
				if !errors.Is(err, ErrFailed) || !errors.Is(err, disk.ErrIO) {
					t.Fatalf("append: %v", err)
				}
				poisoned(t, d)
				d.fs.SetInjector(nil)
				lossy := d.fork(1)
				lossy.fs = lossy.fs.Crash(rand.New(rand.NewPCG(1, 2)), disk.CrashOptions{DropAll: true})
				must(t, lossy.run(20))
				must(t, d.killAndOpen())
				// What a failed sync left in the page cache only was written again.
				d.fs = d.fs.Crash(rand.New(rand.NewPCG(1, 3)), disk.CrashOptions{DropAll: true})
				must(t, d.open())
			})
		}
	}
}

// poisoned wants every call refused and no operation reaching the disk.
func poisoned(t *testing.T, d *driver) {
	t.Helper()
	before := d.fs.Ops()
	calls := map[string]error{
		"append":  d.log.Append(d.randomAppend()),
		"idle":    d.log.Idle(),
		"jobs":    d.log.RunJobs(),
		"compact": d.log.Compact(testInitial(), 0),
	}
	for name, err := range calls {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("%s after a failure: %v", name, err)
		}
	}
	d.log.Checkpoint()
	if d.log.Job() != nil {
		t.Error("a job after a failure")
	}
	if n := d.fs.Ops() - before; n != 0 {
		t.Errorf("%d operations after a failure", n)
	}
	if err := d.log.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("close after a failure: %v", err)
	}
}

// TestFailedSuperPoisons: super is part of the log's promise.
func TestFailedSuperPoisons(t *testing.T) {
	for _, kind := range []disk.OpKind{disk.OpWrite, disk.OpSync} {
		d := newDriver(2)
		must(t, d.open())
		must(t, d.append(d.randomAppend()))
		d.fs.SetInjector(disk.FailOn(kind, superName, 1, 1, disk.ErrIO))
		d.log.Checkpoint()
		if err := d.log.RunJobs(); !errors.Is(err, ErrFailed) {
			t.Errorf("%v of super failed: %v", kind, err)
		}
		poisoned(t, d)
		must(t, d.killAndOpen())
	}
}

// TestFailuresAtStart: a start that fails for the disk's sake changes nothing
// that the next one would miss.
func TestFailuresAtStart(t *testing.T) {
	for _, kind := range []disk.OpKind{
		disk.OpList, disk.OpOpen, disk.OpCreate, disk.OpAllocate, disk.OpWrite, disk.OpSync, disk.OpRename, disk.OpSyncDir,
	} {
		for n := 1; n <= 4; n++ {
			d := newDriver(uint64(n))
			must(t, d.run(60))
			d.fs.Kill()
			d.fs.SetInjector(disk.FailOn(kind, "", n, 1, disk.ErrIO))
			err := d.open()
			failIfWrong(t, fmt.Sprintf("%v number %d fails", kind, n), err)
			d.fs.Kill()
			d.fs = d.fs.Crash(d.rng, disk.CrashOptions{})
			if err := d.open(); err != nil {
				t.Errorf("after %v number %d failed (%v): %v", kind, n, err, err)
			}
		}
	}
}

// TestUnreadableSector: a sector of a durable batch can't be read. The start
// refuses; a running log refuses that entry only.
func TestUnreadableSector(t *testing.T) {
	s, middle, last := newScene(t, true)
	for _, p := range []place{middle, last} {
		s.fs.SetInjector(func(op disk.Op) disk.Fault {
			if op.Kind == disk.OpRead && op.Name == p.name && op.Offset <= p.off && p.off < op.Offset+op.Size {
				return disk.Fault{Err: disk.ErrIO}
			}
			return disk.Fault{}
		})
		verdict, corrupt := s.verdict(t)
		if verdict != "refuses" {
			t.Fatalf("unreadable block: %s", verdict)
		}
		s.checkReport(t, "unreadable block", p, corrupt)
		s.fs.SetInjector(nil)
	}
	l, _ := mustOpen(t, s.o)
	must(t, s.fs.FlipBit(middle.name, (middle.off+dataAt)*8))
	var corrupt *CorruptError
	if _, err := l.Read(middle.index, middle.index, 1<<20); !errors.As(err, &corrupt) || corrupt.Faults[0].First != middle.index {
		t.Fatalf("reading a damaged entry: %v", err)
	}
	wantEntries(t, l, s.entries[:middle.index-1])
	wantEntries(t, l, s.entries[middle.index:])
	must(t, l.Close())
}

// TestNoSpace fills the disk: the segment at hand and the one that was prepared
// are the reserve; after them appends are refused, without losing or breaking
// anything, until there is room.
func TestNoSpace(t *testing.T) {
	fs := disk.NewMem()
	o := testOptions(fs)
	mustCreate(t, o)
	l, _ := mustOpen(t, o)
	must(t, l.RunJobs())
	fs.SetSpace(fs.Used() + 2*blockBytes) // room for a segment's beginning only
	var all []raft.Entry
	var err error
	low := 0 // appends that were told of the end coming
	for i := raft.Index(1); i < 100; i++ {
		e := entry(i, 1, 100)
		err = l.Append(&raft.Persist{HardState: raft.HardState{Term: 1}, Entries: []raft.Entry{e}, MustSync: true})
		if err != nil {
			break
		}
		all = append(all, e)
		must(t, l.RunJobs())
		if l.Stats().Low {
			low++
		}
	}
	if low == 0 || low == len(all) {
		t.Errorf("%d of %d appends found the reserve low", low, len(all))
	}
	if !errors.Is(err, ErrNoSpace) || errors.Is(err, ErrFailed) {
		t.Fatalf("append on a full disk: %v", err)
	}
	if len(all) < 4 {
		t.Fatalf("only %d appends fitted into the reserve", len(all))
	}
	if st := l.Stats(); !st.Full || st.NoSpace == 0 || st.BytesLeft != 0 {
		t.Fatalf("stats of a full disk: %+v", st)
	}
	wantEntries(t, l, all)
	must(t, l.Compact(raft.SnapshotMeta{Last: all[3].ID()}, 5)) // compaction needs no room
	must(t, l.RunJobs())
	fs.SetSpace(-1)
	l.Checkpoint()
	must(t, l.RunJobs())
	appendEntries(t, l, entries(raft.Index(len(all)+1), raft.Index(len(all)+3), 2, 100))
	must(t, l.Close())
	l, rec := mustOpen(t, o)
	if rec.Last != raft.Index(len(all)+3) {
		t.Fatalf("recovered %s", brief(rec))
	}
	must(t, l.Close())
}

// TestNoSpaceAtStart: a start needs a fresh segment; without room it says so
// and changes nothing.
func TestNoSpaceAtStart(t *testing.T) {
	s, _, _ := newScene(t, true)
	for _, name := range spareNames(t, s.fs) {
		must(t, s.fs.Delete(path.Join(testDir, name)))
	}
	s.fs.SetSpace(s.fs.Used())
	if _, _, err := Open(s.o); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("start on a full disk: %v", err)
	}
	s.fs.SetSpace(-1)
	if verdict, _ := s.verdict(t); verdict != "intact" {
		t.Fatalf("start with room again: %s", verdict)
	}
}

// TestStartOnAFullDisk: the segment that was prepared ahead is room enough for a
// start. A start that is cut off may need room of its own, and loses nothing.
func TestStartOnAFullDisk(t *testing.T) {
	full := disk.NewMem()
	o := testOptions(full)
	mustCreate(t, o)
	l, _ := mustOpen(t, o)
	all := entries(1, 6, 1, 100)
	appendEntries(t, l, all)
	must(t, l.RunJobs())
	must(t, l.Close())
	for _, r := range must2(List(full, testDir))(t) {
		if r.Role == "spare" {
			must(t, full.Delete(path.Join(testDir, r.Name)))
		}
	}
	full.SetSpace(full.Used())
	for stop, through := 1, false; !through; stop++ {
		run := full.Clone()
		run.SetInjector(disk.StopAt(stop))
		o.FS = run
		l, _, err := Open(o)
		if through = err == nil; through {
			_ = l.Close() // may be stopped
		} else if !errors.Is(err, disk.ErrStopped) {
			t.Fatalf("stopped at operation %d: %v", stop, err)
		}
		left := run.Crash(rand.New(rand.NewPCG(uint64(stop), 1)), disk.CrashOptions{})
		o.FS = left.Clone()
		if l, _, err = Open(o); err == nil {
			must(t, l.Close())
		} else if !errors.Is(err, ErrNoSpace) {
			t.Fatalf("after a stop at operation %d: %v", stop, err)
		}
		left.SetSpace(-1)
		o.FS = left
		l, rec := mustOpen(t, o)
		if rec.Last != 6 {
			t.Fatalf("after a stop at operation %d: recovered %s", stop, brief(rec))
		}
		wantEntries(t, l, all)
		appendEntries(t, l, entries(7, 7, 2, 100))
		must(t, l.Close())
	}
}

// must2 is must for a call with a result.
func must2[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// spareNames lists files that a start could recycle.
func spareNames(t *testing.T, fs *disk.Mem) (names []string) {
	t.Helper()
	rows, err := List(fs, testDir)
	must(t, err)
	for _, r := range rows {
		if r.Role == "spare" || r.Role == "unused" {
			names = append(names, r.Name)
		}
	}
	return names
}

// TestLostWrite: the disk acknowledges a batch and its sync and stores nothing,
// in a fresh segment (zeros stay) and in a recycled one (old batches stay).
func TestLostWrite(t *testing.T) {
	for _, recycled := range []bool{false, true} {
		fs := disk.NewMem()
		o := testOptions(fs)
		o.SegmentBytes = 64 << 10
		mustCreate(t, o)
		l, _ := mustOpen(t, o)
		i := raft.Index(1)
		put := func() {
			appendEntries(t, l, []raft.Entry{entry(i, 1, 700)})
			i++
			must(t, l.RunJobs())
		}
		for recycled && i < 100 {
			put()
			if i%40 == 0 {
				must(t, l.Compact(raft.SnapshotMeta{Last: raft.EntryID{Index: i - 1, Term: 1}}, i))
			}
		}
		for l.block < 4 || l.block > 8 {
			put()
		}
		lost := i
		fs.SetInjector(disk.LoseWrites(segmentName(l.current().seq), 1, 1))
		put()
		put()
		must(t, l.Close())
		_, _, err := Open(o)
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) {
			t.Fatalf("recycled %v: %v", recycled, err)
		}
		if f := corrupt.Faults[0]; f.First > lost || f.Last < lost {
			t.Errorf("recycled %v: lost entry %d, report says %v", recycled, lost, corrupt)
		}
	}
}

// TestRecycledContentIsNeverRead fills recycled segments only in part: the old
// batches behind the new ones must not be taken for the log, even though their
// places and CRCs are right (mutant 41: no salt).
func TestRecycledContentIsNeverRead(t *testing.T) {
	d := newDriver(5)
	must(t, d.open())
	for range 200 {
		p := d.randomAppend()
		p.Entries = p.Entries[:1]
		p.HardState.Commit = d.acked.last().Index
		must(t, d.append(p))
		must(t, d.compact())
		must(t, d.log.RunJobs())
		if d.rng.IntN(10) == 0 {
			must(t, d.killAndOpen())
		}
	}
	if st := d.log.Stats(); st.Segments > 6 {
		t.Errorf("%d segments are kept", st.Segments)
	}
	names, err := d.fs.List(testDir)
	must(t, err)
	salts := map[uint64]string{}
	for _, name := range names {
		b, err := d.fs.Peek(path.Join(testDir, name), 0, min(blockBytes, fileSize(t, d.fs, name)))
		must(t, err)
		if h, err := decodeSegmentHeader(b); err == nil && salts[h.salt] != "" {
			t.Errorf("%s and %s have the same salt", name, salts[h.salt])
		} else if err == nil {
			salts[h.salt] = name
		}
	}
	if len(salts) < 3 {
		t.Errorf("only %d salts in %v", len(salts), names)
	}
	if len(names) > 16 {
		t.Errorf("%d files are left: %v", len(names), names)
	}
}

func fileSize(t *testing.T, fs *disk.Mem, name string) int64 {
	t.Helper()
	size, err := fs.SizeOf(path.Join(testDir, name))
	must(t, err)
	return size
}

// TestRestartsDontFillTheDisk: each start begins a segment, but one that holds
// little is repeated in the next and dropped.
func TestRestartsDontFillTheDisk(t *testing.T) {
	d := newDriver(6)
	must(t, d.open())
	for i := range 60 {
		if i%2 == 0 {
			must(t, d.append(&raft.Persist{HardState: d.nextTerm(), MustSync: true}))
		}
		if i%10 == 0 {
			must(t, d.append(d.randomAppend()))
		}
		must(t, d.log.RunJobs())
		if i%3 == 0 {
			must(t, d.killAndOpen())
		} else {
			must(t, d.restart())
		}
		must(t, d.log.RunJobs())
	}
	st := d.log.Stats()
	names, err := d.fs.List(testDir)
	must(t, err)
	if st.Segments > 14 || len(names) > st.Segments+8 {
		t.Errorf("%d segments, files %v", st.Segments, names)
	}
}
