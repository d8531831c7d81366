package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// row prints one outcome as soon as it is known.
func row(w io.Writer, o *outcome, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(w).Encode(o) // a closed pipe ends the process by itself
		return
	}
	verdict := "killed by " + o.KilledBy
	switch {
	case o.Harmless != "":
		verdict = "harmless: " + o.Harmless
	case o.KilledBy == "":
		verdict = "SURVIVED"
	}
	seeds := ""
	if o.Seeds > 0 {
		seeds = fmt.Sprint(o.Seeds)
	}
	fmt.Fprintf(w, "%-4s %-64s %5s %6.1fs  %s\n", o.Mutant, o.Name, seeds, o.Seconds, verdict)
}

func heading(w io.Writer) {
	fmt.Fprintf(w, "%-4s %-64s %5s %7s  %s\n", "", "mutant", "seeds", "time", "verdict")
}

// summary is the table's last line: how many died, and how fast.
func summary(w io.Writer, list []outcome) {
	var bySim, byTests, harmless, survived int
	var seeds []int
	for i := range list {
		switch o := &list[i]; {
		case o.Harmless != "":
			harmless++
		case o.KilledBy == "":
			survived++
		case o.Verdict == "test":
			byTests++
		default:
			bySim++
			seeds = append(seeds, o.Seeds)
		}
	}
	fmt.Fprintf(w, "%d mutants: %d killed by the simulator", len(list), bySim)
	if slices.Sort(seeds); len(seeds) > 0 {
		fmt.Fprintf(w, " (seeds: median %d, most %d)", seeds[len(seeds)/2], seeds[len(seeds)-1])
	}
	fmt.Fprintf(w, ", %d by tests of what it can't reach, %d harmless, %d survived\n", byTests, harmless, survived)
}
