package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/sim"
)

// hangAt makes the run of one seed hang until the test is over, and says when it
// has begun.
func hangAt(t *testing.T, seed uint64) (begun <-chan struct{}) {
	t.Helper()
	plain, release, began := runSimulation, make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	t.Cleanup(func() { close(release); <-done; runSimulation = plain })
	runSimulation = func(o sim.Options) sim.Result {
		if o.Seed == seed {
			close(began)
			<-release
			defer close(done)
		}
		return sim.Result{Seed: o.Seed, Count: sim.Counters{}}
	}
	return began
}

// hangs runs the work with as many looks of the watchdog as it takes.
func hangs(t *testing.T, f *simFlags, begun <-chan struct{}, work func(*cobra.Command) error) (errOut string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := newSimCommand()
	c.SetOut(&stdout)
	c.SetErr(&stderr)
	tick, ended := make(chan time.Time), make(chan struct{})
	go func() {
		<-begun
		for {
			select {
			case tick <- time.Time{}:
			case <-ended:
				return
			}
		}
	}()
	err = f.guard(c, work, tick)
	close(ended)
	return stderr.String(), err
}

// A run that never returns is named, first as slow, then as hung, with the code
// for what does not come back and a file that shows where it is.
func TestSimHangs(t *testing.T) {
	begun := hangAt(t, 3)
	f := &simFlags{seed: 3, output: "text", hung: 10 * time.Minute, report: t.TempDir()}
	errOut, err := hangs(t, f, begun, f.one)
	checkHung(t, f, errOut, err)
}

// So in a campaign, where the other runs end.
func TestSimCampaignHangs(t *testing.T) {
	begun := hangAt(t, 3)
	f := &simFlags{output: "json", hung: 10 * time.Minute, report: t.TempDir(), workers: 2}
	errOut, err := hangs(t, f, begun, func(c *cobra.Command) error { return f.many(c, 1, 5) })
	checkHung(t, f, errOut, err)
}

func checkHung(t *testing.T, f *simFlags, errOut string, err error) {
	t.Helper()
	var known *exitError
	if !errors.As(err, &known) || known.code != 12 || !strings.Contains(err.Error(), "seed 3 hangs") {
		t.Errorf("%v", err)
	}
	if strings.Count(errOut, "seed 3 has been running for 2m0s") != 1 {
		t.Errorf("%q", errOut)
	}
	stacks, err := os.ReadFile(filepath.Join(f.report, "seed-3.stacks.txt"))
	if err != nil || !strings.Contains(string(stacks), "hangAt") {
		t.Errorf("%v: %s", err, stacks)
	}
}

// Runs that end are nobody's business, however many there are; and without a
// limit none is given up.
func TestWatchdogForgets(t *testing.T) {
	var d watchdog
	for range 5 {
		ended := d.watch("seed 1")
		if slow, hung := d.look(2*hungLook, 3*hungLook); len(slow) > 0 || hung != "" {
			t.Errorf("slow %v, hung %q", slow, hung)
		}
		ended()
	}
	defer d.watch("seed 2")()
	for range 5 {
		if _, hung := d.look(2*hungLook, 0); hung != "" {
			t.Errorf("%s was given up without a limit", hung)
		}
	}
}

// Stacks that can't be written to a file are printed.
func TestHungWithoutFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &simFlags{report: file}
	var out bytes.Buffer
	if err := f.giveUp(&out, "seed 4"); err == nil || !strings.Contains(out.String(), "TestHungWithoutFile") {
		t.Errorf("%v: %s", err, out.String())
	}
}
