package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/sim"
)

const shrinkHelp = `Cut the faults of a failing seed down to those that matter.

A failing run's script (who was cut off, killed, paused, when and for how long)
is run again and again with parts left out, as long as the same check fails. What
is left is written as a scenario file; "holdfast sim replay FILE" plays it. The
settings, clients and network of the seed stay as they are.`

// shrinkFlags are the settings of holdfast sim shrink, beside those of sim.
type shrinkFlags struct {
	simFlags
	file string
	runs int
}

func newSimShrink() *cobra.Command {
	f := &shrinkFlags{}
	c := &cobra.Command{
		Use: "shrink --seed N", Short: "Cut the faults of a failing seed down to those that matter", Long: shrinkHelp,
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return f.guarded(c, f.shrink) },
	}
	fs := c.Flags()
	fs.Uint64Var(&f.seed, "seed", 0, "the failing run")
	f.addWorld(fs)
	fs.StringVar(&f.file, "file", "", "where to write the scenario (seed-N.txt)")
	fs.IntVar(&f.runs, "runs", 500, "scripts to try at most")
	f.addHung(fs)
	_ = c.MarkFlagRequired("seed") // it exists
	return c
}

func (f *shrinkFlags) shrink(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	o := f.options(f.seed)
	r := f.simulate(o)
	if r.Failure == nil {
		return exitWith(exitUsage, fmt.Errorf("seed %d passes: there is nothing to shrink", f.seed))
	}
	status := newStatusLine(c.ErrOrStderr())
	status.say(fmt.Sprintf("seed %d fails with %d actions: %v", f.seed, len(r.Script), r.Failure), false)
	s := sim.Shrinker{Runs: f.runs, Fails: func(script []sim.Action) bool {
		o := o
		o.Script = script
		played := f.simulate(o)
		return sim.SameFailure(played.Failure, r.Failure)
	}}
	s.Progress = func(script []sim.Action) {
		status.show(fmt.Sprintf("%d actions after %d runs", len(script), s.Tried), false)
	}
	script := r.FailingScript()
	if !s.Fails(script) {
		return exitWith(exitNo, fmt.Errorf("seed %d: its own script does not fail in the same way, so it can't be cut down (%v)", f.seed, r.Failure))
	}
	least := s.Shrink(script)
	status.clear()
	if f.file == "" {
		f.file = fmt.Sprintf("seed-%d.txt", f.seed)
	}
	if err := os.WriteFile(f.file, []byte(f.scenarioText(o, len(script), least)), 0o644); err != nil {
		return exitWith(exitNo, err)
	}
	fmt.Fprintf(c.OutOrStdout(), "%d of %d actions are left after %d runs\nreplay: %s sim replay %s\n", len(least), len(script), s.Tried, program(), f.file)
	return nil
}

// scenarioText is the file: what failed, and how to get it.
func (f *shrinkFlags) scenarioText(o sim.Options, before int, script []sim.Action) string {
	o.Script = script
	played := f.simulate(o)
	head := fmt.Sprintf("Seed %d, cut down from %d to %d actions. It fails with\n%v\n", f.seed, before, len(script), played.Failure)
	head = "# " + strings.ReplaceAll(strings.TrimSpace(head), "\n", "\n# ") + "\n"
	return head + sim.Script(o, script)
}

func newSimReplay() *cobra.Command {
	f := &simFlags{}
	c := &cobra.Command{
		Use: "replay FILE", Short: "Play a scenario file: a story, or what shrink has written",
		Long: "Play a scenario file (the language: sim/scenarios/README.md). It is what --scenario does.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.scenario, f.workers = args[0], 1
			return f.run(c)
		},
	}
	f.addOutput(c.Flags())
	f.addHung(c.Flags())
	return c
}
