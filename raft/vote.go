package raft

// leaseHeld reports whether a live leader is known: this member leads, or has
// heard from its leader within an election timeout. While it holds, elections
// are ignored (thesis §4.2.3): whoever calls one has lost touch with the
// leader, or was removed, and would only disturb. CheckQuorum makes sure that a
// leader whose quorum is gone stops renewing it.
func (n *Node) leaseHeld() bool {
	return n.role == Leader || n.leader != 0 && n.electionElapsed < n.cfg.ElectionTicks
}

// ignoresElections says why m does not even raise the term here.
func (n *Node) ignoresElections(m *Message) Reason {
	switch {
	case !n.ownGenuine():
		return ReasonWrongIncarnation
	case n.leaseHeld() && !m.Transfer:
		return ReasonLeaseHeld
	}
	return ReasonNone
}

// onRequestPreVote answers whether this member would vote, without promising
// anything. A learner answers like everybody else: the candidate may know of
// its promotion before it does itself (etcd #10998).
func (n *Node) onRequestPreVote(m *Message) {
	why := n.ignoresElections(m)
	switch {
	case why != ReasonNone:
	case m.Term == n.term && n.vote != m.From && (n.vote != 0 || n.leader != 0):
		why = ReasonAlreadyVoted
	case !n.log.upToDate(m.LogEnd):
		why = ReasonLogBehind
	}
	if why != ReasonNone {
		n.refuseVote(m, why)
		return
	}
	n.event(EventPreVoteGranted, ReasonNone, m.From, m.LogEnd.Index)
	n.send(Message{Type: RequestPreVoteReply, To: m.From, Term: m.Term})
}

// onRequestVote votes at most once a term, and only for a candidate whose log
// is at least as up to date as this one (Raft §5.2, §5.4.1). The term is
// this member's already.
func (n *Node) onRequestVote(m *Message) {
	why := n.ignoresElections(m)
	switch {
	case why != ReasonNone:
	case n.vote != 0 && n.vote != m.From || n.leader != 0 && n.vote != m.From:
		why = ReasonAlreadyVoted
	case !n.log.upToDate(m.LogEnd):
		why = ReasonLogBehind
	}
	if why != ReasonNone {
		n.refuseVote(m, why)
		return
	}
	n.vote = m.From
	n.resetElectionTimer()
	n.event(EventVoteGranted, ReasonNone, m.From, m.LogEnd.Index)
	n.sendInTerm(Message{Type: RequestVoteReply, To: m.From})
}

// refuseVote answers with this member's own term, so that a candidate that is
// behind catches up, and one that waits in vain stops waiting.
func (n *Node) refuseVote(m *Message, why Reason) {
	kind, reply := EventVoteRefused, RequestVoteReply
	if m.Type == RequestPreVote {
		kind, reply = EventPreVoteRefused, RequestPreVoteReply
	}
	n.event(kind, why, m.From, m.LogEnd.Index)
	n.sendInTerm(Message{Type: reply, To: m.From, Reject: true})
}
