package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// Faults of the network.

// partition splits the members in two halves that don't hear each other.
func (f *faultPlanner) partition() bool {
	side := map[raft.NodeID]bool{}
	for _, n := range f.w.nodes {
		side[n.id] = f.d.percent(50)
	}
	var links [][2]raft.NodeID
	for _, a := range f.w.nodes {
		for _, b := range f.w.nodes {
			if side[a.id] != side[b.id] {
				links = append(links, [2]raft.NodeID{a.id, b.id})
			}
		}
	}
	if len(links) == 0 {
		return false
	}
	f.lasting(f.cut(links))
	return true
}

// isolateLeader leaves the leader with its clients, and nobody else.
func (f *faultPlanner) isolateLeader() bool {
	n := f.w.leader()
	if n == nil || len(f.w.nodes) == 1 {
		return false
	}
	f.lasting(f.isolate(n))
	return true
}

// oneWay blocks single directions.
func (f *faultPlanner) oneWay() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	var links [][2]raft.NodeID
	for range 1 + f.d.IntN(2) {
		a, b := f.twoNodes()
		links = append(links, [2]raft.NodeID{a.id, b.id})
	}
	f.lasting(f.cut(links))
	return true
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
	var links [][2]raft.NodeID
	for i, a := range f.w.nodes {
		for j, b := range f.w.nodes {
			if i != middle && j != middle && i%2 != j%2 {
				links = append(links, [2]raft.NodeID{a.id, b.id})
			}
		}
	}
	f.lasting(f.cut(links))
	return true
}

// ring: everyone hears only its neighbours; no two see the same majority.
func (f *faultPlanner) ring() bool {
	k := len(f.w.nodes)
	if k < 4 {
		return false
	}
	var links [][2]raft.NodeID
	for i, a := range f.w.nodes {
		for j, b := range f.w.nodes {
			if i != j && j != (i+1)%k && i != (j+1)%k {
				links = append(links, [2]raft.NodeID{a.id, b.id})
			}
		}
	}
	f.lasting(f.cut(links))
	return true
}

// flap lets one link go and come many times.
func (f *faultPlanner) flap() bool {
	if len(f.w.nodes) < 2 {
		return false
	}
	a, b := f.twoNodes()
	period := f.d.between(f.w.plan.Raft.TickMicros, 20*f.w.plan.Raft.TickMicros)
	f.flapping(a.id, b.id, period, 4+f.d.IntN(10))
	return true
}

func (f *faultPlanner) flapping(a, b raft.NodeID, period int64, left int) {
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
	f.w.net.slow[a.id][b.id] += extra
	f.lasting(func() { f.w.net.slow[a.id][b.id] -= extra })
	return true
}

// clientCut separates a member from all clients, not from its peers.
func (f *faultPlanner) clientCut() bool {
	n := f.someNode()
	if n == nil || !n.clientUp {
		return false
	}
	n.clientUp = false
	if f.d.percent(50) {
		f.w.load.connectionsLost(n) // noticed at once; else only by timeouts
	}
	f.lasting(func() { n.clientUp = true })
	return true
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
		if f.d.percent(50) {
			n.enqueue(replica.PeerUnreachableEvent{Peer: o.id})
		} else {
			n.enqueue(replica.PeerClosedEvent{Peer: o.id})
		}
	}
	return true
}
