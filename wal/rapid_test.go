package wal

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// TestModel compares the log with a slice of entries through random requests,
// steps of jobs, restarts, kills, power losses in the middle of a run, and
// power losses that cut a call off.
func TestModel(t *testing.T) { rapid.Check(t, logModel) }

func FuzzModel(f *testing.F) { fuzz.Model(f, logModel) }

func logModel(t *rapid.T) {
	d := newDriver(rapid.Uint64().Draw(t, "seed"))
	ok := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	ok("first open", d.open())
	t.Repeat(map[string]func(*rapid.T){
		"": func(t *rapid.T) {
			if err := d.acked.checkLive(d.log); err != nil {
				t.Fatal(err)
			}
		},
		"step":    func(t *rapid.T) { ok("step", d.step()) },
		"steps":   func(t *rapid.T) { ok("steps", d.steps(10)) },
		"restart": func(t *rapid.T) { ok("restart", d.restart()) },
		"kill":    func(t *rapid.T) { ok("kill", d.killAndOpen()) },
		"power loss": func(t *rapid.T) {
			d.fs = d.fs.Crash(d.rng, disk.CrashOptions{})
			ok("power loss", d.open())
		},
		"cut off": func(t *rapid.T) {
			d.fs.SetInjector(disk.StopAt(1 + rapid.IntRange(0, 30).Draw(t, "k")))
			if err := d.steps(30); err != nil {
				failIfWrongRapid(t, err)
			}
			d.fs = d.fs.Crash(d.rng, disk.CrashOptions{})
			ok("cut off", d.open())
		},
	})
}

func failIfWrongRapid(t *rapid.T, err error) {
	if w, ok := err.(wrongLog); ok {
		t.Fatal(w)
	}
}

func (d *driver) steps(n int) (err error) {
	for i := 0; i < n && err == nil; i++ {
		err = d.step()
	}
	return err
}

// checkLive compares the running log with the model.
func (m *model) checkLive(l *Log) error {
	got, err := l.Read(m.first(), m.last().Index, 1<<30)
	if err != nil {
		return err
	}
	return sameEntries(got, m.entries)
}
