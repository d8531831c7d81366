package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/server/replica"
)

// checkSnapshots is a part of S1: who says that a snapshot is written, or
// received, has it for good. No power loss takes the file or its name away any
// more, so that the log may lose what the snapshot holds.
func (n *Node) checkSnapshots(when string) {
	if n.damaged || n.disk.errors > 0 {
		return // its disk says one thing and does another, or has failed it
	}
	for _, name := range n.fs.Volatile() {
		if strings.HasSuffix(name, ".snap") {
			n.w.unsafe("S1 a snapshot that is told of is durable", uint8(n.id), "%s, and a power loss could still take %s", when, name)
		}
	}
	n.w.count.add("snapshots compared with the disk")
}

// checkCut is the other half: the log gives up what a snapshot holds only when
// the member's own log reaches the snapshot's end durably. A member applies what
// a quorum holds, so its snapshots can be ahead of its disk.
func (n *Node) checkCut(events []replica.Event) {
	for _, ev := range events {
		if meta := replica.CompactOf(ev); meta != nil && !n.damaged && !n.shadow.holds(meta.Last) {
			n.w.unsafe("S1 the log is cut below what is durable", uint8(n.id), "for a snapshot at %v, while the log is durable up to %v", meta.Last, n.shadow.end())
		}
	}
}
