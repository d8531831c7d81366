package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// votersMax bounds the clusters that grow.
const votersMax = 6

// members asks the leader for one change of the membership: learners come and
// are promoted, voters are demoted or leave, the leader too.
func (f *faultPlanner) members() bool {
	n := f.w.leader()
	if n == nil {
		return false
	}
	change := f.drawChange(f.w.oracle.config)
	if change == nil {
		return false
	}
	f.w.trace.line(f.w.now, whatFault, uint8(n.id), "asks for %+v", *change)
	r := &replica.Request{Kind: replica.Reconfigure, Change: change}
	r.Done = func(rep replica.Reply) {
		f.w.count.add("membership requests answered")
		f.w.trace.line(f.w.now, whatReply, uint8(n.id), "membership: %v", rep.Err)
	}
	n.enqueue(replica.SubmitEvent{Requests: []*replica.Request{r}})
	return true
}

func (f *faultPlanner) drawChange(c raft.Configuration) *raft.ConfigChange {
	switch r := f.d.IntN(10); {
	case r < 4:
		return f.addLearner(c)
	case r < 7:
		return f.promote(c)
	case r < 8:
		return f.demote(c)
	default:
		return f.remove(c)
	}
}

func (f *faultPlanner) addLearner(c raft.Configuration) *raft.ConfigChange {
	if len(c.Members) >= votersMax || len(f.w.nodes) >= maxMembers {
		return nil
	}
	n := f.w.addNode(raft.Configuration{})
	return &raft.ConfigChange{Set: []raft.Member{{ID: n.id, Address: addressOf(n.id)}}}
}

func (f *faultPlanner) promote(c raft.Configuration) *raft.ConfigChange {
	for _, m := range c.Members {
		if m.Learner() {
			m.Voter = true
			change := &raft.ConfigChange{Set: []raft.Member{m}}
			if v, ok := f.someVoter(c); ok && f.d.percent(25) {
				change.Remove = []raft.NodeID{v.ID} // a replacement in one joint step
			}
			return change
		}
	}
	return f.addLearner(c)
}

func (f *faultPlanner) demote(c raft.Configuration) *raft.ConfigChange {
	m, ok := f.someVoter(c)
	if !ok {
		return nil
	}
	m.Voter = false
	return &raft.ConfigChange{Set: []raft.Member{m}}
}

func (f *faultPlanner) remove(c raft.Configuration) *raft.ConfigChange {
	m := c.Members[f.d.IntN(len(c.Members))]
	if _, ok := f.someVoter(c); m.Voter && !ok {
		return nil
	}
	return &raft.ConfigChange{Remove: []raft.NodeID{m.ID}}
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
	m := voters[f.d.IntN(len(voters))]
	m.OldVoter = false
	return m, true
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
			f.w.at(f.d.between(0, 2*second), whatFault, uint8(n.id), func() { f.retire(n) })
		}
	}
}

func (f *faultPlanner) launch(n *Node, c raft.Configuration) {
	n.initial = c.Clone()
	n.life = 1 // only one start is under way
	f.w.at(f.d.between(0, 300*millisecond), whatStart, uint8(n.id), func() {
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
	to := raft.NodeID(0)
	if f.d.percent(70) {
		to = f.w.oracle.config.Members[f.d.IntN(len(f.w.oracle.config.Members))].ID
	}
	if to == n.id {
		to = 0
	}
	r := &replica.Request{Kind: replica.TransferLeader, Member: to}
	r.Done = func(rep replica.Reply) {
		if rep.Err == nil {
			f.w.count.add(CountTransfers)
		}
		f.w.trace.line(f.w.now, whatReply, uint8(n.id), "transfer to %v: %v", to, rep.Err)
	}
	n.enqueue(replica.SubmitEvent{Requests: []*replica.Request{r}})
	return true
}
