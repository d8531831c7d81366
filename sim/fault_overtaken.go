package sim

import "github.com/holdfast-db/holdfast/raft"

// overtaken leaves a leader alone with entries that nobody else has, until the
// log of another member begins just there, makes that one the leader, and lets
// the old one back: both have the entry before the other's first, with different
// terms, and the old one needs a snapshot though its log seems long enough.
func (f *faultPlanner) overtaken() bool {
	n := f.w.leader()
	if n == nil || len(f.w.nodes) < 3 {
		return false
	}
	f.w.perform(Action{Verb: "lure", Who: is(n.id)})
	if !f.w.perform(Action{Verb: "isolate", Who: is(n.id), For: 4 * second}) {
		return false
	}
	f.untilOvertaken(n, 800)
	return true
}

func (f *faultPlanner) untilOvertaken(n *Node, tries int) {
	f.w.strikeAfter(5*millisecond, func() {
		if !f.running || !n.up || tries == 0 {
			return
		}
		l := f.w.leader()
		for _, m := range f.w.live() {
			if l == nil || l == n || m == n || m == l || !n.disagreesAt(m) {
				continue
			}
			f.w.perform(Action{Verb: "transfer", Who: is(l.id), Peer: is(m.id)})
			f.whenLeading(m, n, l.last.term, 50)
			return
		}
		f.untilOvertaken(n, tries-1)
	})
}

// whenLeading lets n back as soon as m leads, in a later term than before.
func (f *faultPlanner) whenLeading(m, n *Node, before raft.Term, tries int) {
	f.w.strikeAfter(millisecond, func() {
		switch {
		case !f.running || !n.up || !m.up:
		case tries == 0 || !n.disagreesAt(m):
			f.untilOvertaken(n, 200)
		case m == f.w.leader() && m.last.term > before:
			f.w.perform(Action{Verb: "reconnect"})
		default:
			f.whenLeading(m, n, before, tries-1)
		}
	})
}

// disagreesAt tells whether this member has the entry before m's first one with
// another term.
func (n *Node) disagreesAt(m *Node) bool {
	node := raftOf(m.rep)
	i := node.FirstIndex() - 1
	mine, ok := raftOf(n.rep).TermAt(i)
	theirs, known := node.TermAt(i)
	return ok && known && mine != theirs
}
