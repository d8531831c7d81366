package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/sim"
)

// simJSON is one line of `holdfast sim -o json`.
type simJSON struct {
	Seed    uint64       `json:"seed"`
	Hash    string       `json:"hash"`
	Verdict string       `json:"verdict"`
	Check   string       `json:"check,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Events  uint64       `json:"events"`
	Virtual float64      `json:"simulated_seconds"`
	Count   sim.Counters `json:"counters"`
}

func simRow(r *sim.Result) *simJSON {
	j := &simJSON{
		Seed: r.Seed, Hash: fmt.Sprintf("%016x", r.Hash), Verdict: r.Class.String(), Events: r.Events,
		Virtual: float64(r.Virtual) / 1e6, Count: r.Count,
	}
	if r.Failure != nil {
		j.Check, j.Reason = r.Failure.Check, r.Failure.Text
	}
	return j
}

// result is what is known of a run by its row.
func (j *simJSON) result() *sim.Result {
	r := &sim.Result{Seed: j.Seed, Count: j.Count}
	for c := sim.Passed; c <= sim.Stuck; c++ {
		if c.String() == j.Verdict {
			r.Class = c
		}
	}
	if r.Class != sim.Passed {
		r.Failure = &sim.Failure{Class: r.Class, Check: j.Check, Text: j.Reason}
	}
	return r
}

func printJSON(c *cobra.Command, row *simJSON) error {
	return json.NewEncoder(c.OutOrStdout()).Encode(row)
}

// print tells of a single run what its plan, which was printed before, has led to.
func (f *simFlags) print(w io.Writer, r *sim.Result) {
	if r.Failure != nil {
		fmt.Fprintln(w, "the last events:")
		for _, line := range r.Recent {
			fmt.Fprint(w, line)
		}
	}
	fmt.Fprintf(w, "%d events in %.1f simulated seconds\n", r.Events, float64(r.Virtual)/1e6)
	r.Count.Print(w)
	fmt.Fprintf(w, "trace hash %016x\n%s\n", r.Hash, f.story(r))
}

// story is a run's verdict, and what to do about it.
func (f *simFlags) story(r *sim.Result) string {
	if r.Failure == nil {
		return f.name(r) + " passed"
	}
	return fmt.Sprintf("%s failed: %v\n  %s", f.name(r), r.Failure, strings.Join(f.commands(r.Seed), "\n  "))
}

// simTotals is the table under many runs.
type simTotals struct {
	runs, failed int
	opsMin       int64
	work         simWork
	earlier      simWork // of that, by an earlier process
	count        sim.Counters
	hits         map[string]int // runs in which a mark was hit
	kindsOn      []int64        // of each run: the kinds of faults that were switched on
}

// simWork is what speed is measured by.
type simWork struct {
	runs       int
	operations int64
	virtual    float64 // s
}

func newSimTotals() *simTotals {
	return &simTotals{count: sim.Counters{}, hits: map[string]int{}, opsMin: -1}
}

func (t *simTotals) add(row *simJSON) {
	t.runs++
	ops := row.Count[sim.CountOps]
	t.work.runs++
	t.work.operations += ops
	t.work.virtual += row.Virtual
	passed := row.Verdict == sim.Passed.String()
	if !passed {
		t.failed++
	}
	if passed && (t.opsMin < 0 || ops < t.opsMin) {
		t.opsMin = ops
	}
	t.count.Merge(row.Count)
	t.kindsOn = append(t.kindsOn, row.Count[sim.CountKindsOn])
	for name := range row.Count {
		t.hits[name]++
	}
}

// status is one line: what was done, and how fast.
func (t *simTotals) status(elapsed time.Duration) string {
	s := max(elapsed.Seconds(), 1e-9)
	return fmt.Sprintf("%d runs, %d failed, %.1f runs/s, %.1f simulated hours, %d faults, %.0f operations/s, %.0f × real time",
		t.runs, t.failed, float64(t.work.runs-t.earlier.runs)/s, t.work.virtual/3600, t.count[sim.CountFaults],
		float64(t.work.operations-t.earlier.operations)/s, (t.work.virtual-t.earlier.virtual)/s)
}

func (t *simTotals) print(w io.Writer, elapsed time.Duration) {
	fmt.Fprintf(w, "%-40s %12s %8s\n", "counter", "total", "runs")
	for _, name := range t.count.Names() {
		fmt.Fprintf(w, "%-40s %12d %8d\n", name, t.count[name], t.hits[name])
	}
	missing := sim.Missing(t.count)
	fmt.Fprintf(w, "%d of %d marks hit", len(sim.Marks())-len(missing), len(sim.Marks()))
	if len(missing) > 0 {
		fmt.Fprintf(w, ", not: %s", strings.Join(missing, ", "))
	}
	fmt.Fprintf(w, "\nof %d kinds of faults, %d were on in a run (median)\n", sim.FaultKinds(), t.medianOn())
	fmt.Fprint(w, t.status(elapsed))
	if t.opsMin >= 0 {
		fmt.Fprintf(w, "; at least %d operations a run", t.opsMin)
	}
	fmt.Fprintln(w)
}

func (t *simTotals) medianOn() int64 {
	if len(t.kindsOn) == 0 {
		return 0
	}
	slices.Sort(t.kindsOn)
	return t.kindsOn[len(t.kindsOn)/2]
}

// unmet is an error if a campaign was long enough to hit every mark and has not: it tested less than it seems.
func (t *simTotals) unmet() error {
	missing := sim.Missing(t.count)
	if t.runs < sim.MarksNeed || len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%d runs, and these were never seen: %s", t.runs, strings.Join(missing, ", "))
}
