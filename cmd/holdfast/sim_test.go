package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/sim"
)

// runSim runs the command with arguments and returns what it prints.
func runSim(t *testing.T, args ...string) (out, errOut string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := newSimCommand()
	c.SetOut(&stdout)
	c.SetErr(&stderr)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(append(args, "--chaos", "1s", "--nodes", "3"))
	err = c.Execute()
	return stdout.String(), stderr.String(), err
}

// One seed tells its settings, its counters, its hash and its verdict, and the
// same seed tells the same.
func TestSimSeed(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "run.ndjson")
	first, _, err := runSim(t, "--seed", "5", "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := runSim(t, "--seed", "5", "--twice")
	if err != nil || first != second {
		t.Errorf("%v; two runs of one seed differ:\n%s\n%s", err, first, second)
	}
	for _, want := range []string{"seed 5: 3 nodes", "faults   ", sim.CountOps, "trace hash ", "seed 5 passed"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	lines, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		if !json.Valid(line) {
			t.Fatalf("line %d of the trace is no JSON: %s", i+1, line)
		}
	}
}

// What is turned on is printed before anything runs: whoever has to end a run
// that takes too long knows what it was.
func TestSimPlanFirst(t *testing.T) {
	plain := runSimulation
	t.Cleanup(func() { runSimulation = plain })
	var out bytes.Buffer
	before := ""
	runSimulation = func(o sim.Options) sim.Result {
		before = out.String()
		return sim.Result{Seed: o.Seed, Plan: o.Plan(), Count: sim.Counters{}}
	}
	c := newSimCommand()
	c.SetOut(&out)
	c.SetArgs([]string{"--seed", "5"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(before, "seed 5: ") || !strings.Contains(before, "\n  load ") || !strings.Contains(before, "  faults   ") {
		t.Errorf("before the run: %q", before)
	}
	if strings.Count(out.String(), "seed 5: ") != 1 {
		t.Errorf("the plan is told twice:\n%s", out.String())
	}
}

// Several seeds end in a table, or in a line of JSON each.
func TestSimSeeds(t *testing.T) {
	out, _, err := runSim(t, "--seeds", "1..3", "--workers", "2")
	if err != nil || !strings.Contains(out, "3 runs, 0 failed") {
		t.Errorf("%v: %s", err, out)
	}
	out, _, err = runSim(t, "--seeds", "1..3", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var row simJSON
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.Verdict != "passed" || len(row.Hash) != 16 {
			t.Errorf("%v: %s", err, line)
		}
		seen[row.Seed] = true
	}
	if len(seen) != 3 {
		t.Errorf("seeds %v", seen)
	}
}

// What can't be meant is said so, with the code for usage.
func TestSimUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--seeds", "3"}, {"--seeds", "3..1"}, {"--seeds", "a..b"}, {"-o", "xml"}, {"--workers", "0"},
		{"--seeds", "1..2", "--trace", "x"},
	} {
		_, _, err := runSim(t, args...)
		var known *exitError
		if !errors.As(err, &known) || known.code != exitUsage {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// A failing run exits by the kind of its failure.
func TestSimExitCodes(t *testing.T) {
	f := &simFlags{report: t.TempDir()}
	for class, want := range map[sim.Class]int{sim.Crashed: 10, sim.Unsafe: 11, sim.Stuck: 12} {
		r := sim.Result{Seed: 9, Class: class, Failure: &sim.Failure{Class: class, Check: "R1", Text: "why"}}
		err := f.verdict(newSimCommand(), &r, nil)
		var known *exitError
		if !errors.As(err, &known) || known.code != want || !strings.Contains(err.Error(), "seed 9") {
			t.Errorf("%v: %v", class, err)
		}
		if !strings.Contains(f.story(&r), "holdfast sim --seed 9 --trace seed-9.trace") || !strings.Contains(f.story(&r), "holdfast sim shrink --seed 9") {
			t.Errorf("no command to replay it: %s", f.story(&r))
		}
	}
}

// A long campaign that never met something says so; a short one may well not have.
func TestUnmetMarks(t *testing.T) {
	totals := newSimTotals()
	all := sim.Counters{}
	for _, mark := range sim.Marks() {
		all[mark] = 1
	}
	less := sim.Counters{}
	less.Merge(all)
	delete(less, sim.Marks()[3])
	for range sim.MarksNeed - 1 {
		totals.add(&simJSON{Verdict: sim.Passed.String(), Count: less})
	}
	if err := totals.unmet(); err != nil {
		t.Errorf("too few runs to tell: %v", err)
	}
	totals.add(&simJSON{Verdict: sim.Passed.String(), Count: less})
	if err := totals.unmet(); err == nil || !strings.Contains(err.Error(), sim.Marks()[3]) {
		t.Errorf("a mark was never hit: %v", err)
	}
	totals.add(&simJSON{Verdict: sim.Passed.String(), Count: all})
	if err := totals.unmet(); err != nil {
		t.Errorf("all marks were hit: %v", err)
	}
}
