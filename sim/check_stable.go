package sim

import "github.com/holdfast-db/holdfast/raft"

// What V2 allows: the time that a cluster gets to arrange itself with links that
// will never come back, and how often it may change its mind after that; times
// in the longest election timeout that anybody can draw.
const (
	stableSettle     = 5
	stableWatch      = 12
	stableChangesMax = 1
)

// stable is V2: under a permanent one-way cut, a bridge or a member that can't
// hear, a cluster of which some member reaches a quorum both ways settles on a
// leader and stays with it. That needs pre-votes (who can't win raises no
// term), leases (who hears a leader elects no other) and a leader that leaves
// when it hears no quorum (Cloudflare 2020; openraft #2080).
func (w *World) stable() {
	d := newDraw(w.plan.Seed, "stable")
	members := w.oracle.config.Members
	if !w.plan.Stable || len(members) < 3 || w.oracle.config.Joint() {
		return
	}
	w.enter(PhaseStable)
	links, what := drawTopology(d, members)
	open := w.faults.cut(links)
	w.trace.line(w.now, whatFault, 0, "for good: %s", what)
	w.count.add("stable " + what)
	timeout := 2 * int64(w.plan.Raft.ElectionTicks) * w.plan.Raft.TickMicros
	w.runUntil(w.now+stableSettle*timeout, nil)
	if w.electable() && w.faults.settled() {
		w.watchStable(what, micros(stableWatch*timeout))
	}
	open()
}

// watchStable counts the terms that begin from now on, and wants writes.
func (w *World) watchStable(what string, span micros) {
	before, began := w.elected.opened, w.now
	w.runUntil(w.now+int64(span), nil)
	if n := w.elected.opened - before; n > stableChangesMax {
		w.fail(Stuck, "V2 stable under permanent faults", 0, "%d terms began within %s under %s; %s", n, span, what, w.standing())
	}
	for i := len(w.load.ops) - 1; i >= 0 && w.load.ops[i].call >= began; i-- {
		if o := w.load.ops[i]; o.write() && o.answer == AnswerOK {
			return
		}
	}
	w.fail(Stuck, "V2 stable under permanent faults", 0, "no write was acknowledged within %s under %s; %s", span, what, w.standing())
}

// electable tells whether some voter is up that has links both ways to enough
// others whose logs are not ahead of its own: then it, or one like it, must end
// up leading. Links alone don't do: if a minority is left broken, the only member
// that reaches a quorum may be one that lacks what was committed last, and while
// nobody leads nobody brings it there.
func (w *World) electable() bool {
	c := &w.oracle.config
	for _, n := range w.live() {
		me, _ := c.Find(n.id)
		would := func(o *Node) bool {
			return o.up && !o.lost() && (o == n || w.net.open(n.id, o.id) && w.net.open(o.id, n.id) && !o.ahead(n))
		}
		if me.Voter && !n.lost() && w.quorum(c, would) {
			return true
		}
	}
	return false
}

// ahead tells whether a member's log is more up to date than another's (Raft
// §5.4.1), so that it would refuse it its vote.
func (n *Node) ahead(other *Node) bool {
	mine, theirs := endOf(raftOf(n.rep)), endOf(raftOf(other.rep))
	return mine.Term > theirs.Term || mine.Term == theirs.Term && mine.Index > theirs.Index
}

// drawTopology chooses the links that are gone for good.
func drawTopology(d draw, members []raft.Member) (links [][2]raft.NodeID, what string) {
	id := func(i int) raft.NodeID { return members[i%len(members)].ID }
	at := d.IntN(len(members))
	switch d.IntN(5) {
	case 0:
		return [][2]raft.NodeID{{id(at), id(at + 1)}}, "one way"
	case 1:
		return [][2]raft.NodeID{{id(at), id(at + 1)}, {id(at + 1), id(at)}}, "both ways"
	case 2:
		for i := 1; i < len(members); i++ {
			links = append(links, [2]raft.NodeID{id(at + i), id(at)})
		}
		return links, "deaf"
	case 3:
		for i := 1; i < len(members); i++ {
			links = append(links, [2]raft.NodeID{id(at), id(at + i)})
		}
		return links, "mute"
	}
	for i := 1; i < len(members); i++ {
		for j := 1; j < len(members); j++ {
			if (i <= len(members)/2) != (j <= len(members)/2) {
				links = append(links, [2]raft.NodeID{id(at + i), id(at + j)})
			}
		}
	}
	return links, "bridge"
}
