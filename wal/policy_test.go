package wal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

func TestParsePolicy(t *testing.T) {
	good := map[string]Policy{
		"":             {},
		"group":        {Mode: SyncGroup},
		"always":       {Mode: SyncAlways},
		"none":         {Mode: SyncNone},
		"interval=2ms": {Mode: SyncInterval, Interval: 2 * time.Millisecond},
	}
	for s, want := range good {
		got, err := ParsePolicy(s)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
		if again, err := ParsePolicy(got.String()); err != nil || again != got {
			t.Errorf("%q prints as %q, which is read as %v, %v", s, got, again, err)
		}
	}
	for _, s := range []string{"often", "interval", "interval=", "interval=0s", "interval=-1ms", "interval=1h", "group=1", "none=1"} {
		if p, err := ParsePolicy(s); err == nil {
			t.Errorf("%q was read as %v", s, p)
		}
	}
}

// TestPolicies runs the same requests under each policy. All survive a kill.
// Under the safe ones all survives a power loss, under SyncNone terms and votes
// and what was written before them.
func TestPolicies(t *testing.T) {
	for _, s := range []string{"always", "group", "interval=1ms", "none"} {
		p, err := ParsePolicy(s)
		must(t, err)
		d := newDriver(3)
		d.o.Policy = p
		must(t, d.open())
		for range 30 {
			must(t, d.append(d.randomAppend()))
			must(t, d.log.Idle())
			must(t, d.log.RunJobs())
		}
		must(t, d.append(&raft.Persist{HardState: d.nextTerm(), MustSync: true}))
		moments := []model{d.acked.clone()}
		for range 3 {
			must(t, d.append(&raft.Persist{HardState: d.acked.hard, Entries: d.randomEntries(d.acked.last(), d.acked.hard.Term), MustSync: true}))
			moments = append(moments, d.acked.clone())
		}
		killed := d.fork(1)
		killed.o.Policy = p
		must(t, killed.open())
		if p.Safe() {
			moments = moments[3:]
		}
		o := d.o
		o.FS = d.fs.Crash(d.rng, disk.CrashOptions{DropAll: true})
		l, rec := mustOpen(t, o)
		if !slices.ContainsFunc(moments, func(m model) bool { return m.check(l, rec) == nil }) {
			t.Errorf("%s: after a power loss: %s", s, brief(rec))
		}
	}
}

// TestSyncNoneCutsCleanly: whatever a power loss leaves of un-synced batches, in
// any order, the log is one that it was at some moment, and never corrupt.
func TestSyncNoneCutsCleanly(t *testing.T) {
	torn := 0
	for seed := range uint64(60) {
		d := newDriver(seed)
		d.o.Policy = Policy{Mode: SyncNone}
		must(t, d.open())
		var moments []model
		for range 12 {
			moments = append(moments, d.acked.clone())
			must(t, d.append(&raft.Persist{HardState: raft.HardState{Term: 1}, Entries: d.randomEntries(d.acked.last(), 1), MustSync: true}))
		}
		moments = append(moments, d.acked)
		fs := d.fs.Crash(d.rng, disk.CrashOptions{})
		o := d.o
		o.FS = fs
		l, rec, err := Open(o)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		found := false
		for _, m := range moments {
			m.hard.Term, m.commit = rec.HardState.Term, 0
			found = found || m.check(l, rec) == nil
		}
		if !found {
			t.Errorf("seed %d: a log that never was: %s", seed, brief(rec))
		}
		if rec.Torn != nil {
			torn++
		}
	}
	if torn < 3 {
		t.Errorf("only %d of 60 power losses left a torn tail", torn)
	}
}

// TestSuperIsSyncedBlockByBlock: two of super's blocks must never be in flight
// together, or one fault could take a version's both copies.
func TestSuperIsSyncedBlockByBlock(t *testing.T) {
	d := newDriver(4)
	inFlight, writes := 0, 0
	d.fs.OnOp(func(op disk.Op, _ error) {
		if !strings.Contains(op.Name, superName) {
			return
		}
		switch op.Kind {
		case disk.OpWrite:
			writes++
			if inFlight++; inFlight > 1 || op.Size != blockBytes {
				t.Errorf("operation %v with %d blocks in flight", op, inFlight)
			}
		case disk.OpSync:
			inFlight = 0
		}
	})
	must(t, d.run(200))
	if writes < 20 {
		t.Errorf("only %d writes", writes)
	}
}
