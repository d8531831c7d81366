package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/server/replica"
)

// snapshotFilesMax: two that are kept, one that was just written and whose
// predecessor is about to go, one that is being written, and one that was being
// received from each of two senders.
const snapshotFilesMax = 6

// checkBounded is V4 for disks, at the end of a run: old snapshots go, and with
// them the log before the older one. (For work it is a number of events, see
// runUntil; raft.CheckState bounds what is in flight.)
func (w *World) checkBounded() {
	for _, n := range w.core() {
		if !n.up {
			continue
		}
		snapshots, segments := n.list(replica.SnapshotDir, ".snap", ".tmp", ".part"), n.list("", ".wal")
		if len(snapshots) > snapshotFilesMax {
			w.fail(Stuck, "V4 bounded snapshots", uint8(n.id), "n%d keeps %d: %s", n.id, len(snapshots), strings.Join(snapshots, " "))
		}
		if most := n.segmentsMax(); len(segments) > most {
			w.fail(Stuck, "V4 bounded log", uint8(n.id), "n%d keeps %d segments of %d bytes, at most %d are to be: %s",
				n.id, len(segments), w.plan.Replica.SegmentBytes, most, strings.Join(segments, " "))
		}
	}
}

// segmentsMax is generous: the log between three snapshots and what gathers while
// one is written, entries for slow followers (a batch takes at least 4 KiB), those
// that nobody committed and that a later leader's have replaced (they stand in the
// way until a snapshot has come past them), and some segments that are prepared or
// begun. The headers and ends of small segments take up to half of them.
func (n *Node) segmentsMax() int {
	k := n.w.plan.Replica
	log := 4*max(k.SnapshotLogBytesMin, 256<<10) + (int64(k.CatchUpEntries)+int64(n.tailMax))*int64(8<<10)
	return int(2*log/k.SegmentBytes) + 12
}

// list names files in a directory of the member's, by their ends.
func (n *Node) list(dir string, suffixes ...string) (names []string) {
	all, err := n.fs.List(dataDir + "/" + dir)
	if err != nil {
		return nil
	}
	for _, name := range all {
		for _, suffix := range suffixes {
			if strings.HasSuffix(name, suffix) {
				names = append(names, name)
			}
		}
	}
	return names
}
