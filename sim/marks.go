package sim

import (
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// Marks name what a campaign has to meet, or it proves less than it seems: every
// kind of fault struck, every class of record rotted, every way to recover was
// taken, raft did everything that it can report. A mark is a counter; none of
// them costs the code under test a line.
func Marks() []string {
	list := slices.Clone(marks)
	for i := range faultTable {
		list = append(list, "fault "+faultTable[i].name)
	}
	for _, class := range rotClasses {
		list = append(list, "rot of "+class)
	}
	for kind := raft.EventKind(1); kind <= raft.EventDisowned; kind++ {
		list = append(list, "raft "+kind.String())
	}
	slices.Sort(list)
	return list
}

// MarksNeed is how many seeds, drawn without restriction, have to hit every mark.
const MarksNeed = 2000

// Missing lists the marks that were never hit.
func Missing(total Counters) (list []string) {
	for _, name := range Marks() {
		if total[name] == 0 {
			list = append(list, name)
		}
	}
	return list
}

// FaultKinds is how many kinds of faults there are.
func FaultKinds() int { return int(faultKinds) }

// marks besides those that tables give.
var marks = []string{
	// Crashes and recovery.
	"crashes inside a disk operation", CountTornTails, "unfinished writes found whole", "unfinished writes lost",
	"blackouts", "clean stops", "second processes refused", "ticks dropped", "members left broken",
	// Disks.
	"disk errors read", "disk errors write", "disk errors sync", "disk errors open", "disk errors create", "disk errors rename",
	"disk errors list", "disk errors remove", "disk errors syncdir", "disk errors allocate", "disk lies read", "disk lies write",
	"disk stalls", "syncs that never return", "power losses after a failed sync", "power losses inside super", "starts refused by the disk",
	"stops for a disk error", "damage tolerated at a start", "members stopped for damage", "damaged members replaced",
	"disks wiped", "disks exchanged for an older copy", "members stopped for an old disk", "snapshot streams broken by a disk", CountBeyond,
	"refused: corrupt log", "refused: no super", "refused: no usable snapshot",
	// Network.
	"frames cut off", "frames dropped", "frames duplicated", "frames delayed long", "frames corrupted", "frames replayed",
	"entries damaged before they were framed", "damaged chunks refused",
	"frames dropped in bursts", "frames dropped behind a full link", "frames lost with their connection",
	"frames delivered to the wrong member", "links made",
	// Snapshots and members.
	CountInstalls, "snapshots received", "snapshot streams interrupted", "snapshot streams outdated", "snapshots found rotten by their sender",
	CountConfigs, CountTransfers, "members removed",
	// Clients.
	CountAcked, CountAmbiguous, "operations refused", "client timeouts", "requests lost on the way", "answers lost on the way",
	"changes of users and roles", "writes denied", "reads denied", "watches denied", "watches ended by a permission", "secrets compared",
	"leases expired", "checkpoints taken back", "watches cancelled by compaction", "watch progress", "locks acquired", "guarded writes",
	// Checks that are made where there is something to compare.
	"model comparisons", "full-state windows checked", "versions of super compared", "snapshots compared with the disk",
	"tables of leases compared", "deadlines of leases compared", "lease ends compared", "transfers in calm",
	"stable both ways", "stable bridge", "stable deaf", "stable mute", "stable one way",
}
