package sim

import (
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// checkCommitted is R7, Committed Is Durable: when a leader moves its commit
// index, a majority (in a joint configuration one of each half) holds that
// entry in synced storage at that moment. Who it knew to run on an older copy of
// its disk holds nothing, whatever it had acknowledged.
func (n *Node) checkCommitted(commit raft.Index) {
	node := raftOf(n.rep)
	term, ok := termAt(node, commit)
	if !ok {
		return // compacted: it was checked when it was committed
	}
	id := raft.EntryID{Index: commit, Term: term}
	if led := n.last.role == raft.Leader && n.last.term == node.Term(); led && term != node.Term() {
		n.w.unsafe("R5 leaders commit by counting in their own term only", uint8(n.id), "leader of term %d commits up to %v (§5.4.2, Figure 8)", node.Term(), id)
	}
	// One turn may commit under a configuration and then append the next one.
	before, now := n.config0, node.Status().Config.Config
	holds := func(o *Node) bool { return o.kept().holds(id) && !slices.Contains(n.disowns, o.id) }
	if !n.w.quorum(&before, holds) && !n.w.quorum(&now, holds) {
		n.w.unsafe("R7 committed is durable", uint8(n.id), "leader of term %d commits %v in %v (%v before); durable: %s",
			node.Term(), id, now, before, n.w.durableText(&now))
	}
}

// noteDisowned keeps whom a member knows to have forgotten, for the next turn's
// checks: in one turn it may commit first and hear of that afterwards.
func (n *Node) noteDisowned(node *raft.Node) {
	n.disowns = n.disowns[:0]
	if !n.w.restored {
		return
	}
	marks, _, _ := node.PeerMarks()
	for _, m := range marks {
		if m.Nonce == 0 {
			n.disowns = append(n.disowns, m.ID)
		}
	}
}

// quorum tells whether a majority of both halves of a configuration has a
// property.
func (w *World) quorum(c *raft.Configuration, has func(*Node) bool) bool {
	return w.majority(c, false, has) && w.majority(c, true, has)
}

// majority counts one half of a configuration. A half without voters (there is
// no outgoing one) has nothing to say.
func (w *World) majority(c *raft.Configuration, old bool, has func(*Node) bool) bool {
	voters, held := 0, 0
	for _, m := range c.Members {
		if old && !m.OldVoter || !old && !m.Voter {
			continue
		}
		voters++
		if node := w.node(m.ID); node != nil && has(node) {
			held++
		}
	}
	return voters == 0 || held > voters/2
}

func (w *World) durableText(c *raft.Configuration) string {
	text := ""
	for _, m := range c.Members {
		if node := w.node(m.ID); node != nil {
			text += " n" + m.ID.String() + ": " + node.shadow.text()
		}
	}
	return text
}

// checkSynced is R7 where it begins: when the log calls a write durable, the
// power can take nothing that it wrote. The shadow takes the log's word; that the
// word is true is asked of the disk at once, not only when the power is gone.
func (n *Node) checkSynced(write raft.Write) {
	for _, name := range n.disk.written {
		if left := n.fs.Unsynced(name); left > 0 {
			n.w.unsafe("R7 durable is synced", uint8(n.id), "the log says that write %d is durable; the power could still take %d writes or names of %s", write, left, name)
		}
	}
}
