package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/raft"
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

// noteUnread follows what the core is told of snapshots: which can't be read, and
// that another one is written, perhaps in its place.
func (n *Node) noteUnread(batch []replica.Event) {
	for _, ev := range batch {
		switch ev := ev.(type) {
		case replica.SnapshotSentEvent:
			if ev.Unreadable {
				n.unread = ev.Last
			}
		case replica.JobDoneEvent:
			if ev.Job.Name == "snapshot" && ev.Err == nil {
				n.unread = raft.EntryID{}
			}
		}
	}
}

// checkOffers is a part of V1: a snapshot that can't be read helps nobody, and
// who asked for it would be given it for ever. Another is written instead.
func (n *Node) checkOffers(orders []replica.SnapshotOrder) {
	for _, o := range orders {
		if o.Last == n.unread {
			n.w.fail(Stuck, "V1 what can't be read is not offered again", uint8(n.id), "snapshot %v, to n%v", o.Last, o.To)
		}
	}
}
