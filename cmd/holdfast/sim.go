package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast-db/holdfast/sim"
)

const simHelp = `Run the real code of a whole cluster on one goroutine, in virtual time, on
simulated disks and networks that fail, and check what it promises.

A seed decides everything: the size of the cluster, its settings, the faults and
the clients. It is printed first; the same seed gives the same run, event by
event, and the same trace hash.

Exit codes: 0 passed, 10 the code under test panicked or stopped by itself,
11 it broke a safety promise, 12 it did not come back after the faults ended, or
the run itself did not end: one that takes two minutes by the clock on the wall is
named on stderr, and after --hung what every goroutine does is written to a file.`

const simExample = `  # one run, and its story
  holdfast sim --seed 7
  holdfast sim --seed 7 --trace run.txt

  # many, on both cores
  holdfast sim --seeds 1..200
  holdfast sim --for 10m

  # a known bug, planted: find out what is wrong (needs a checkout and Go)
  holdfast sim --bug 6`

// simFlags are the command's settings.
type simFlags struct {
	seed      uint64
	seeds     string
	duration  time.Duration
	nodes     int
	chaos     time.Duration
	workers   int
	trace     string
	output    string
	report    string
	twice     bool
	porcupine bool
	keepGoing bool
	scenario  string
	faults    []string
	out       string
	hung      time.Duration
	dog       watchdog
}

func newSimCommand() *cobra.Command {
	f := &simFlags{}
	c := &cobra.Command{
		Use: "sim", Short: "Simulate clusters with faults, from a seed", Long: simHelp, Example: simExample,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fs := c.Flags()
	fs.Uint64Var(&f.seed, "seed", 1, "the run")
	fs.StringVar(&f.scenario, "scenario", "", "play the story in this file (sim/scenarios/README.md tells the language)")
	fs.StringVar(&f.seeds, "seeds", "", "runs A..B, both included")
	fs.DurationVar(&f.duration, "for", 0, "go on with seed after seed for so long")
	f.addWorld(fs)
	fs.IntVar(&f.workers, "workers", runtime.NumCPU(), "runs at a time")
	fs.StringVar(&f.out, "out", "", "with several runs: add one line of JSON a seed to this file, and pass over the seeds that are in it")
	f.addOutput(fs)
	f.addHung(fs)
	fs.BoolVar(&f.twice, "twice", false, "run each seed twice and compare the trace hashes")
	fs.BoolVar(&f.keepGoing, "keep-going", false, "with several runs: don't stop at the first failure")
	c.AddCommand(newSimShrink(), newSimReplay())
	addSimBug(c)
	return c
}

// addWorld adds the flags that say what world it is.
func (f *simFlags) addWorld(fs *pflag.FlagSet) {
	fs.IntVar(&f.nodes, "nodes", 0, "members at the start, 1 to 9 (0: drawn from the seed)")
	fs.DurationVar(&f.chaos, "chaos", 0, "simulated length of the fault phase (0: drawn)")
	fs.StringSliceVar(&f.faults, "faults", nil, "only these faults or groups of them:\n"+sim.FaultNames())
	fs.BoolVar(&f.porcupine, "porcupine", true, "search for a linearization by key and in windows, besides the witness, which always looks")
}

// addOutput adds the flags that say what is told of a run.
func (f *simFlags) addOutput(fs *pflag.FlagSet) {
	fs.StringVar(&f.trace, "trace", "", "write every event of the run to this file (.json or .ndjson: one JSON object a line)")
	fs.StringVar(&f.report, "report", ".", "directory for a page about the run: of a failing one always, of a single one if this is given")
	fs.StringVarP(&f.output, "output", "o", "text", "text or json")
}

// check finds settings that can't be meant.
func (f *simFlags) check() error {
	if f.nodes < 0 || f.nodes > 9 {
		return exitWith(exitUsage, fmt.Errorf("--nodes must be 0 to 9"))
	}
	return exitWith(exitUsage, sim.CheckFaults(f.faults))
}

func (f *simFlags) run(c *cobra.Command) error {
	debug.SetGCPercent(1200) // a run allocates much and keeps little
	if err := f.check(); err != nil {
		return err
	}
	if f.workers < 1 {
		return exitWith(exitUsage, fmt.Errorf("--workers must be at least 1"))
	}
	if f.output != "text" && f.output != "json" {
		return exitWith(exitUsage, fmt.Errorf("--output must be text or json"))
	}
	if f.seeds == "" && f.duration == 0 {
		if f.out != "" {
			return exitWith(exitUsage, fmt.Errorf("--out takes --seeds or --for; one run is told by -o json"))
		}
		return f.guarded(c, f.one)
	}
	first, last, err := f.span()
	if err != nil {
		return exitWith(exitUsage, err)
	}
	if f.trace != "" || f.scenario != "" {
		return exitWith(exitUsage, fmt.Errorf("--trace and --scenario take a single run"))
	}
	return f.guarded(c, func(c *cobra.Command) error { return f.many(c, first, last) })
}

// span reads --seeds A..B; with --for alone there is no last one.
func (f *simFlags) span() (first, last uint64, err error) {
	if f.seeds == "" {
		return f.seed, ^uint64(0), nil
	}
	a, b, ok := strings.Cut(f.seeds, "..")
	if first, err = strconv.ParseUint(a, 10, 64); err == nil && ok {
		last, err = strconv.ParseUint(b, 10, 64)
	}
	if err != nil || !ok || last < first {
		return 0, 0, fmt.Errorf("--seeds wants A..B, not %q", f.seeds)
	}
	return first, last, nil
}

func (f *simFlags) options(seed uint64) sim.Options {
	return sim.Options{Seed: seed, Nodes: f.nodes, Chaos: f.chaos.Microseconds(), Faults: f.faults, Porcupine: f.porcupine}
}

// settings are what the runs of a campaign have in common.
func (f *simFlags) settings() simSettings {
	return simSettings{Nodes: f.nodes, Chaos: f.chaos.Seconds(), Faults: strings.Join(f.faults, ","), Porcupine: f.porcupine, Twice: f.twice}
}

// readScenario reads the file of --scenario.
func (f *simFlags) readScenario() (*sim.Scenario, error) {
	text, err := os.ReadFile(f.scenario)
	if err != nil {
		return nil, exitWith(exitUsage, err)
	}
	s, err := sim.ParseScenario(string(text))
	if err != nil {
		return nil, exitWith(exitUsage, fmt.Errorf("%s: %w", f.scenario, err))
	}
	return s, nil
}

// replay is the command that plays a run again.
func (f *simFlags) replay(seed uint64) string {
	if f.scenario != "" {
		return program() + " sim replay " + f.scenario
	}
	command := fmt.Sprintf("%s sim --seed %d", program(), seed)
	if f.nodes != 0 {
		command += fmt.Sprintf(" --nodes %d", f.nodes)
	}
	if f.chaos != 0 {
		command += fmt.Sprintf(" --chaos %v", f.chaos)
	}
	if len(f.faults) > 0 {
		command += " --faults " + strings.Join(f.faults, ",")
	}
	return command
}

// name says which run is meant.
func (f *simFlags) name(r *sim.Result) string { return f.nameOf(r.Seed) }

func (f *simFlags) nameOf(seed uint64) string {
	if f.scenario != "" {
		return f.scenario
	}
	return fmt.Sprintf("seed %d", seed)
}

// one runs a single seed and tells its story.
func (f *simFlags) one(c *cobra.Command) error {
	o := f.options(f.seed)
	if f.scenario != "" {
		var err error
		if o.Scenario, err = f.readScenario(); err != nil {
			return err
		}
	}
	if f.trace != "" {
		file, err := os.Create(f.trace)
		if err != nil {
			return exitWith(exitNo, err)
		}
		defer file.Close()
		o.Trace, o.TraceJSON = file, strings.HasSuffix(f.trace, "json")
	}
	if f.output == "text" {
		fmt.Fprint(c.OutOrStdout(), o.Plan())
	}
	r := f.play(o)
	if r.Failure == nil && c.Flags().Changed("report") {
		f.draw(c, &r)
	}
	if f.output == "json" {
		return f.verdict(c, &r, printJSON(c, simRow(&r)))
	}
	f.print(c.OutOrStdout(), &r)
	return f.verdict(c, &r, nil)
}

// runSimulation is sim.Run; tests of what follows a failure have their own.
var runSimulation = sim.Run

// simulate runs a seed under the eyes of the watchdog.
func (f *simFlags) simulate(o sim.Options) sim.Result {
	ended := f.dog.watch(f.nameOf(o.Seed))
	defer ended()
	return runSimulation(o)
}

// play runs a seed, and with --twice once more.
func (f *simFlags) play(o sim.Options) sim.Result {
	r := f.simulate(o)
	if !f.twice || r.Failure != nil {
		return r
	}
	o.Trace = nil
	if again := f.simulate(o); again.Hash != r.Hash {
		r.Class = sim.Crashed
		r.Failure = &sim.Failure{Class: sim.Crashed, Check: "determinism", Text: fmt.Sprintf("trace hash %016x, then %016x", r.Hash, again.Hash)}
	}
	return r
}

// verdict turns a result into the command's error.
func (f *simFlags) verdict(c *cobra.Command, r *sim.Result, err error) error {
	if err != nil || r.Failure == nil {
		return err
	}
	f.draw(c, r)
	return exitWith(r.Class.ExitCode(), fmt.Errorf("%s: %w", f.name(r), r.Failure))
}
