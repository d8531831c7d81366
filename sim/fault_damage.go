package sim

import "github.com/holdfast-db/holdfast/raft"

// Faults of disks that lose or change what they hold: what the swarm draws of
// action_damage.go, within a budget. The atlas is this rule: at any time a
// minority of the voters has a damaged disk, each disk is damaged once, and
// nobody changes the membership so that the damaged could outvote the others.
// So every committed entry has an intact copy that a quorum finds. A run beyond
// the budget keeps none of that; then members may only stop, never lie.

// patient draws a member whose disk may be damaged now, or nil.
func (f *faultPlanner) patient() *Node {
	members := f.w.oracle.config.Members
	n := f.w.node(members[f.d.IntN(len(members))].ID)
	if n.damaged || n.broken || n.removed || n.life == 0 {
		return nil
	}
	if f.w.plan.BeyondBudget || f.affords(n) {
		return n
	}
	return nil
}

// affords tells whether the cluster can do without one more voter, also if what
// is under way now should come about.
func (f *faultPlanner) affords(n *Node) bool {
	c := f.w.oracle.config
	if !f.unchanging() {
		return false
	}
	voters, damaged := f.count(c)
	m, _ := c.Find(n.id)
	return m.Voter && damaged+1 <= (voters-1)/2
}

// unchanging tells whether no change of the membership can be under way.
func (f *faultPlanner) unchanging() bool {
	quiet := 3 * int64(f.w.plan.Replica.RequestTimeoutTicks) * f.w.plan.Raft.TickMicros
	if f.w.oracle.config.Joint() || f.w.asked > 0 && f.w.now < f.w.asked+quiet {
		return false
	}
	last := f.w.oracle.configs[len(f.w.oracle.configs)-1].index
	for _, n := range f.w.nodes {
		if n.configAt.Index > last {
			return false
		}
	}
	return true
}

// count counts the voters, and those with a damaged disk.
func (f *faultPlanner) count(c raft.Configuration) (voters, damaged int) {
	for _, m := range c.Members {
		if !m.Voter {
			continue
		}
		voters++
		if n := f.w.node(m.ID); n.damaged || n.broken {
			damaged++
		}
	}
	return voters, damaged
}

// sound tells whether a change of the membership keeps the damaged a minority.
func (f *faultPlanner) sound(a Action) bool {
	if f.w.unstopped() {
		return false // a new voter has heard nothing of what an old disk has forgotten
	}
	if _, damaged := f.count(f.w.oracle.config); damaged == 0 {
		return true
	}
	if !f.unchanging() {
		return false
	}
	voters, damaged := 0, 0
	for _, m := range f.w.oracle.config.Members {
		voter := m.Voter
		switch m.ID {
		case a.Who.ID:
			voter = a.Verb == "promote"
		case a.Peer.ID:
			voter = voter && a.Verb != "promote"
		}
		if !voter {
			continue
		}
		voters++
		if n := f.w.node(m.ID); n.damaged || n.broken {
			damaged++
		}
	}
	return damaged <= (voters-1)/2
}

func (f *faultPlanner) bitRot() bool {
	n := f.patient()
	if n == nil {
		return false
	}
	a := Action{
		Verb: "rot", Who: is(n.id), Word: rotClasses[f.d.IntN(len(rotClasses))],
		How: pick(f.d, "bit", "zeros", "garbage", "block"), Count: f.d.Int64N(1000),
	}
	if f.d.percent(50) {
		a.Count = f.newest(n, a.Word)
	}
	if !f.w.perform(a) {
		return false
	}
	f.atOnce(n)
	return true
}

func (f *faultPlanner) misplace() bool {
	n := f.patient()
	if n == nil {
		return false
	}
	a := Action{Verb: "misplace", Who: is(n.id), Peer: is(n.id), Count: f.d.Int64N(1000)}
	if other := f.someNode(); other != nil && f.d.percent(30) {
		a.Peer = is(other.id)
	}
	return f.w.perform(a)
}

func (f *faultPlanner) loseFile() bool { return f.hurtFile("lose") }

func (f *faultPlanner) shortenFile() bool {
	if n := f.patient(); n != nil && f.d.percent(40) && f.w.perform(Action{Verb: "curtail", Who: is(n.id), Count: f.d.Int64N(4)}) {
		f.atOnce(n)
		return true
	}
	return f.hurtFile("shorten")
}

func (f *faultPlanner) hurtFile(verb string) bool {
	n := f.patient()
	if n == nil || !f.w.perform(Action{
		Verb: verb, Who: is(n.id), Word: pick(f.d, "segment", "segment", "super", "snapshot"), Count: f.d.Int64N(1000),
	}) {
		return false
	}
	f.atOnce(n)
	return true
}

func (f *faultPlanner) loseWrite() bool {
	n := f.patient()
	if n != nil && f.d.percent(60) {
		return f.loseLogWrite(n)
	}
	return n != nil && f.w.perform(Action{
		Verb: "losewrite", Who: is(n.id),
		Disk: DiskErrors{Part: pick(f.d, ".wal", ".wal", "super", "snap", ".new"), After: f.d.Int64N(10)},
	})
}

func (f *faultPlanner) misread() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{
		Verb: "misread", Who: is(n.id), For: f.outage(),
		Disk: DiskErrors{Part: pick(f.d, ".wal", "snap", "super"), After: f.d.Int64N(6), Times: f.d.between(1, 3)},
	})
}

func (f *faultPlanner) wipe() bool {
	n := f.patient()
	return n != nil && f.w.perform(Action{Verb: "wipe", Who: is(n.id), For: f.outage()})
}

// replace is what operators do about a member that won't come back: another
// takes its place as a learner, in one change, and is promoted when it has
// caught up. They try until they get through, or the run ends.
func (f *faultPlanner) replace(n *Node) {
	if !f.w.plan.ReplaceDamaged {
		return
	}
	f.w.at(f.w.reactions.between(200*millisecond, 2*second), whatRequest, 0, func() { f.replacing(n, nil) })
}

func (f *faultPlanner) replacing(n, fresh *Node) {
	if !f.running {
		return
	}
	if f.w.unstopped() {
		f.w.at(500*millisecond, whatRequest, 0, func() { f.replacing(n, fresh) })
		return
	}
	c := f.w.oracle.config
	_, old := c.Find(n.id)
	switch {
	case old && len(f.w.nodes) < maxMembers && !c.Joint():
		if fresh == nil {
			fresh = f.w.addNode(raft.Configuration{})
		}
		f.w.ask(raft.ConfigChange{Set: []raft.Member{{ID: fresh.id, Address: addressOf(fresh.id)}}, Remove: []raft.NodeID{n.id}})
	case !old && fresh != nil:
		m, ok := c.Find(fresh.id)
		if !ok || m.Voter {
			f.w.count.add("damaged members replaced")
			return
		}
		m.Voter = true
		f.w.ask(raft.ConfigChange{Set: []raft.Member{m}})
	}
	f.w.at(500*millisecond, whatRequest, 0, func() { f.replacing(n, fresh) })
}
