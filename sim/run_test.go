package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-db/holdfast/linearizability"
)

var (
	seeds  = flag.Int("seeds", 200, "seeds that TestSeeds runs")
	hashes = flag.Int("hashes", 20, "seeds that TestSameSeedSameHash runs twice")
)

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(1200) // a run allocates much and keeps little
	os.Exit(m.Run())
}

// What 200 seeds must have met, or they prove too little.
var wanted = map[string]int64{
	CountLeaderChanges: 20, CountTornTails: 20, CountInstalls: 20, CountConfigs: 20, CountTransfers: 20,
}

// TestSeeds lives through many worlds, all checks on.
func TestSeeds(t *testing.T) {
	var mu sync.Mutex
	total := Counters{}
	t.Run("seeds", func(t *testing.T) {
		for seed := uint64(1); seed <= uint64(*seeds); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				r := Run(Options{Seed: seed, Porcupine: true})
				if r.Failure != nil {
					t.Fatalf("%s%s%v\nreplay: holdfast sim --seed %d --trace seed-%d.txt", r.Plan, strings.Join(r.Recent, ""), r.Failure, seed, seed)
				}
				if ops, faults := r.Count[CountOps], r.Count[CountFaults]; r.Count[CountBeyond] == 0 && ops < opsMin || faults < faultsMin {
					t.Errorf("%d operations, %d faults; want at least %d and %d", ops, faults, opsMin, faultsMin)
				}
				mu.Lock()
				defer mu.Unlock()
				total.Merge(r.Count)
			})
		}
	})
	for name, least := range wanted {
		if least = least * int64(*seeds) / 200; total[name] < least {
			t.Errorf("%d %s in %d seeds, want at least %d", total[name], name, *seeds, least)
		}
	}
	missing := Missing(total)
	t.Logf("%d kinds of faults, %.1f on in a run; %d of %d marks hit, not %q", FaultKinds(),
		float64(total[CountKindsOn])/float64(*seeds), len(Marks())-len(missing), len(Marks()), missing)
	if len(missing) > 0 && *seeds >= MarksNeed {
		t.Errorf("marks never hit: %q", missing)
	}
	for _, name := range total.Names() {
		t.Logf("%-40s %10d", name, total[name])
	}
}

// The same seed twice gives the same run, event by event.
func TestSameSeedSameHash(t *testing.T) {
	for seed := uint64(1001); seed < 1001+uint64(*hashes); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			a, b := Run(Options{Seed: seed}), Run(Options{Seed: seed})
			if a.Hash != b.Hash || a.Events != b.Events {
				t.Errorf("%d events %016x, then %d events %016x", a.Events, a.Hash, b.Events, b.Hash)
			}
			if a.Failure != nil {
				t.Errorf("%v", a.Failure)
			}
		})
	}
}

// Another seed is another run.
func TestOtherSeedOtherHash(t *testing.T) {
	if a, b := Run(Options{Seed: 1}), Run(Options{Seed: 2}); a.Hash == b.Hash || a.Plan == b.Plan {
		t.Errorf("seeds 1 and 2 give the same run: %016x", a.Hash)
	}
}

// A trace is for reading: it doesn't change the run, in text or in JSON.
func TestTraceChangesNothing(t *testing.T) {
	plain := Run(Options{Seed: 3})
	var text, lines strings.Builder
	asText, asJSON := Run(Options{Seed: 3, Trace: &text}), Run(Options{Seed: 3, Trace: &lines, TraceJSON: true})
	if asText.Hash != plain.Hash || asJSON.Hash != plain.Hash {
		t.Errorf("hash %016x, with a trace %016x, %016x", plain.Hash, asText.Hash, asJSON.Hash)
	}
	if !strings.Contains(lines.String(), `"reason":"election won"`) {
		t.Error("a trace without the reasons of decisions")
	}
	if !strings.Contains(text.String(), "leads in term") || strings.Count(lines.String(), "\n") < 1000 {
		t.Errorf("a trace without its story: %d bytes, %d lines", text.Len(), strings.Count(lines.String(), "\n"))
	}
}

// The plan is known before the run, and is the one that the run then has.
func TestPlanFirst(t *testing.T) {
	s, err := ParseScenario("nodes 2\nexpect leader")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Seed: 1}, {Seed: 6, Nodes: 3, Faults: []string{"partition"}}, {Scenario: s}} {
		if plan := o.Plan(); plan == "" || plan != Run(o).Plan {
			t.Errorf("announced %s\nhad %s", plan, Run(o).Plan)
		}
	}
}

// Whoever does without Porcupine has the witness all the same.
func TestWitnessAlways(t *testing.T) {
	o := Options{Seed: 2, Nodes: 3, Chaos: 2 * second}
	w := newWorld(o)
	w.run(o)
	h := w.history()
	if w.checkHistory(h, false); w.failure != nil {
		t.Fatal(w.failure)
	}
	if n, ok := w.count["full-state windows checked"]; ok {
		t.Errorf("%d windows were searched", n)
	}
	for i := len(h.Operations) - 1; i >= 0; i-- {
		if p := &h.Operations[i]; p.Request.Kind == linearizability.Put && p.Response.Outcome == linearizability.OK {
			p.Response.Revision++
			break
		}
	}
	if w.checkHistory(h, false); w.failure == nil || w.failure.Class != Unsafe || !strings.HasPrefix(w.failure.Check, "C1 history") {
		t.Errorf("a write with another's revision was believed: %v", w.failure)
	}
}
