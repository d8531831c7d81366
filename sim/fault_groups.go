package sim

import (
	"fmt"
	"slices"
	"strings"
)

// faultGroups are the names by which people choose kinds of faults together.
// Each kind belongs to one group.
var faultGroups = []struct {
	name  string
	kinds []string
}{
	{"crash", []string{"kill", "power", "torn", "kill-leader", "power-all", "restart-storm", "clean-stop", "second-process", "kill-sync"}},
	{"process", []string{"pause", "paused-leader", "long-pause", "stall-actor"}},
	{"clock", []string{"wrong-clock", "frozen-clock"}},
	{"network", []string{"partition", "isolate-leader", "one-way", "bridge", "ring", "flap", "slow-link", "reset-links",
		"burst-loss", "throttle", "swizzle-clog", "reset-connection", "replay", "wrong-peer", "stale-leader", "overtaken-leader"}},
	{"clients", []string{"client-cut"}},
	{"people", []string{"transfer", "members", "resize", "remove-in-snapshot", "lame-learner", "change-and-crash", "late-order"}},
	{"disk", []string{"disk-error", "sync-error", "disk-full", "read-only", "slow-disk", "hung-sync"}},
	{"damage", []string{"bit-rot", "misplaced-write", "lost-file", "shortened-file", "lost-write", "misread", "wiped-disk", "old-disk"}},
}

// FaultNames lists the groups and kinds that Options.Faults knows, for a manual.
func FaultNames() string {
	var b strings.Builder
	for _, g := range faultGroups {
		fmt.Fprintf(&b, "%s (%s)\n", g.name, strings.Join(g.kinds, " "))
	}
	return b.String()
}

// CheckFaults tells which name is no group and no kind.
func CheckFaults(names []string) error {
	for _, name := range names {
		known := slices.ContainsFunc(faultGroups, func(g struct {
			name  string
			kinds []string
		}) bool {
			return g.name == name || slices.Contains(g.kinds, name)
		})
		if !known {
			return fmt.Errorf("no fault is called %q; there are\n%s", name, FaultNames())
		}
	}
	return nil
}

// groupOf names the group of a kind.
func groupOf(kind string) string {
	for _, g := range faultGroups {
		if slices.Contains(g.kinds, kind) {
			return g.name
		}
	}
	return ""
}

// restrict leaves only the faults that are named; those of them that the seed
// has switched off are switched on. What networks, disks, clocks and clients do by
// themselves happens only if the whole group is named. The seed's other settings stay.
func (p *Plan) restrict(names []string) {
	if len(names) == 0 {
		return
	}
	for i := range p.Faults {
		f := &faultTable[i]
		if !slices.Contains(names, f.name) && !slices.Contains(names, groupOf(f.name)) {
			p.Faults[i] = 0
			continue
		}
		if p.Faults[i] == 0 {
			p.Faults[i] = (f.meanMin + f.meanMax) / 2
		}
	}
	if !slices.Contains(names, "network") {
		p.Net.DropPPM, p.Net.DupPPM, p.Net.SlowPPM, p.Net.CorruptPPM = 0, 0, 0, 0
	}
	if !slices.Contains(names, "disk") {
		p.Disk.StallPPM = 0
	}
	if !slices.Contains(names, "damage") {
		p.BeyondBudget = false
	}
	if !slices.Contains(names, "clock") {
		p.DriftPPM = 0
	}
	if p.Faults[faultClock] == 0 {
		p.ClockPPM = 0
	} else if p.ClockPPM == 0 {
		p.ClockPPM = 10_000
	}
	if !slices.Contains(names, "clients") {
		p.Load.LostPPM = 0
	}
}
