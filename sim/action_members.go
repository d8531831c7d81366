package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// What operators ask the leader for.
var memberVerbs = []verb{
	{"transfer", []param{pWho, pAnyone}, doTransfer, "the first member, a leader, hands over to the second, or to whom it likes"},
	{"add", []param{pWho}, doAdd, "a new member joins as a learner; its machine starts once the configuration is committed"},
	{"promote", []param{pWho, pInstead}, doPromote, "a learner becomes a voter, and the other leaves in the same change"},
	{"demote", []param{pWho}, doDemote, "a voter becomes a learner"},
	{"remove", []param{pWho}, doRemove, "a member leaves; its machine is switched off some time after that is committed"},
}

func doTransfer(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up {
		return false
	}
	r := &replica.Request{Kind: replica.TransferLeader}
	if to := w.who(a.Peer); to != nil && to != n {
		r.Member = to.id
	}
	r.Done = func(rep replica.Reply) {
		if rep.Err == nil {
			w.count.add(CountTransfers)
		}
		w.trace.line(w.now, whatReply, uint8(n.id), "transfer to %v: %v", r.Member, rep.Err)
	}
	n.enqueue(replica.SubmitEvent{Requests: []*replica.Request{r}})
	return true
}

// ask sends a change of the membership to the leader.
func (w *World) ask(change raft.ConfigChange) bool {
	n := w.leader()
	if n == nil {
		return false
	}
	w.asked = w.now
	w.trace.line(w.now, whatRequest, uint8(n.id), "asked for %+v", change)
	known := len(w.oracle.configs)
	r := &replica.Request{Kind: replica.Reconfigure, Change: &change}
	r.Done = func(rep replica.Reply) {
		w.count.add("membership requests answered")
		w.trace.line(w.now, whatReply, uint8(n.id), "membership: %v", rep.Err)
		if rep.Err == nil {
			n.checkChanged(&change, known)
		}
	}
	n.enqueue(replica.SubmitEvent{Requests: []*replica.Request{r}})
	return true
}

// doAdd makes the machine and asks for it. Ids are never used again; a script
// from which another addition was cut leaves a gap.
func doAdd(w *World, a *Action) bool {
	id := a.Who.ID
	if id == 0 || id > maxMembers || w.leader() == nil {
		return false
	}
	if n := w.node(id); n != nil && n.life > 0 {
		return false
	}
	for len(w.nodes) < int(id) {
		w.addNode(raft.Configuration{})
	}
	return w.ask(raft.ConfigChange{Set: []raft.Member{{ID: id, Address: addressOf(id)}}})
}

// member finds an action's member in the committed configuration.
func (w *World) member(name Who) (m raft.Member, ok bool) {
	n := w.who(name)
	if n == nil {
		return m, false
	}
	m, ok = w.oracle.config.Find(n.id)
	m.OldVoter = false
	return m, ok
}

func doPromote(w *World, a *Action) bool {
	m, ok := w.member(a.Who)
	if !ok {
		return false
	}
	m.Voter = true
	change := raft.ConfigChange{Set: []raft.Member{m}}
	if other := w.who(a.Peer); other != nil {
		change.Remove = []raft.NodeID{other.id}
	}
	return w.ask(change)
}

func doDemote(w *World, a *Action) bool {
	m, ok := w.member(a.Who)
	if !ok {
		return false
	}
	m.Voter = false
	return w.ask(raft.ConfigChange{Set: []raft.Member{m}})
}

func doRemove(w *World, a *Action) bool {
	m, ok := w.member(a.Who)
	return ok && w.ask(raft.ConfigChange{Remove: []raft.NodeID{m.ID}})
}
