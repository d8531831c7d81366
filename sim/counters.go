package sim

import (
	"fmt"
	"io"
	"sort"
)

// Counters tell what a run has met. They are the evidence that a green run
// tested something: a campaign fails if a mark that it needs was never hit.
type Counters map[string]int64

// Names that campaigns ask for.
const (
	CountOps           = "client operations"
	CountAcked         = "operations acknowledged"
	CountAmbiguous     = "operations ambiguous"
	CountFaults        = "faults"
	CountLeaderChanges = "leader changes"
	CountTornTails     = "torn tails"
	CountInstalls      = "snapshot installs"
	CountConfigs       = "configuration changes"
	CountTransfers     = "leadership transfers"
	CountBeyond        = "runs beyond the budget"
	CountKindsOn       = "fault kinds on"
)

func (c Counters) add(name string) { c[name]++ }

// Merge adds another run's counters.
func (c Counters) Merge(o Counters) {
	for name, n := range o {
		c[name] += n
	}
}

// Names lists the counters in alphabetical order.
func (c Counters) Names() []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Print writes one counter a line.
func (c Counters) Print(w io.Writer) {
	for _, name := range c.Names() {
		fmt.Fprintf(w, "  %-36s %10d\n", name, c[name])
	}
}
