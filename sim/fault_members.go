package sim

import "github.com/holdfast-db/holdfast/raft"

// votersMax bounds the clusters that grow.
const votersMax = 6

// members asks the leader for one change of the membership: learners come and
// are promoted, voters are demoted or leave, the leader too.
func (f *faultPlanner) members() bool {
	if f.w.leader() == nil {
		return false
	}
	a := f.drawChange(f.w.oracle.config)
	return a.Verb != "" && f.sound(a) && f.w.perform(a)
}

// drawChange returns what to ask for; no verb: nothing.
func (f *faultPlanner) drawChange(c raft.Configuration) Action {
	switch r := f.d.IntN(10); {
	case r < 4:
		return f.addLearner(c)
	case r < 7:
		return f.promote(c)
	case r < 8:
		if m, ok := f.someVoter(c); ok {
			return Action{Verb: "demote", Who: is(m.ID)}
		}
		return Action{}
	default:
		return f.remove(c)
	}
}

func (f *faultPlanner) addLearner(c raft.Configuration) Action {
	if len(c.Members) >= votersMax || len(f.w.nodes) >= maxMembers {
		return Action{}
	}
	return Action{Verb: "add", Who: is(raft.NodeID(len(f.w.nodes) + 1))}
}

func (f *faultPlanner) promote(c raft.Configuration) Action {
	for _, m := range c.Members {
		if m.Learner() {
			a := Action{Verb: "promote", Who: is(m.ID)}
			if v, ok := f.someVoter(c); ok && f.d.percent(25) {
				a.Peer = is(v.ID) // a replacement in one joint step
			}
			return a
		}
	}
	return f.addLearner(c)
}

func (f *faultPlanner) remove(c raft.Configuration) Action {
	m := c.Members[f.d.IntN(len(c.Members))]
	if _, ok := f.someVoter(c); m.Voter && !ok {
		return Action{}
	}
	return Action{Verb: "remove", Who: is(m.ID)}
}

// someVoter draws a voter that the cluster can do without.
func (f *faultPlanner) someVoter(c raft.Configuration) (raft.Member, bool) {
	var voters []raft.Member
	for _, m := range c.Members {
		if m.Voter {
			voters = append(voters, m)
		}
	}
	if len(voters) < 2 {
		return raft.Member{}, false
	}
	return voters[f.d.IntN(len(voters))], true
}

// configured is called when a configuration is committed: new members are
// started by their operators, and those that left are stopped, some time later.
func (f *faultPlanner) configured(c raft.Configuration) {
	member := map[raft.NodeID]bool{}
	for _, m := range c.Members {
		member[m.ID] = true
		if n := f.w.node(m.ID); n.life == 0 {
			f.launch(n, c)
		}
	}
	for _, n := range f.w.nodes {
		if n.life > 0 && !member[n.id] && !n.removed {
			f.w.at(f.w.reactions.between(0, 2*second), whatFault, uint8(n.id), func() { f.retire(n) })
		}
	}
}

func (f *faultPlanner) launch(n *Node, c raft.Configuration) {
	n.initial = c.Clone()
	n.life = 1 // only one start is under way
	f.w.at(f.w.reactions.between(0, 300*millisecond), whatStart, uint8(n.id), func() {
		if !n.up && !n.removed && n.life == 1 {
			n.start()
		}
	})
}

// retire stops a machine that is no member any more, for ever.
func (f *faultPlanner) retire(n *Node) {
	if _, again := f.w.oracle.config.Find(n.id); again || n.removed {
		return
	}
	n.removed = true
	n.kill()
	f.w.count.add("members removed")
}

// transfer asks the leader to hand over.
func (f *faultPlanner) transfer() bool {
	n := f.w.leader()
	if n == nil || len(f.w.oracle.config.Members) < 2 {
		return false
	}
	a := Action{Verb: "transfer", Who: is(n.id)}
	if f.d.percent(70) {
		a.Peer = is(f.w.oracle.config.Members[f.d.IntN(len(f.w.oracle.config.Members))].ID)
	}
	return f.w.perform(a)
}

// lateOrder lets a leader order a member to take over, gives the order so much
// time on its way that it is given up, and makes a learner of the member
// meanwhile: it must not obey any more.
func (f *faultPlanner) lateOrder() bool {
	l := f.w.leader()
	m, ok := f.someVoter(f.w.oracle.config)
	if l == nil || !ok || m.ID == l.id {
		return false
	}
	timeout := int64(f.w.plan.Raft.ElectionTicks) * f.w.plan.Raft.TickMicros
	demote := Action{Verb: "demote", Who: is(m.ID)}
	if !f.sound(demote) {
		return false
	}
	// The order is on its way for longer than the leader waits, and is not
	// repeated; what follows once the link is quick again arrives before.
	links := []Link{{is(l.id), is(m.ID)}}
	f.w.perform(Action{Verb: "slow", Links: links, Micros: f.d.between(2*timeout, 3*timeout), For: timeout / 5})
	if !f.w.perform(Action{Verb: "transfer", Who: is(l.id), Peer: is(m.ID)}) {
		return false
	}
	f.w.strikeAfter(timeout/5, func() {
		if f.running {
			f.w.perform(Action{Verb: "cut", Links: links, For: timeout})
		}
	})
	f.w.strikeAfter(f.d.between(5*timeout/4, 3*timeout/2), func() {
		if f.running && f.w.leader() == l && f.sound(demote) {
			f.w.perform(demote)
		}
	})
	return true
}

// sizes are the numbers of voters that a cluster walks through.
var sizes = [...]int{1, 2, 3, 4, 5}

// resize walks the cluster to a size, one change at a time, then to another:
// 1 → 3 → 5 → 3 → 1, even ones included, whoever leads at the moment.
func (f *faultPlanner) resize() bool {
	if f.w.leader() == nil {
		return false
	}
	c := f.w.oracle.config
	voters, _ := f.count(c)
	if f.size == 0 || f.size == voters {
		f.size = sizes[f.d.IntN(len(sizes))]
	}
	a := Action{}
	switch {
	case voters < f.size:
		a = f.promote(c)
	case voters > f.size:
		if m, ok := f.someVoter(c); ok {
			a = Action{Verb: "remove", Who: is(m.ID)}
		}
	}
	return a.Verb != "" && f.sound(a) && f.w.perform(a)
}

// removeReceiver takes a member out while it takes a snapshot in, or its sender
// down.
func (f *faultPlanner) removeReceiver() bool {
	for _, n := range f.w.live() {
		s := n.receiving
		if s == nil || !s.sending() {
			continue
		}
		if f.d.percent(50) {
			return f.killNode(s.from)
		}
		if _, ok := f.w.oracle.config.Find(n.id); !ok || len(f.w.oracle.config.Members) < 2 {
			return false
		}
		a := Action{Verb: "remove", Who: is(n.id)}
		return f.sound(a) && f.w.perform(a)
	}
	return false
}

// lameLearner keeps a learner from ever catching up.
func (f *faultPlanner) lameLearner() bool {
	c := f.w.oracle.config
	for _, m := range c.Members {
		if m.Learner() {
			return f.w.perform(Action{Verb: "isolate", Who: is(m.ID), For: 10 * f.outage()})
		}
	}
	if f.w.leader() == nil {
		return false
	}
	a := f.addLearner(c)
	return a.Verb != "" && f.w.perform(a)
}

// changeAndCrash takes the leader's power while the entry of a new configuration
// is the last one in its log, not yet synced.
func (f *faultPlanner) changeAndCrash() bool {
	n := f.w.leader()
	if n == nil || n.armed() || !f.members() {
		return false
	}
	return f.w.perform(Action{Verb: "crash", Who: is(n.id), Word: "sync", Count: 1 + f.d.Int64N(2), For: f.outage()})
}
