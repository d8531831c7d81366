package raft

// heardLeader notes that m.From leads this term. It returns false if another
// one does: that would break Election Safety, and m must not be obeyed.
func (n *Node) heardLeader(m *Message) bool {
	switch n.leader {
	case m.From:
		n.resetElectionTimer()
	case 0:
		n.becomeFollower(n.term, m.From, ReasonLeaderHeard, m.From)
	default:
		n.drop(m, ReasonTwoLeaders)
		return false
	}
	return true
}

// onAppendEntries appends what follows a common entry (Raft Figure 2,
// "AppendEntries RPC"). The acknowledgement leaves when the entries are durable.
func (n *Node) onAppendEntries(m *Message) {
	if !n.heardLeader(m) {
		return
	}
	last := m.Prev.Index + Index(len(m.Entries))
	if last <= n.log.commit {
		n.acknowledge(m.From, n.log.commit) // an old message: all that is committed matches
		return
	}
	es := m.Entries
	switch {
	case m.Prev.Index < n.log.commit:
		// An older message with some news: what is committed matches for sure, and
		// the log may not even begin that early.
		es = es[n.log.commit-m.Prev.Index:]
		if es[0].Term < n.log.term(n.log.commit) {
			n.drop(m, ReasonBelowCommit)
			return
		}
	case !n.log.terms.holds(m.Prev):
		n.rejectAppend(m)
		return
	}
	if !n.appendReceived(m, es) {
		return
	}
	n.advanceCommit(min(m.Commit, last))
	n.acknowledge(m.From, last)
}

// appendReceived appends those of es that the log lacks. Only a real conflict
// cuts the log: an old message, arriving late, must not undo what came after
// it (Raft §5.3; "if an existing entry conflicts with a new one").
func (n *Node) appendReceived(m *Message, es []Entry) bool {
	k := n.log.firstConflict(es)
	if k == len(es) {
		return true
	}
	if from := es[k].Index; from <= n.log.last() {
		if from <= n.log.commit {
			n.drop(m, ReasonBelowCommit)
			return false
		}
		n.truncate(from)
	}
	for _, e := range es[k:] {
		n.log.append(e)
		if e.Type == EntryConfig {
			n.pushConfig(mustDecode(e))
		}
	}
	return true
}

func (n *Node) truncate(from Index) {
	n.event(EventTruncated, ReasonConflict, n.leader, from)
	n.log.truncate(from)
	n.writer.truncated(from)
	n.rollBackConfigs(from)
}

// acknowledge tells the leader, when it is durable, that the log matches up to
// match.
func (n *Node) acknowledge(leader NodeID, match Index) {
	n.sendDurable(Message{Type: AppendEntriesReply, To: leader, Match: match})
}

// rejectAppend asks the leader to go back, with the last entry that can agree:
// the highest at or before Prev whose term is not above Prev's.
func (n *Node) rejectAppend(m *Message) {
	why := ReasonConflict
	if m.Prev.Index > n.log.last() {
		why = ReasonMissing
	}
	n.event(EventAppendRejected, why, m.From, m.Prev.Index)
	n.sendInTerm(Message{
		Type: AppendEntriesReply, To: m.From, Reject: true, RejectedPrev: m.Prev,
		Hint: n.log.terms.highest(m.Prev.Index, m.Prev.Term),
	})
}

// onHeartbeat renews the lease and echoes the round. Its commit index is within
// what this member has acknowledged.
func (n *Node) onHeartbeat(m *Message) {
	if m.Commit > n.log.last() {
		n.drop(m, ReasonMalformed)
		return
	}
	if !n.heardLeader(m) {
		return
	}
	n.advanceCommit(m.Commit)
	n.sendInTerm(Message{Type: HeartbeatReply, To: m.From, Round: m.Round})
}
