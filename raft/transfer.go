package raft

// Transfer hands the leadership to an incoming voter; 0 picks the one whose log
// is longest. Proposals are refused until the target leads or an election
// timeout has passed (thesis §3.10). Asked again for the same target it does
// nothing; for another, the first is given up.
//
// Errors: ErrNotLeader, ErrBadTransferee.
func (n *Node) Transfer(to NodeID) error {
	if n.role != Leader {
		return ErrNotLeader
	}
	p := n.transferTarget(to)
	if p == nil {
		return ErrBadTransferee
	}
	if n.lead.transferee == p.id {
		return nil
	}
	if n.lead.transferee != 0 {
		n.abortTransfer(ReasonAsked)
	}
	n.lead.transferee, n.lead.transferElapsed = p.id, 0
	n.event(EventTransferStarted, ReasonAsked, p.id, 0)
	if p.match == n.log.last() {
		n.sendTimeoutNow(p)
		return nil
	}
	p.paused = false
	n.lead.dirty = true // catch it up; its acknowledgement goes on from here
	return nil
}

func (n *Node) transferTarget(to NodeID) *progress {
	if to == 0 {
		return n.lead.best(n.config())
	}
	if m, ok := n.config().Find(to); !ok || !m.Voter {
		return nil
	}
	return n.lead.find(to)
}

// sendTimeoutNow asks a member that has the whole log to campaign at once.
func (n *Node) sendTimeoutNow(p *progress) {
	n.event(EventTimeoutNowSent, ReasonNone, p.id, n.log.last())
	n.send(Message{Type: TimeoutNow, To: p.id})
}

// tickTransfer gives up when the target doesn't lead after an election timeout,
// and repeats a request that may have been lost.
func (n *Node) tickTransfer() {
	l := n.lead
	if l.transferee == 0 {
		return
	}
	if l.transferElapsed++; l.transferElapsed >= n.cfg.ElectionTicks {
		n.abortTransfer(ReasonTimeout)
		n.continueConfig() // may have waited for this
		return
	}
	if p := l.find(l.transferee); l.transferElapsed%n.cfg.HeartbeatTicks == 0 && p != nil && p.match == n.log.last() {
		n.sendTimeoutNow(p)
	}
}

func (n *Node) abortTransfer(why Reason) {
	n.event(EventTransferAborted, why, n.lead.transferee, 0)
	n.lead.transferee, n.lead.transferElapsed = 0, 0
}

// onTimeoutNow campaigns at once, without PreVote, and past the leases: the
// leader itself has asked for it.
func (n *Node) onTimeoutNow(m *Message) {
	if !n.heardLeader(m) {
		return
	}
	if why := n.mayCampaign(); why != ReasonNone {
		n.event(EventCampaignRefused, why, m.From, 0)
		return
	}
	n.becomeCandidate(ReasonTimeoutNow)
}
