package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/sim"
	"github.com/holdfast-db/holdfast/sim/report"
)

// draw writes a page about a run. It plays the run once more, for nobody
// records thousands of runs for the few that are looked at.
func (f *simFlags) draw(c *cobra.Command, r *sim.Result) {
	name, err := f.writeReport(r)
	if err != nil {
		fmt.Fprintf(c.ErrOrStderr(), "no report: %v\n", err)
		return
	}
	fmt.Fprintf(c.ErrOrStderr(), "report: %s\n", name)
}

func (f *simFlags) writeReport(r *sim.Result) (name string, err error) {
	o := f.options(r.Seed)
	if f.scenario != "" {
		if o.Scenario, err = f.readScenario(); err != nil {
			return "", err
		}
	}
	o.Record = true
	again := f.simulate(o)
	if r.Failure != nil && !sim.SameFailure(r.Failure, again.Failure) {
		return "", fmt.Errorf("played once more, %s does not fail in the same way (%v)", f.name(r), again.Failure)
	}
	page, err := report.FromRun(f.name(r), f.commands(r.Seed), &again)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(f.report, 0o755); err != nil {
		return "", err
	}
	name = filepath.Join(f.report, f.fileName(r.Seed)+".html")
	file, err := os.Create(name)
	if err != nil {
		return "", err
	}
	if err := page.Write(file); err != nil {
		file.Close()
		return "", err
	}
	return name, file.Close()
}

// fileName is what files about a run are called, without an extension.
func (f *simFlags) fileName(seed uint64) string {
	if f.scenario != "" {
		return strings.TrimSuffix(filepath.Base(f.scenario), ".txt")
	}
	return fmt.Sprintf("seed-%d", seed)
}

// commands play a run again, with its trace, and cut it down.
func (f *simFlags) commands(seed uint64) []string {
	list := []string{fmt.Sprintf("%s --trace %s.trace", f.replay(seed), f.fileName(seed))}
	if f.scenario == "" {
		list = append(list, strings.Replace(f.replay(seed), " sim ", " sim shrink ", 1))
	}
	return list
}
