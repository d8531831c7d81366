package sim

import "github.com/holdfast-db/holdfast/raft"

// Faults of the network.

// partition splits the members in two halves that don't hear each other.
func (f *faultPlanner) partition() bool {
	var sides [2][]Who
	for _, n := range f.w.nodes {
		i := f.d.IntN(2)
		sides[i] = append(sides[i], is(n.id))
	}
	return f.split(sides[:]...)
}

// split performs a partition; not one of which nobody would notice anything.
func (f *faultPlanner) split(groups ...[]Who) bool {
	for _, g := range groups {
		if len(g) == 0 {
			return false
		}
	}
	return f.w.perform(Action{Verb: "partition", Groups: groups, For: f.outage()})
}

// isolateLeader leaves the leader with its clients, and nobody else.
func (f *faultPlanner) isolateLeader() bool {
	n := f.w.leader()
	return n != nil && f.w.perform(Action{Verb: "isolate", Who: is(n.id), For: f.outage()})
}

// oneWay blocks single directions.
func (f *faultPlanner) oneWay() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	var links []Link
	for range 1 + f.d.IntN(2) {
		a, b := f.twoNodes()
		links = append(links, Link{is(a.id), is(b.id)})
	}
	return f.w.perform(Action{Verb: "cut", Links: links, For: f.outage()})
}

func (f *faultPlanner) twoNodes() (a, b *Node) {
	i := f.d.IntN(len(f.w.nodes))
	j := f.d.IntN(len(f.w.nodes) - 1)
	if j >= i {
		j++
	}
	return f.w.nodes[i], f.w.nodes[j]
}

// bridge: two halves that only one member can talk to both of.
func (f *faultPlanner) bridge() bool {
	if len(f.w.nodes) < 3 {
		return false
	}
	middle := f.d.IntN(len(f.w.nodes))
	var halves [2][]Who
	for i, n := range f.w.nodes {
		for side := range halves {
			if i == middle || i%2 == side {
				halves[side] = append(halves[side], is(n.id))
			}
		}
	}
	return f.split(halves[:]...)
}

// ring: everyone hears only its neighbours; no two see the same majority.
func (f *faultPlanner) ring() bool {
	k := len(f.w.nodes)
	if k < 4 {
		return false
	}
	pairs := make([][]Who, k)
	for i, n := range f.w.nodes {
		pairs[i] = []Who{is(n.id), is(f.w.nodes[(i+1)%k].id)}
	}
	return f.split(pairs...)
}

// flap lets one link go and come many times.
func (f *faultPlanner) flap() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	a, b := f.twoNodes()
	period := f.d.between(f.w.plan.Raft.TickMicros, 20*f.w.plan.Raft.TickMicros)
	return f.w.perform(Action{Verb: "flap", Who: is(a.id), Peer: is(b.id), Micros: period, Count: 4 + f.d.Int64N(10)})
}

func (f *faultPlanner) flapping(a, b raft.NodeID, period, left int64) {
	if left == 0 || !f.running {
		return
	}
	undo := f.cut([][2]raft.NodeID{{a, b}, {b, a}})
	f.w.at(period, whatHeal, uint8(a), func() {
		undo()
		f.w.at(period, whatFault, uint8(a), func() { f.flapping(a, b, period, left-1) })
	})
}

// slowLink adds a delay to one direction, up to several election timeouts.
func (f *faultPlanner) slowLink() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	a, b := f.twoNodes()
	extra := f.d.between(5*millisecond, 2*int64(f.w.plan.Raft.ElectionTicks)*f.w.plan.Raft.TickMicros)
	return f.w.perform(Action{Verb: "slow", Links: []Link{{is(a.id), is(b.id)}}, Micros: extra, For: f.outage()})
}

// clientCut separates a member from all clients, not from its peers.
func (f *faultPlanner) clientCut() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	a := Action{Verb: "hide", Who: is(n.id), For: f.outage()}
	if f.d.percent(50) {
		a.Word = "noticed" // at once; else only by timeouts
	}
	return f.w.perform(a)
}

// resetLinks tells members that their links broke, though nobody is gone: raft
// must take it as a hint, never as a fact.
func (f *faultPlanner) resetLinks() bool {
	n, up := f.someNode(), f.w.live()
	if n == nil || len(up) < 2 {
		return false
	}
	for _, o := range up {
		if o == n {
			continue
		}
		a := Action{Verb: "hint", Who: is(n.id), Peer: is(o.id), Word: "closed"}
		if f.d.percent(50) {
			a.Word = "unreachable"
		}
		f.w.perform(a)
	}
	return true
}

// burstLoss loses most of the frames of one member, or of one link, for a moment.
func (f *faultPlanner) burstLoss() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	a := Action{Verb: "loss", Count: f.d.between(30, 100), For: f.d.between(20*millisecond, 500*millisecond)}
	n, other := f.twoNodes()
	a.Links = []Link{{is(n.id), is(other.id)}, {is(other.id), is(n.id)}}
	if f.d.percent(50) {
		a.Links = f.linksOf(n)
	}
	return f.w.perform(a)
}

// linksOf lists both directions between a member and all others.
func (f *faultPlanner) linksOf(n *Node) (list []Link) {
	for _, o := range f.w.nodes {
		if o != n {
			list = append(list, Link{is(n.id), is(o.id)}, Link{is(o.id), is(n.id)})
		}
	}
	return list
}

// throttle bounds what one link carries, from 1 KiB/s to 10 MiB/s.
func (f *faultPlanner) throttle() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	n, other := f.twoNodes()
	a := Action{Verb: "throttle", Links: []Link{{is(n.id), is(other.id)}}, For: f.outage()}
	a.Count = pick[int64](f.d, 1, 1, 10, 100, 1000, 10_000) << 10
	if f.d.percent(40) {
		a.Links = f.linksOf(n)
	}
	return f.w.perform(a)
}

// swizzle clogs some members one after the other and lets them go in another
// order (FoundationDB's "swizzle-clogging").
func (f *faultPlanner) swizzle() bool {
	some := f.w.live()
	if len(some) < 2 {
		return false
	}
	f.d.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	some = some[:1+f.d.IntN(len(some))]
	length := f.outage()
	for i, n := range some {
		begin := f.d.between(0, length/2) * int64(i) / int64(len(some))
		clog := Action{Verb: "clog", Who: is(n.id), For: max(1, f.d.between(length/2, length)-begin)}
		f.w.strikeAfter(begin, func() {
			if f.running {
				f.w.perform(clog)
			}
		})
	}
	return true
}

// resetConnections breaks some connections in the middle of what they carry.
func (f *faultPlanner) resetConnections() bool {
	n := f.someNode()
	if n == nil || len(f.w.nodes) < 2 {
		return false
	}
	return f.w.perform(Action{Verb: "reset", Links: f.linksOf(n)})
}

// replayOld lets frames arrive again that are many heartbeats old.
func (f *faultPlanner) replayOld() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{Verb: "replay", Who: is(n.id), Count: f.d.between(1, 40)})
}

// misroute gives one member's address to another for a while.
func (f *faultPlanner) misroute() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	n, other := f.twoNodes()
	return f.w.perform(Action{Verb: "misroute", Who: is(n.id), Peer: is(other.id), For: f.outage()})
}
