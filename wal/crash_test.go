package wal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// run opens the log and does n random steps; it stops at the disk's first
// error. A wrongLog fails the test.
func (d *driver) run(n int) error {
	err := d.open()
	for i := 0; i < n && err == nil; i++ {
		err = d.step()
	}
	return err
}

func failIfWrong(t testing.TB, what string, err error) {
	t.Helper()
	if w := (wrongLog{}); errors.As(err, &w) {
		t.Fatalf("%s: %v", what, err)
	}
}

// TestCrashAtEachOperation repeats one recorded run and stops it at each of its
// disk operations; then the machine loses power, in several ways, or the
// process is killed and the machine loses power only after the restart. Each
// time everything acknowledged must be there, and the call that was cut off
// must have happened as a whole or not at all.
func TestCrashAtEachOperation(t *testing.T) {
	const steps = 60
	for seed := range uint64(3) {
		total := 0
		d := newDriver(seed)
		d.fs.OnOp(func(op disk.Op, _ error) {
			if op.Kind.Changes() {
				total++
			}
		})
		// Mkdir comes first and its result is durable at once.
		if err := d.fs.MkdirAll(testDir); err != nil {
			t.Fatal(err)
		}
		if err := d.run(steps); err != nil {
			t.Fatalf("seed %d: recorded run: %v", seed, err)
		}
		if total < 120 {
			t.Fatalf("only %d operations recorded", total)
		}
		for k := 2; k <= total; k += crashStride {
			crashAt(t, seed, steps, k)
		}
	}
}

func crashAt(t *testing.T, seed uint64, steps, k int) {
	t.Helper()
	d := newDriver(seed)
	must(t, d.fs.MkdirAll(testDir))
	d.fs.SetInjector(disk.StopAt(k))
	failIfWrong(t, fmt.Sprintf("seed %d, operation %d", seed, k), d.run(steps))
	d.fs.SetInjector(nil)
	for outcome := range 4 {
		what := fmt.Sprintf("seed %d, operation %d, outcome %d", seed, k, outcome)
		d.fork(uint64(outcome)).lose(t, what, outcome)
	}
}

// fork copies the disk and what is known of it, not the running log.
func (d *driver) fork(seed uint64) *driver {
	f := newDriver(seed + 100)
	f.fs, f.acked, f.pending, f.created, f.opens = d.fs.Clone(), d.acked.clone(), d.pending, d.created, d.opens
	return f
}

// lose takes the power away and checks what comes back.
func (d *driver) lose(t *testing.T, what string, outcome int) {
	t.Helper()
	switch outcome {
	case 0: // killed, restarted, and only then without power
		d.fs.Kill()
		if err := d.open(); err != nil {
			t.Fatalf("%s: after the kill: %v", what, err)
		}
		d.fs = d.fs.Crash(d.rng, disk.CrashOptions{DropAll: true})
	case 1: // without power again during recovery
		d.fs = d.fs.Crash(d.rng, disk.CrashOptions{})
		d.fs.SetInjector(disk.StopAt(1 + d.rng.IntN(12)))
		failIfWrong(t, what+", second crash", d.open())
		d.fs.SetInjector(nil)
		d.fs = d.fs.Crash(d.rng, disk.CrashOptions{})
	default:
		d.fs = d.fs.Crash(d.rng, disk.CrashOptions{})
	}
	if err := d.run(5); err != nil {
		t.Fatalf("%s: after the power loss: %v", what, err)
	}
}
