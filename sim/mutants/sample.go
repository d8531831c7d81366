package main

import (
	"fmt"
	"io"
	"time"
)

// What a sample takes, and how long it looks for it. A mutant that needed few
// seeds before needs few again, though not the same number: whatever changes
// the draws of a run changes which seed shows it.
const (
	sampleNeeded = 12  // seeds, in the recorded results
	sampleSeeds  = 150 // tried before a mutant counts as a survivor
	sampleStride = 11  // mutants between the samples of two days
)

// sample judges for a while, beginning elsewhere each day, mutants that die
// quickly: a check that has gone blind shows within days, at the price of a
// minute. It is what CI runs.
func (h *hunter) sample(w io.Writer, known *results, day int, budget time.Duration) error {
	var list []mutant
	for i := range mutants {
		o, ok := known.rows[mutants[i].id]
		if ok && mutants[i].simulated() && o.KilledBy != "" && o.Seeds <= sampleNeeded {
			list = append(list, mutants[i])
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("no mutant is known to die within %d seeds: run all first", sampleNeeded)
	}
	h.seeds = min(h.seeds, sampleSeeds)
	began, done := time.Now(), 0
	for done < len(list) && (done == 0 || time.Since(began) < budget) {
		o, err := h.hunt(&list[(day*sampleStride+done)%len(list)])
		if err != nil {
			return err
		}
		row(w, &o, false)
		if o.survived() {
			return fmt.Errorf("mutant %s (%s) survived %d seeds; it needed %d before", o.Mutant, o.Name, o.Seeds, known.rows[o.Mutant].Seeds)
		}
		done++
	}
	fmt.Fprintf(w, "%d of %d mutants of the sample judged in %.0f s, all killed\n", done, len(list), time.Since(began).Seconds())
	return nil
}
