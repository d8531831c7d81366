package raft

import (
	"fmt"
	"slices"
)

// ballot holds the answers to a campaign. A member is counted once.
type ballot struct {
	granted, refused []NodeID
}

func (b *ballot) answer(id NodeID, granted bool) {
	if slices.Contains(b.granted, id) || slices.Contains(b.refused, id) {
		return
	}
	if granted {
		b.granted = append(b.granted, id)
	} else {
		b.refused = append(b.refused, id)
	}
}

// won: a quorum said yes.
func (b *ballot) won(c *Configuration) bool {
	return c.quorum(func(id NodeID) bool { return slices.Contains(b.granted, id) })
}

// lost: no quorum can say yes any more.
func (b *ballot) lost(c *Configuration) bool {
	return !c.quorum(func(id NodeID) bool { return !slices.Contains(b.refused, id) })
}

// Campaign starts an election at once: for a single member, which has nobody
// to wait for, and for tests. A leader ignores it.
func (n *Node) Campaign() {
	if n.role != Leader {
		n.campaign(ReasonAsked)
	}
}

// electionTimedOut: no leader was heard of for an election timeout.
func (n *Node) electionTimedOut() {
	if n.mayCampaign() != ReasonNone {
		n.follow(0)
		n.resetElectionTimer()
		return
	}
	n.campaign(ReasonElectionTimeout)
}

// campaign asks for the leadership. PreVote finds out first, without raising
// the term, whether it could be won, so that a member that was cut off doesn't
// depose a working leader when it comes back (thesis §9.6).
func (n *Node) campaign(why Reason) {
	if no := n.mayCampaign(); no != ReasonNone {
		n.event(EventCampaignRefused, no, 0, 0)
		return
	}
	if n.cfg.DisablePreVote {
		n.becomeCandidate(why)
		return
	}
	n.becomePreCandidate(why)
}

func (n *Node) becomePreCandidate(why Reason) {
	n.leaveRole()
	n.role = PreCandidate
	n.follow(0)
	n.resetElectionTimer()
	n.event(EventBecamePreCandidate, why, 0, 0)
	n.ballot.answer(n.cfg.ID, true) // no promise, so nothing to make durable
	for _, m := range n.config().Members {
		if m.votes() && m.ID != n.cfg.ID {
			n.send(Message{Type: RequestPreVote, To: m.ID, Term: n.term + 1, LogEnd: n.log.end()})
		}
	}
	n.tally()
}

// becomeCandidate begins a term and votes for itself (Raft §5.2). The requests
// leave, and the own vote counts, when term and vote are durable.
func (n *Node) becomeCandidate(why Reason) {
	n.leaveRole()
	n.writer.dropUnsent()
	n.role, n.term, n.vote = Candidate, n.term+1, n.cfg.ID
	n.follow(0)
	n.resetElectionTimer()
	n.event(EventBecameCandidate, why, 0, 0)
	transfer := why == ReasonTimeoutNow
	for _, m := range n.config().Members {
		if m.votes() && m.ID != n.cfg.ID {
			n.sendInTerm(Message{Type: RequestVote, To: m.ID, LogEnd: n.log.end(), Transfer: transfer})
		}
	}
}

// countOwnVote counts the candidate's vote for itself once it is durable.
func (n *Node) countOwnVote() {
	if d := n.writer.durable; n.role == Candidate && d.Term == n.term && d.Vote == n.cfg.ID {
		n.ballot.answer(n.cfg.ID, true)
		n.tally()
	}
}

// tally ends a campaign that is decided.
func (n *Node) tally() {
	switch {
	case n.ballot.won(n.config()):
		if n.role == PreCandidate {
			n.becomeCandidate(ReasonPreVoteWon)
			return
		}
		n.becomeLeader()
	case n.ballot.lost(n.config()):
		n.becomeFollower(n.term, 0, ReasonElectionLost, 0)
	}
}

func (n *Node) onPreVoteReply(m *Message) {
	if !m.Reject && m.Term != n.term+1 {
		n.drop(m, ReasonStale)
		return
	}
	n.ballot.answer(m.From, !m.Reject)
	n.tally()
}

func (n *Node) onVoteReply(m *Message) {
	n.ballot.answer(m.From, !m.Reject)
	n.tally()
}

// becomeLeader takes over the term with an empty entry: only an entry of its
// own term tells the leader what is committed (Raft §5.4.2, §8).
func (n *Node) becomeLeader() {
	if n.writer.durable.Term != n.term {
		panic(fmt.Sprintf("raft: leader of term %d, which is not durable", n.term))
	}
	n.leaveRole()
	n.role = Leader
	n.follow(n.cfg.ID)
	n.electionElapsed = 0
	n.lead = newLeadership(n.log.last() + 1)
	n.lead.uncommittedBytes = n.uncommittedInMemory()
	n.syncProgress()
	n.appendOwn(EntryNoop, nil)
	n.event(EventBecameLeader, ReasonElectionWon, 0, n.lead.noop)
}

func (n *Node) uncommittedInMemory() int {
	from := max(n.log.commit+1, n.log.tail.first())
	if from > n.log.last() {
		return 0
	}
	return payloadBytes(n.log.tail.slice(from, n.log.last()))
}

// ShortenFirstWait leaves a member that has heard of no leader yet as if all of
// the election timeout but left ticks had passed: left, and the random part.
// For a start, once the others can be reached: a leader would be heard within
// a heartbeat, so left is some heartbeats. It never makes a wait longer, and it
// does nothing to a member that follows, campaigns or leads: what others rest on
// is how long a voter keeps to its leader.
func (n *Node) ShortenFirstWait(left int) {
	if n.role != Follower || n.leader != 0 || n.fence != nil {
		return
	}
	n.electionElapsed = max(n.electionElapsed, n.cfg.ElectionTicks-left)
}

// PeerClosed tells that a member's process is gone: the link dialled to it
// ended and a redial at once was refused, or met another boot. If it led this
// term there is no lease to honour any more. The voters then campaign in the
// order of their ids, PeerClosedTicks apart, so that the first usually wins
// alone. Off if Config.PeerClosedTicks is 0.
func (n *Node) PeerClosed(id NodeID) {
	if n.role == Leader {
		n.PeerUnreachable(id)
		return
	}
	if id == 0 || id != n.leader || n.cfg.PeerClosedTicks == 0 {
		return
	}
	n.event(EventPeerClosed, ReasonNone, id, 0)
	n.follow(0)
	spread := n.cfg.PeerClosedTicks
	wait := 1 + n.rank(id)*spread + n.cfg.Rand.IntN(spread)
	n.electionTimeout = min(n.electionTimeout, n.electionElapsed+wait) // never later than it was
}

// rank counts the voters before this one, the closed leader left out.
func (n *Node) rank(closed NodeID) int {
	rank := 0
	for _, m := range n.config().Members {
		if m.votes() && m.ID != closed && m.ID < n.cfg.ID {
			rank++
		}
	}
	return rank
}
