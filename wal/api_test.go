package wal

import (
	"errors"
	"reflect"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

func TestOptions(t *testing.T) {
	fs := disk.NewMem()
	for name, change := range map[string]func(*Options){
		"no file system": func(o *Options) { o.FS = nil },
		"no directory":   func(o *Options) { o.Dir = "" },
		"no salt":        func(o *Options) { o.Salt = nil },
		"tiny segments":  func(o *Options) { o.SegmentBytes = 4096 },
		"odd segments":   func(o *Options) { o.SegmentBytes = SegmentBytesMin + 1 },
	} {
		o := testOptions(fs)
		change(&o)
		if err := Create(o, testID, testInitial()); err == nil {
			t.Errorf("%s: created", name)
		}
		if _, _, err := Open(o); err == nil || errors.Is(err, ErrNew) {
			t.Errorf("%s: open: %v", name, err)
		}
	}
	if fs.Ops() != 0 {
		t.Errorf("%d operations with bad options", fs.Ops())
	}
}

// TestCommitAloneIsNotWritten: it is an optimisation and rides along.
func TestCommitAloneIsNotWritten(t *testing.T) {
	d := newDriver(1)
	must(t, d.open())
	must(t, d.append(&raft.Persist{HardState: raft.HardState{Term: 1}, Entries: entries(1, 5, 1, 10), MustSync: true}))
	before := d.fs.Ops()
	must(t, d.append(&raft.Persist{HardState: raft.HardState{Term: 1, Commit: 3}}))
	if d.fs.Ops() != before {
		t.Error("a commit index alone was written")
	}
	must(t, d.restart()) // super carries it after a clean stop
	if d.acked.hard.Commit != 3 {
		t.Errorf("commit %d after a clean stop", d.acked.hard.Commit)
	}
}

// TestVoteIsSynced: a vote rides in a batch of its own if there is no other.
func TestVoteIsSynced(t *testing.T) {
	for _, mode := range []SyncMode{SyncGroup, SyncAlways, SyncInterval, SyncNone} {
		d := newDriver(2)
		d.o.Policy.Mode = mode
		must(t, d.open())
		must(t, d.append(&raft.Persist{HardState: raft.HardState{Term: 4, Vote: 2}, MustSync: true}))
		d.fs = d.fs.Crash(d.rng, disk.CrashOptions{DropAll: true})
		must(t, d.open())
	}
}

// TestMarkProvesOnce: idleness costs one mark, not one every 20 ms.
func TestMarkProvesOnce(t *testing.T) {
	d := newDriver(3)
	must(t, d.open())
	must(t, d.append(d.randomAppend())) // begins a term, so it has its mark
	must(t, d.append(d.randomAppend()))
	before := d.log.Stats().Batches
	for range 5 {
		must(t, d.log.Idle())
	}
	if n := d.log.Stats().Batches - before; n != 1 {
		t.Errorf("%d marks", n)
	}
	must(t, d.append(d.randomAppend()))
	d.log.Checkpoint()
	must(t, d.log.RunJobs())
	before = d.log.Stats().Batches
	must(t, d.log.Idle()) // super has proven it already
	if n := d.log.Stats().Batches - before; n != 0 {
		t.Errorf("%d marks after super was written", n)
	}
}

func TestReadBounds(t *testing.T) {
	fs := disk.NewMem()
	o := testOptions(fs)
	o.SegmentBytes = 1 << 20
	mustCreate(t, o)
	l, _ := mustOpen(t, o)
	all := entries(1, 40, 1, 1000)
	appendEntries(t, l, all[:1])
	appendEntries(t, l, all[1:20])
	appendEntries(t, l, append([]raft.Entry(nil), all[20:]...))
	big := entries(41, 45, 1, 50_000) // a table and data beyond the first read
	appendEntries(t, l, big)
	for _, c := range []struct {
		from, to  raft.Index
		max, want int
	}{
		{1, 40, 1 << 20, 40}, {1, 40, 1, 1}, {1, 40, 1000, 1}, {1, 40, 2500, 2}, {20, 22, 1 << 20, 3},
		{2, 20, 1 << 20, 19}, {40, 99, 1010, 1}, {45, 99, 1, 1}, {42, 44, 1 << 20, 3}, {42, 44, 100_000, 2}, {46, 50, 1 << 20, 0},
		{5, 4, 1 << 20, 0}, {5, 5, 0, 0},
	} {
		got, err := l.Read(c.from, c.to, c.max)
		if err != nil || len(got) != c.want {
			t.Errorf("read %d to %d of at most %d bytes: %d entries, %v; want %d", c.from, c.to, c.max, len(got), err, c.want)
			continue
		}
		must(t, sameEntries(got, append(all, big...)[c.from-1:][:len(got)]))
	}
	must(t, l.Compact(raft.SnapshotMeta{Last: raft.EntryID{Index: 30, Term: 1}}, 11))
	if _, err := l.Read(10, 20, 1<<20); !errors.Is(err, ErrCompacted) {
		t.Errorf("read of a compacted entry: %v", err)
	}
	wantEntries(t, l, all[10:])
	must(t, l.Close())
	if _, err := l.Read(11, 20, 1<<20); !errors.Is(err, ErrClosed) {
		t.Errorf("read of a closed log: %v", err)
	}
}

// TestTailIsBounded: a log larger than memory is recovered with a short tail.
func TestTailIsBounded(t *testing.T) {
	fs := disk.NewMem()
	o := testOptions(fs)
	o.TailBytes = 20_000
	mustCreate(t, o)
	l, _ := mustOpen(t, o)
	all := entries(1, 200, 1, 2000)
	for i := range all {
		appendEntries(t, l, all[i:i+1])
		must(t, l.RunJobs())
	}
	must(t, l.Close())
	l, rec := mustOpen(t, o)
	if n := len(rec.Tail); n < 5 || n > 10 || rec.Tail[n-1].Index != 200 || rec.First != 1 {
		t.Errorf("recovered %s", brief(rec))
	}
	wantEntries(t, l, all)
}

// TestMissingReset: the snapshot file was durable, the reset was not written.
func TestMissingReset(t *testing.T) {
	d := newDriver(4)
	must(t, d.open())
	must(t, d.append(&raft.Persist{HardState: raft.HardState{Term: 2}, Entries: entries(1, 5, 1, 10), MustSync: true}))
	must(t, d.log.Close())
	l, rec := mustOpen(t, d.o)
	for id, want := range map[raft.EntryID]bool{
		{Index: 3, Term: 1}: false, // the log goes through it
		{Index: 5, Term: 1}: false,
		{Index: 5, Term: 2}: true, // another history
		{Index: 9, Term: 2}: true,
		{Index: 0, Term: 0}: false,
	} {
		if got := rec.NeedsReset(raft.SnapshotMeta{Last: id}); got != want {
			t.Errorf("snapshot at %v: needs a reset: %v", id, got)
		}
	}
	snap := raft.SnapshotMeta{Last: raft.EntryID{Index: 9, Term: 2}, Config: raft.ConfigAt{At: raft.EntryID{Index: 7, Term: 1}, Config: testConfig(2)}}
	must(t, l.Append(&raft.Persist{HardState: raft.HardState{Term: 2, Commit: 9}, Reset: &snap, MustSync: true}))
	d.fs = d.fs.Crash(d.rng, disk.CrashOptions{DropAll: true}) // before super tells
	o := d.o
	o.FS = d.fs
	_, rec = mustOpen(t, o)
	if !reflect.DeepEqual(rec.Snapshot, snap) || rec.First != 10 || rec.Last != 9 || rec.HardState.Commit != 9 || rec.NeedsReset(snap) {
		t.Errorf("recovered %s, snapshot %+v", brief(rec), rec.Snapshot)
	}
}

func TestPeersAndActiveConfig(t *testing.T) {
	d := newDriver(5)
	must(t, d.open())
	peers := []PeerMark{{ID: 2, Incarnation: 9, Boot: 3, Nonce: 8, Term: 4, Match: 77}, {ID: 3, Boot: 1}}
	d.log.SetPeers(peers)
	e := seal(raft.Entry{Index: 1, Term: 1, Type: raft.EntryConfig, Data: raft.AppendConfiguration(nil, testConfig(5))})
	must(t, d.append(&raft.Persist{HardState: raft.HardState{Term: 1}, Entries: []raft.Entry{e}, MustSync: true}))
	if must(t, d.log.RunJobs()); !d.log.Remembers(2) || d.log.Remembers(4) {
		t.Error("super, as written, tells of members 2 and 3")
	}
	must(t, d.log.Close())
	l, rec := mustOpen(t, d.o)
	if !reflect.DeepEqual(rec.Peers, peers) {
		t.Errorf("peers %+v", rec.Peers)
	}
	if rec.Active.At != e.ID() || len(rec.Active.Config.Members) != 5 || len(rec.Configs) != 1 {
		t.Errorf("active %+v, configurations %+v", rec.Active, rec.Configs)
	}
	must(t, l.Close())
}

// TestCloseWaitsForJobs: a job that is out still owns its files.
func TestCloseWaitsForJobs(t *testing.T) {
	d := newDriver(6)
	must(t, d.open())
	j := d.log.Job()
	if j == nil {
		t.Fatal("nothing to do after a start")
	}
	if other := d.log.Job(); other != nil && other.Kind == j.Kind {
		t.Errorf("two jobs of kind %v at once", j.Kind)
	}
	if err := d.log.Close(); err == nil {
		t.Error("closed under a running job")
	}
}

// TestRollsAreReadyInTime: with jobs run between appends no append makes a
// segment itself, and after compaction no new file is needed.
func TestRollsAreReadyInTime(t *testing.T) {
	d := newDriver(7)
	d.o.SparesMax = 6 // what one compaction frees here
	must(t, d.open())
	must(t, d.log.RunJobs())
	inline := d.log.Stats().MadeInline
	created := 0
	for i := range 400 {
		if i == 100 {
			d.fs.OnOp(func(op disk.Op, _ error) {
				if op.Kind == disk.OpCreate {
					created++
				}
			})
		}
		last := d.acked.last()
		hs := raft.HardState{Term: 1, Commit: last.Index}
		must(t, d.append(&raft.Persist{HardState: hs, Entries: entries(last.Index+1, last.Index+3, 1, 100), MustSync: true}))
		if i%8 == 7 {
			must(t, d.log.Compact(raft.SnapshotMeta{Last: last}, last.Index+1))
		}
		must(t, d.log.RunJobs())
	}
	if n := d.log.Stats().MadeInline - inline; n != 0 {
		t.Errorf("%d segments were made while an append waited", n)
	}
	if created > 0 {
		t.Errorf("%d files were created where spares should do", created)
	}
}

// TestSegmentsOutliveSuper: until super with the new start is durable, the
// segments before it are still part of the log, however eager the other jobs are.
func TestSegmentsOutliveSuper(t *testing.T) {
	for steps := range 4 { // of the super job, before the power goes
		d := newDriver(8)
		must(t, d.open())
		for range 20 {
			last := d.acked.last()
			hs := raft.HardState{Term: 1, Commit: last.Index}
			must(t, d.append(&raft.Persist{HardState: hs, Entries: entries(last.Index+1, last.Index+3, 1, 100), MustSync: true}))
			must(t, d.log.RunJobs())
		}
		meta := raft.SnapshotMeta{Last: d.acked.id(d.acked.hard.Commit), Config: testInitial().Config}
		must(t, d.log.Compact(meta, meta.Last.Index+1))
		d.acked.compact(meta, meta.Last.Index+1)
		super := d.log.Job()
		if super.Kind != JobSuper {
			t.Fatalf("a job of kind %v comes before super", super.Kind)
		}
		for range steps {
			super.Step()
		}
		for j := d.log.Job(); j != nil; j = d.log.Job() {
			for !j.Step() {
			}
			must(t, d.log.Finish(j))
		}
		for seed := range uint64(20) {
			f := d.fork(seed)
			f.fs = f.fs.Crash(f.rng, disk.CrashOptions{})
			if err := f.open(); err != nil {
				t.Fatalf("%d steps of super, crash %d: %v", steps, seed, err)
			}
		}
	}
}
