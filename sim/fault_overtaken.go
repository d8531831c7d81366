package sim

import "github.com/holdfast-db/holdfast/raft"

// overtaken leaves a leader alone with entries that nobody else has, until the
// log of the next one begins just there: both then have the entry before the
// other's first, with different terms, and the old one needs a snapshot though
// its log seems long enough.
func (f *faultPlanner) overtaken() bool {
	n := f.w.leader()
	if n == nil || len(f.w.nodes) < 3 {
		return false
	}
	f.w.perform(Action{Verb: "lure", Who: is(n.id)})
	if !f.w.perform(Action{Verb: "isolate", Who: is(n.id), For: 4 * second}) {
		return false
	}
	f.untilOvertaken(n, 400)
	return true
}

func (f *faultPlanner) untilOvertaken(n *Node, tries int) {
	f.w.strikeAfter(10*millisecond, func() {
		l := f.w.leader()
		switch {
		case !f.running || !n.up || tries == 0:
		case l != nil && l != n && n.disagreesAt(raftOf(l.rep).Status().First-1):
			f.w.perform(Action{Verb: "reconnect"})
		default:
			f.untilOvertaken(n, tries-1)
		}
	})
}

// disagreesAt tells whether the member has an entry at an index that is
// committed with another term.
func (n *Node) disagreesAt(i raft.Index) bool {
	if i == 0 || int(i) > len(n.w.oracle.log) {
		return false
	}
	term, ok := raftOf(n.rep).TermAt(i)
	return ok && term != n.w.oracle.log[i-1].term
}
