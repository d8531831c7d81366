package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

func printSimJSON(c *cobra.Command, r *sim.Result) error {
	j := simJSON{
		Seed: r.Seed, Hash: fmt.Sprintf("%016x", r.Hash), Verdict: r.Class.String(), Events: r.Events,
		Virtual: float64(r.Virtual) / 1e6, Count: r.Count,
	}
	if r.Failure != nil {
		j.Check, j.Reason = r.Failure.Check, r.Failure.Text
	}
	return json.NewEncoder(c.OutOrStdout()).Encode(j)
}

func printSimResult(w io.Writer, r *sim.Result) {
	fmt.Fprint(w, r.Plan)
	if r.Failure != nil {
		fmt.Fprintln(w, "the last events:")
		for _, line := range r.Recent {
			fmt.Fprint(w, line)
		}
	}
	fmt.Fprintf(w, "%d events in %.1f simulated seconds\n", r.Events, float64(r.Virtual)/1e6)
	r.Count.Print(w)
	fmt.Fprintf(w, "trace hash %016x\n%s\n", r.Hash, simVerdict(r))
}

func simVerdict(r *sim.Result) string {
	if r.Failure == nil {
		return fmt.Sprintf("seed %d passed", r.Seed)
	}
	return fmt.Sprintf("seed %d failed: %v\nreplay: holdfast sim --seed %d --trace seed-%d.txt", r.Seed, r.Failure, r.Seed, r.Seed)
}

// simTotals is the table under many runs.
type simTotals struct {
	runs, failed   int
	opsMin, events int64
	virtual        int64
	count          sim.Counters
	hits           map[string]int // runs in which a mark was hit
}

func newSimTotals() *simTotals {
	return &simTotals{count: sim.Counters{}, hits: map[string]int{}, opsMin: -1}
}

func (t *simTotals) add(r *sim.Result) {
	t.runs++
	t.events += int64(r.Events)
	t.virtual += r.Virtual
	if r.Failure != nil {
		t.failed++
	}
	if ops := r.Count[sim.CountOps]; r.Failure == nil && (t.opsMin < 0 || ops < t.opsMin) {
		t.opsMin = ops
	}
	t.count.Merge(r.Count)
	for name := range r.Count {
		t.hits[name]++
	}
}

func (t *simTotals) status(elapsed time.Duration) string {
	s := max(elapsed.Seconds(), 1e-9)
	return fmt.Sprintf("%d runs, %d failed, %.1f runs/s, %.1f simulated hours, %d faults, %.0f operations/s",
		t.runs, t.failed, float64(t.runs)/s, float64(t.virtual)/3.6e9, t.count[sim.CountFaults], float64(t.count[sim.CountOps])/s)
}

func (t *simTotals) print(w io.Writer, elapsed time.Duration) {
	fmt.Fprintf(w, "%-40s %12s %8s\n", "counter", "total", "runs")
	for _, name := range t.count.Names() {
		fmt.Fprintf(w, "%-40s %12d %8d\n", name, t.count[name], t.hits[name])
	}
	fmt.Fprintf(w, "%s; at least %d operations a run; %.0f × real time\n", t.status(elapsed), t.opsMin,
		float64(t.virtual)/1e6/max(elapsed.Seconds(), 1e-9))
}

// writeSimReport draws a failing run's history into a directory.
func writeSimReport(dir string, r *sim.Result) (name string, err error) {
	var page bytes.Buffer
	if drawn, err := r.Render(&page); err != nil || !drawn {
		return "", err
	}
	name = filepath.Join(dir, fmt.Sprintf("seed-%d.html", r.Seed))
	return name, os.WriteFile(name, page.Bytes(), 0o644)
}
