package main

import (
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strings"
)

// mutant is one deliberate mistake, or the place in the list for one that can't
// be made yet.
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
	// faults, if not empty, are the only ones that the simulator lets happen,
	// separated by commas: the situation that shows the mistake is rare where
	// everything else breaks too. The table says so.
	faults string
	// harmless is why no check can tell the mutant from the original; it is then
	// only applied, not run.
	harmless string
	// waits names the feature that the mistake would be one of, and that doesn't
	// exist. Such a row has no edits.
	waits string
}

// edit is a change of a few words; the path is relative to the module.
type edit struct{ file, old, new string }

// mutants is the whole list, by area.
var mutants = slices.Concat(raftMutants, readMutants, memberMutants, logMutants, lifeMutants, checkpointMutants, recoveryMutants, secretMutants, snapshotMutants,
	storeMutants, watchMutants, leaseMutants, otherMutants)

// area is where the mistake sits: the package of its first edit.
func (m *mutant) area() string {
	if len(m.edits) == 0 {
		return ""
	}
	return path.Dir(m.edits[0].file)
}

// simulated tells whether the simulator is to notice the mutant.
func (m *mutant) simulated() bool { return m.tests == "" && m.harmless == "" && m.waits == "" }

// number is the id without its letter.
func (m *mutant) number() string { return strings.TrimRight(m.id, "abcdefghijklmnopqrstuvwxyz") }

// print identifies what the mutant changes, so that an old result isn't taken
// for one of another change.
func (m *mutant) print() string {
	h := fnv.New32a()
	for _, e := range m.edits {
		fmt.Fprintf(h, "%q %q %q\n", e.file, e.old, e.new)
	}
	fmt.Fprintf(h, "%q", m.tests)
	if m.faults != "" {
		fmt.Fprintf(h, "%q", m.faults)
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

// choose picks mutants by ids or by numbers (all letters of one); all if none
// is named. An unknown name is an error.
func choose(all []mutant, only string) (list []mutant, err error) {
	if only == "" {
		return all, nil
	}
	for _, name := range strings.Split(only, ",") {
		before := len(list)
		for i := range all {
			if m := &all[i]; m.id == name || m.number() == name {
				list = append(list, *m)
			}
		}
		if len(list) == before {
			return nil, fmt.Errorf("no mutant is called %q", name)
		}
	}
	return list, nil
}
