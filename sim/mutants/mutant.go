package main

import (
	"slices"
	"strings"
)

// mutant is one deliberate mistake.
type mutant struct {
	// id is the number in the mutation list, with a letter if there are several.
	id string
	// name says what is wrong, in a few words.
	name string
	// edits replace text that must stand exactly once in its file.
	edits []edit
	// tests is the package whose tests must fail where the simulator can't see
	// the mistake; then it isn't asked.
	tests string
	// harmless is why no check can tell the mutant from the original; it is then
	// only applied, not run.
	harmless string
}

// edit is a change of a few words; the path is relative to the module.
type edit struct{ file, old, new string }

// mutants is the whole list, by area.
var mutants = slices.Concat(raftMutants, readMutants, memberMutants, logMutants, snapshotMutants,
	storeMutants, watchMutants, leaseMutants)

// choose picks mutants by ids, by numbers (all letters of one), or every n-th.
func choose(all []mutant, only string, first, every int) (list []mutant) {
	wanted := strings.Split(only, ",")
	for i := range all {
		m := all[i]
		named := slices.Contains(wanted, m.id) || slices.Contains(wanted, strings.TrimRight(m.id, "abcdefgh"))
		if only != "" && !named || only == "" && i%every != first%every {
			continue
		}
		list = append(list, m)
	}
	return list
}
