package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// outbid tells whether a candidate is about to hear the leader of its own term:
// then the election is over and it has to follow. It returns the term, or 0.
func (n *Node) outbid(batch []replica.Event) raft.Term {
	node := raftOf(n.rep)
	if node.Role() != raft.Candidate {
		return 0
	}
	for _, ev := range batch {
		m := replica.MessageOf(ev)
		if m == nil || m.To != n.id || m.Term != node.Term() || n.w.elected.leaders[m.Term] != m.From {
			continue
		}
		if m.Type == raft.AppendEntries || m.Type == raft.Heartbeat {
			return m.Term
		}
	}
	return 0
}

// checkFollows is a part of V1: who hears the leader of its term follows it
// (Raft §5.2), and doesn't sit an election out that others have decided.
func (n *Node) checkFollows(bid raft.Term, role raft.Role, term raft.Term) {
	if bid != 0 && role == raft.Candidate && term == bid {
		n.w.fail(Stuck, "V1 who hears the leader follows it", uint8(n.id), "n%d goes on standing in term %d, though its leader has spoken", n.id, term)
	}
}

// checkLeads is R9 for leaders: once the configuration without it is committed,
// a leader that was removed or demoted leads no longer (thesis §4.2.2). And a
// voter that it makes out of a learner has nearly all that it has itself, or
// commits would have to wait for the newcomer (thesis §4.2.1).
func (n *Node) checkLeads(role raft.Role, commit raft.Index) {
	if role != raft.Leader {
		return
	}
	node := raftOf(n.rep)
	at := node.ConfigAt()
	changed, committed := at != n.configAt, n.last.commit < at.Index && at.Index <= commit
	if !changed && !committed && n.last.role == role {
		return
	}
	config := node.Status().Config.Config
	me, _ := config.Find(n.id)
	if at.Index <= commit && !me.Voter && !me.OldVoter {
		n.w.unsafe("R9 a leader is a voter", uint8(n.id), "n%d leads in term %d under the committed %v", n.id, node.Term(), config)
	}
	if changed && at.Term == node.Term() && n.last.role == role {
		n.checkPromoted(&config)
	}
}

// promotionLag: the part of the leader's log, as 1/n, that a learner may lack.
const promotionLag = 10

func (n *Node) checkPromoted(next *raft.Configuration) {
	mine := raftOf(n.rep).PersistedIndex()
	for _, m := range next.Members {
		before, known := n.config0.Find(m.ID)
		if !m.Voter || !known || !before.Learner() {
			continue
		}
		if has := n.w.node(m.ID).shadow.last(); has < mine-mine/promotionLag {
			n.w.unsafe("R9 only caught-up learners are promoted", uint8(n.id), "n%d becomes a voter with its log at %d, the leader's is at %d", m.ID, has, mine)
		}
	}
}
