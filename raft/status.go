package raft

// Status returns what there is to know, copied.
func (n *Node) Status() Status {
	s := Status{
		ID: n.cfg.ID, Role: n.role, Term: n.term, Vote: n.vote, Leader: n.leader,
		Commit: n.log.commit, Applied: n.applier.applied,
		First: n.log.first(), Last: n.log.last(), Persisted: n.writer.persisted,
		Config: ConfigAt{At: n.configs.active().At, Config: n.config().Clone()},
	}
	if n.role != Leader {
		return s
	}
	s.Transferee = n.lead.transferee
	for _, p := range n.lead.progress {
		s.Progress = append(s.Progress, Progress{
			ID: p.id, Learner: !p.voter, State: p.state, Match: p.match, Next: p.next,
			InflightBytes: p.inflightBytes, ActiveTicks: p.activeTicks,
			RecentActive: p.heard && p.active(n.cfg.ElectionTicks),
		})
	}
	return s
}

// The methods below are the parts of Status that are asked for often.

// Role returns what the member is doing in its term.
func (n *Node) Role() Role { return n.role }

// Term returns the present term.
func (n *Node) Term() Term { return n.term }

// Leader returns the leader of the present term, 0 if it is not known.
func (n *Node) Leader() NodeID { return n.leader }

// Commit returns the commit index.
func (n *Node) Commit() Index { return n.log.commit }

// TermAt returns the term of an index of the log; false outside of it, but the
// entry before its first is still known.
func (n *Node) TermAt(i Index) (Term, bool) { return n.log.terms.at(i) }

// ConfigAt returns where the active configuration stands in the log.
func (n *Node) ConfigAt() EntryID { return n.configs.active().At }

// PersistedIndex is the last entry known to be durable on this member's disk.
func (n *Node) PersistedIndex() Index { return n.writer.persisted }

// FirstIndex is the first entry that the log on disk still holds.
func (n *Node) FirstIndex() Index { return n.log.first() }

// Transferee is the voter that leadership is being handed to, 0 if none.
func (n *Node) Transferee() NodeID {
	if n.role != Leader {
		return 0
	}
	return n.lead.transferee
}
