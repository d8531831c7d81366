package sim

import "github.com/holdfast-db/holdfast/raft"

// checkMonotonic is R8 within one life: term, commit and applied never fall,
// and applied ≤ commit ≤ last. It is called after each turn of the core.
func (n *Node) checkMonotonic(term raft.Term, commit raft.Index) {
	w := n.w
	if term < n.last.term || commit < n.last.commit {
		w.unsafe("R8 term and commit never fall", uint8(n.id), "term %d → %d, commit %d → %d", n.last.term, term, n.last.commit, commit)
	}
	if n.last.applied > uint64(commit) {
		w.unsafe("R8 applied ≤ commit", uint8(n.id), "applied %d, commit %d", n.last.applied, commit)
	}
	if commit > n.last.commit {
		w.trace.mark(w.now, whatCommit, uint8(n.id), uint64(commit), uint64(term), 0)
		if raftOf(n.rep).Role() == raft.Leader {
			n.checkCommitted(commit)
		}
	}
}
