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
	seeds := ""
	if o.Seeds > 0 {
		seeds = fmt.Sprint(o.Seeds)
	}
	fmt.Fprintf(w, "%-4s %-64s %5s %6.1fs  %s\n", o.Mutant, o.Name, seeds, o.Seconds, verdictText(o))
}

func verdictText(o *outcome) string {
	switch {
	case o.Waits != "":
		return "waits for " + o.Waits
	case o.Harmless != "":
		return "harmless: " + o.Harmless
	case o.KilledBy == "":
		return "SURVIVED"
	}
	return "killed by " + o.KilledBy
}

func heading(w io.Writer) {
	fmt.Fprintf(w, "%-4s %-64s %5s %7s  %s\n", "", "mutant", "seeds", "time", "verdict")
}

// tally counts how mutants ended.
type tally struct {
	bySim, byTests, harmless, waiting, survived int
	seeds                                       []int // needed, in ascending order
}

func count(list []outcome) (t tally) {
	for i := range list {
		switch o := &list[i]; {
		case o.Waits != "":
			t.waiting++
		case o.Harmless != "":
			t.harmless++
		case o.KilledBy == "":
			t.survived++
		case o.Verdict == "test":
			t.byTests++
		default:
			t.bySim++
			t.seeds = append(t.seeds, o.Seeds)
		}
	}
	slices.Sort(t.seeds)
	return t
}

// within tells how many needed at most so many seeds.
func (t *tally) within(seeds int) int {
	n, _ := slices.BinarySearch(t.seeds, seeds+1)
	return n
}

func (t *tally) String() string {
	text := fmt.Sprintf("%d killed by the simulator", t.bySim)
	if n := len(t.seeds); n > 0 {
		text += fmt.Sprintf(" (seeds: median %d, most %d)", t.seeds[n/2], t.seeds[n-1])
	}
	return text + fmt.Sprintf(", %d by tests of what it can't reach, %d survived; %d harmless, %d wait for a feature",
		t.byTests, t.survived, t.harmless, t.waiting)
}

// summary is the table's last line: how many died, and how fast.
func summary(w io.Writer, list []outcome) {
	t := count(list)
	fmt.Fprintf(w, "%d mutants: %s\n", len(list), &t)
}
