// Command seeds runs one seed of the simulator after the other until one
// fails. It is what the mutants are built into: nothing but the simulator is
// linked, so that building one more takes a second or two.
//
//	seeds FIRST LAST PATIENCE [FAULT,…]
//
// Each seed gives a line of JSON on standard output. A run that takes longer
// than PATIENCE (a duration of the wall clock) is called endless; it ends the
// process, for a loop inside the code under test cannot be left in any other way.
// If faults are named only these happen, as with `holdfast sim --faults`.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/sim"
)

// verdict is one line.
type verdict struct {
	Seed    uint64 `json:"seed"`
	Verdict string `json:"verdict"`
	Check   string `json:"check,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func main() {
	first, last, patience, faults, err := arguments(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "seeds:", err)
		os.Exit(2)
	}
	debug.SetGCPercent(400) // a run allocates much and keeps little
	for seed := first; seed <= last; seed++ {
		if !run(seed, patience, faults) {
			os.Exit(1)
		}
	}
}

func arguments(args []string) (first, last uint64, patience time.Duration, faults []string, err error) {
	if len(args) != 3 && len(args) != 4 {
		return 0, 0, 0, nil, fmt.Errorf("want FIRST LAST PATIENCE [FAULT,…], got %q", args)
	}
	if len(args) == 4 {
		faults = strings.Split(args[3], ",")
		if err := sim.CheckFaults(faults); err != nil {
			return 0, 0, 0, nil, err
		}
	}
	if first, err = strconv.ParseUint(args[0], 10, 64); err != nil {
		return 0, 0, 0, nil, err
	}
	if last, err = strconv.ParseUint(args[1], 10, 64); err != nil {
		return 0, 0, 0, nil, err
	}
	patience, err = time.ParseDuration(args[2])
	return first, last, patience, faults, err
}

// run tells whether a seed passed.
func run(seed uint64, patience time.Duration, faults []string) bool {
	watchdog := time.AfterFunc(patience, func() {
		say(verdict{Seed: seed, Verdict: "endless", Check: "V4 bounded work", Reason: fmt.Sprintf("no end within %v", patience)})
		os.Exit(1)
	})
	defer watchdog.Stop()
	r := sim.Run(sim.Options{Seed: seed, Faults: faults, Porcupine: true})
	v := verdict{Seed: seed, Verdict: r.Class.String()}
	if r.Failure != nil {
		v.Check, v.Reason = r.Failure.Check, r.Failure.Text
	}
	say(v)
	return r.Failure == nil
}

func say(v verdict) { _ = json.NewEncoder(os.Stdout).Encode(v) } // a closed pipe ends the process by itself
