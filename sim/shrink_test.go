package sim

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Of many actions the few remain that the failure needs, and nothing else.
func TestShrinkFindsTheCause(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "actions")
		need := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, min(n, 4), rapid.ID[int]).Draw(t, "needed")
		var script []Action
		for i := range n {
			script = append(script, Action{At: int64(i), Verb: "crash", Who: is(1), For: second})
		}
		s := Shrinker{Runs: 100_000, Fails: func(c []Action) bool {
			found := 0
			for _, a := range c {
				if slices.Contains(need, int(a.At)) && a.For > 10*millisecond {
					found++
				}
			}
			return found == len(need)
		}}
		got := s.Shrink(script)
		if len(got) != len(need) || !s.Fails(got) {
			t.Fatalf("%d of %d actions left, %d needed: %v", len(got), n, len(need), got)
		}
		for _, a := range got {
			if a.For > 20*millisecond {
				t.Fatalf("%v could be shorter", a)
			}
		}
	})
}

// A run that failed in the middle fails again by its script, as one that reached
// its end does.
func TestFailingScript(t *testing.T) {
	r := Result{Virtual: 9 * second, Failure: &Failure{At: 9 * second}, Script: []Action{{At: 3 * second, Verb: "crash", Who: is(1)}}}
	if got := r.FailingScript(); len(got) != 2 || got[1].Verb != "heal" || got[1].At <= 9*second || len(r.Script) != 1 {
		t.Errorf("%v", got)
	}
	r.Script = append(r.Script, Action{At: 8 * second, Verb: "heal"})
	if got := r.FailingScript(); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// A limit on the runs is kept, and what is found by then still fails.
func TestShrinkStops(t *testing.T) {
	script := make([]Action, 50)
	for i := range script {
		script[i] = Action{At: int64(i), Verb: "heal"}
	}
	calls := 0
	s := Shrinker{Runs: 7, Fails: func(c []Action) bool { calls++; return len(c) > 0 && c[0].At == 0 }}
	if got := s.Shrink(script); calls != 7 || s.Tried != 7 || len(got) == 0 || got[0].At != 0 {
		t.Errorf("%d calls, %v", calls, got)
	}
}

// A real run: a check of the test's own breaks when n1 loses power while it is
// cut off. The minimal script has those two actions, and replays from its file.
func TestShrinkARun(t *testing.T) {
	forbidden := func(r *Result) bool {
		var until int64
		for _, a := range r.Script {
			switch {
			case a.Verb == "isolate":
				until = a.At + a.For
			case a.Verb == "crash" && a.At < until:
				return true
			}
		}
		return false
	}
	for seed := uint64(1); ; seed++ {
		if seed > 60 {
			t.Fatal("no seed has both")
		}
		o := Options{Seed: seed, Nodes: 3, Chaos: 2 * second, Faults: []string{"isolate-leader", "power", "pause"}}
		r := Run(o)
		if !forbidden(&r) {
			continue
		}
		s := Shrinker{Runs: 40, Fails: func(script []Action) bool {
			c := o
			c.Script = script
			played := Run(c)
			return played.Failure == nil && forbidden(&played)
		}}
		got := s.Shrink(r.Script)
		if len(got) != 2 || got[0].Verb != "isolate" || got[1].Verb != "crash" {
			t.Fatalf("seed %d: %v", seed, got)
		}
		scenario, err := ParseScenario(Script(o, got))
		if err != nil {
			t.Fatal(err)
		}
		if played := Run(Options{Scenario: scenario}); !forbidden(&played) {
			t.Errorf("the file does not do it again: %v", fmt.Sprint(played.Script))
		}
		return
	}
}
