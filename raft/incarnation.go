package raft

import (
	"cmp"
	"slices"
)

// binding is the first incarnation heard of a member that no entry binds yet.
type binding struct {
	id          NodeID
	incarnation Incarnation
}

// genuine reports whether a message comes from the incarnation of its sender
// that counts: the bound one; until one is bound, the first that was heard. A
// member that the configuration does not list has none to compare with.
func (n *Node) genuine(from NodeID, inc Incarnation) bool {
	m, ok := n.config().Find(from)
	if !ok {
		return true
	}
	if m.Incarnation != 0 {
		return m.Incarnation == inc
	}
	k, found := n.findHeard(from)
	if !found {
		n.heard = slices.Insert(n.heard, k, binding{from, inc})
		return true
	}
	return n.heard[k].incarnation == inc
}

func (n *Node) findHeard(id NodeID) (int, bool) {
	return slices.BinarySearchFunc(n.heard, id, func(b binding, id NodeID) int { return cmp.Compare(b.id, id) })
}

// pruneHeard forgets members that left or are bound now.
func (n *Node) pruneHeard() {
	n.heard = slices.DeleteFunc(n.heard, func(b binding) bool {
		m, ok := n.config().Find(b.id)
		return !ok || m.Incarnation != 0
	})
}

// ownGenuine reports whether this member is the incarnation that its
// configuration binds: a wiped member, started anew, is not, and its votes
// would break promises that it has forgotten.
func (n *Node) ownGenuine() bool {
	m, ok := n.self()
	return !ok || m.Incarnation == 0 || m.Incarnation == n.cfg.Incarnation
}

// bindIncarnations proposes one entry that binds all incarnations known. It
// waits until all are known, but no longer than an election timeout.
func (n *Node) bindIncarnations() {
	if n.mayChangeConfig() != nil {
		return
	}
	next := n.config().Clone()
	bound, missing := 0, 0
	for k := range next.Members {
		m := &next.Members[k]
		if m.Incarnation != 0 {
			continue
		}
		if m.Incarnation = n.known(m.ID); m.Incarnation != 0 {
			bound++
		} else {
			missing++
		}
	}
	if bound == 0 || missing > 0 && n.lead.ticks < n.cfg.ElectionTicks {
		return
	}
	next.Context = nil // this is nobody's request
	id := n.appendConfig(next)
	n.event(EventIncarnationsBound, ReasonNone, 0, id.Index)
}

func (n *Node) known(id NodeID) Incarnation {
	if id == n.cfg.ID {
		return n.cfg.Incarnation
	}
	if k, ok := n.findHeard(id); ok {
		return n.heard[k].incarnation
	}
	return 0
}
