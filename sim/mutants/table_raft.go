package main

var raftMutants = []mutant{
	{id: "1a", name: "a vote is told before it is on disk", edits: []edit{
		{"raft/persist.go", "return w.handed.Term != n.term || w.handed.Vote != n.vote ||", "return w.handed.Term != n.term ||"},
		{"raft/persist.go", "case w.durable.Term == n.term && w.durable.Vote == n.vote:", "case w.durable.Term == n.term:"},
	}},
	{id: "1b", name: "votes are kept in memory only", edits: []edit{
		{"raft/persist.go", "return w.handed.Term != n.term || w.handed.Vote != n.vote ||", "return w.handed.Term != n.term ||"},
		{"raft/persist.go", "HardState{Term: n.term, Vote: n.vote, Commit: n.log.commit}", "HardState{Term: n.term, Commit: n.log.commit}"},
		{"raft/persist.go", "case w.durable.Term == n.term && w.durable.Vote == n.vote:", "case w.durable.Term == n.term:"},
		{"raft/persist.go", "case w.handed.Term == n.term && w.handed.Vote == n.vote:", "case w.handed.Term == n.term:"},
		{"raft/election.go", "d.Term == n.term && d.Vote == n.cfg.ID {", "d.Term == n.term {"},
	}},
	{id: "1c", name: "the log forgets the vote of a batch", edits: []edit{
		{"wal/log.go", "	h.hard.Commit = min(h.hard.Commit, h.last.Index)\n	blocks", "	h.hard.Commit, h.hard.Vote = min(h.hard.Commit, h.last.Index), 0\n	blocks"},
	}},
	{id: "2a", name: "a step up to a higher term is not persisted", edits: []edit{
		{"raft/persist.go", "return w.handed.Term != n.term || w.handed.Vote != n.vote ||", "return w.handed.Vote != n.vote ||"},
		{"raft/persist.go", "case w.durable.Term == n.term && w.durable.Vote == n.vote:", "case w.durable.Vote == n.vote:"},
	}},
	{id: "2b", name: "a term without a vote is told before it is on disk", edits: []edit{
		{"raft/persist.go", "case w.durable.Term == n.term && w.durable.Vote == n.vote:", "case w.durable.Term == n.term && w.durable.Vote == n.vote || n.vote == 0:"},
	}},
	{id: "3a", name: "the vote reply does not wait for the sync", edits: []edit{
		{"raft/vote.go", "n.sendInTerm(Message{Type: RequestVoteReply, To: m.From})", "n.send(Message{Type: RequestVoteReply, To: m.From})"},
	}},
	{id: "3b", name: "a candidate counts its own vote before the sync", edits: []edit{
		{"raft/election.go", "	transfer := why == ReasonTimeoutNow\n", "	n.ballot.answer(n.cfg.ID, true)\n	transfer := why == ReasonTimeoutNow\n"},
		{"raft/election.go", "	if n.writer.durable.Term != n.term {\n", "	if n.writer.durable.Term > n.term {\n"},
	}, harmless: "the requests for votes still leave after the sync, so nobody's answer can come before it, and alone the own " +
		"vote decides nothing: the votes are counted when an answer comes or the sync is over"},
	{id: "4", name: "up to date: the index alone counts, not the last term", edits: []edit{
		{"raft/log.go", "return other.Term > end.Term || other.Term == end.Term && other.Index >= end.Index", "return other.Index >= end.Index"},
	}},
	{id: "5", name: "up to date: a log of equal length is refused", edits: []edit{
		{"raft/log.go", "other.Term == end.Term && other.Index >= end.Index", "other.Term == end.Term && other.Index > end.Index"},
	}},
	{id: "6", name: "entries of earlier terms are committed by counting (Figure 8)", edits: []edit{
		{"raft/replicate.go", "if i <= n.log.commit || n.log.term(i) != n.term {", "if i <= n.log.commit {"},
	}},
	{id: "7", name: "no entry of its own opens a leader's term", edits: []edit{
		{"raft/election.go", "	n.appendOwn(EntryNoop, nil)\n", ""},
		{"raft/election.go", "newLeadership(n.log.last() + 1)", "newLeadership(0)"},
	}},
	{id: "8a", name: "half of an even number of voters is a quorum", edits: []edit{
		{"raft/quorum.go", "return v[len(v)-(len(v)/2+1)]", "return v[len(v)-(len(v)+1)/2]"},
	}},
	{id: "8b", name: "half of the voters, rounded down, is a quorum", edits: []edit{
		{"raft/quorum.go", "return v[len(v)-(len(v)/2+1)]", "return v[len(v)-max(len(v)/2, 1)]"},
	}},
	{id: "9a", name: "a leader counts its own entries before they are on disk", edits: []edit{
		{"raft/progress.go", "return n.writer.persisted // its own entries count like any other's", "return n.log.last()"},
	}},
	{id: "9b", name: "a write that was overtaken still vouches for its entries", edits: []edit{
		{"raft/persist.go", "	w.persisted = max(w.persisted, r.upTo)", "	w.persisted = max(w.persisted, r.last)"},
	}},
	{id: "10a", name: "a follower acknowledges entries before they are on disk", edits: []edit{
		{"raft/append.go", "n.sendDurable(Message{Type: AppendEntriesReply, To: leader, Match: match})", "n.send(Message{Type: AppendEntriesReply, To: leader, Match: match})"},
	}},
	{id: "10b", name: "acknowledgements of truncated entries are not withdrawn", edits: []edit{
		{"raft/persist.go", "return m.Type == AppendEntriesReply && !m.Reject && m.Match >= from }", "return false && m.Match >= from }"},
	}, harmless: "an entry is truncated only in a later term than it was acknowledged in, and entering a term withdraws " +
		"everything unsent anyway; a snapshot that replaces the log lies beyond all that was acknowledged in its term"},
	{id: "10c", name: "the driver sends what waits for a write before the write", edits: []edit{
		{"server/replica/core.go", "			out.Events = append(out.Events, persistEvent{Persist: o.Persist})", "			c.send(o.Persist.After, out)\n			c.persist.after = nil\n			out.Events = append(out.Events, persistEvent{Persist: o.Persist})"},
	}},
	{id: "11", name: "an append truncates although its entries match", edits: []edit{
		{"raft/append.go", "k := n.log.firstConflict(es)", "k := 0"},
	}},
	{id: "12", name: "a conflict may truncate below the commit index", edits: []edit{
		{"raft/append.go", "		if from <= n.log.commit {\n			n.drop(m, ReasonBelowCommit)\n			return false\n		}\n", ""},
	}, harmless: "the guard is never reached: a message that ends at or below the commit index is answered before, one that " +
		"begins below it is cut there, and above it there is nothing committed"},
	{id: "13a", name: "a follower's commit index isn't bounded by what the leader sent", edits: []edit{
		{"raft/append.go", "n.advanceCommit(min(m.Commit, last))", "n.advanceCommit(min(m.Commit, n.log.last()))"},
	}, harmless: "nothing that the leader lacks stands behind the end of a message that is taken. A leader's search never goes " +
		"below the last entry that both have (hint and answer are each the highest that can agree, and terms never fall), so the " +
		"first message that a follower takes in a term begins right there; it brings the next entry, for the leader's own no-op lies " +
		"behind; and that entry cuts whatever the follower has instead. From then on its log is a part of the leader's, and before " +
		"then it acknowledges nothing from which the leader could go on lower down. (On a disk that keeps what it was given: a copy " +
		"of an earlier day, met by a message that is late, is fenced.)"},
	{id: "13b", name: "a heartbeat tells a commit index beyond what the member has", edits: []edit{
		{"raft/replicate.go", "		commit := min(p.match, n.log.commit)", "		commit := n.log.commit"},
		{"raft/append.go", "	n.advanceCommit(m.Commit)\n", "	n.advanceCommit(min(m.Commit, n.log.last()))\n"},
		{"raft/append.go", "	if m.Commit > n.log.last() {\n		n.drop(m, ReasonMalformed)\n		return\n	}\n", ""},
	}},
	{id: "14", name: "a candidate ignores a leader of its own term", edits: []edit{
		{"raft/dispatch.go",
			"RequestVote: (*Node).onRequestVote, RequestVoteReply: (*Node).onVoteReply,\n		AppendEntries: (*Node).onAppendEntries, AppendEntriesReply: (*Node).onStale,\n		Heartbeat: (*Node).onHeartbeat, HeartbeatReply",
			"RequestVote: (*Node).onRequestVote, RequestVoteReply: (*Node).onVoteReply,\n		AppendEntries: (*Node).onStale, AppendEntriesReply: (*Node).onStale,\n		Heartbeat: (*Node).onStale, HeartbeatReply"},
	}},
	{id: "15a", name: "a repeated old rejection moves next below match", edits: []edit{
		{"raft/replicate.go", "p.state == SnapshotTransfer || prev <= p.match || prev > n.log.last() ||\n		p.state == Probe && prev != p.next-1 || p.state == Replicate && prev >= p.next", "prev > n.log.last()"},
		{"raft/progress.go", "p.state, p.next, p.paused = Probe, max(next, p.match+1), false", "p.state, p.next, p.paused = Probe, next, false"},
	}},
	{id: "15b", name: "a log that disagrees at the leader's first entry is probed for ever", edits: []edit{
		{"raft/replicate.go", "	p.probe(min(agree.Index, below) + 1)\n", "	p.probe(min(agree.Index, m.Hint.Index) + 1)\n"},
	}, faults: "overtaken-leader"},
	{id: "16", name: "a request for a pre-vote raises the term", edits: []edit{
		{"raft/dispatch.go", "		return true // asks about a term that nobody has begun", "		break"},
	}},
	{id: "17", name: "a leader without a quorum goes on (no CheckQuorum)", edits: []edit{
		{"raft/replicate.go", "	if !n.quorumActive() {", "	if false {"},
	}},
	{id: "18a", name: "a leader that hands over keeps taking proposals", edits: []edit{
		{"raft/replicate.go", "	case n.lead.transferee != 0:\n		return EntryID{}, ErrTransferring\n", ""},
	}},
	{id: "18b", name: "a member is ordered to take over before it has all of the log", edits: []edit{
		{"raft/transfer.go", "	if p.match == n.log.last() {\n		n.sendTimeoutNow(p)\n		return nil\n	}\n", "	if true {\n		n.sendTimeoutNow(p)\n		return nil\n	}\n"},
	}},
	{id: "19", name: "election timeouts are not drawn", edits: []edit{
		{"raft/node.go", "n.electionTimeout = n.cfg.ElectionTicks + n.cfg.Rand.IntN(n.cfg.ElectionTicks)", "n.electionTimeout = n.cfg.ElectionTicks"},
	}},
	{id: "20", name: "a durable commit index runs ahead of the durable entries", edits: []edit{
		{"server/replica/log.go", "part.HardState.Commit = min(part.HardState.Commit, last)", "part.HardState.Commit = max(part.HardState.Commit, last-last)"},
		{"wal/log.go", "	h.hard.Commit = min(h.hard.Commit, h.last.Index)\n	blocks", "	blocks"},
	}},
}

var readMutants = []mutant{
	{id: "21", name: "a leader answers reads without a quorum round", edits: []edit{
		{"raft/read.go", "if f.number == 0 || !n.config().quorum(n.echoed) {", "if f.number == 0 {"},
	}},
	{id: "22", name: "reads before the first commit of the leader's term", edits: []edit{
		{"raft/read.go", "return l.reads.flight.number == 0 && n.log.commit >= l.noop &&", "return l.reads.flight.number == 0 &&"},
	}},
	{id: "23", name: "a follower reads at its own commit index", edits: []edit{
		{"raft/read.go", "ready := ReadReady{ID: m.Read, Index: m.Commit, Term: m.Term}", "ready := ReadReady{ID: m.Read, Index: min(m.Commit, n.log.commit), Term: m.Term}"},
	}},
	{id: "24a", name: "the echo of an older round counts for a newer one", edits: []edit{
		{"raft/read.go", "return p != nil && p.round >= n.lead.reads.flight.number", "return p != nil && p.round > 0"},
	}},
	{id: "24b", name: "the answer to an older question counts for a newer one", edits: []edit{
		{"server/replica/reads.go", "	if !q.active || ready.ID != q.id {", "	if !q.active {"},
	}},
	{id: "24c", name: "reads join the round that is under way", edits: []edit{
		{"server/replica/reads.go", "	if q.active || len(q.waiting) == 0 || c.leader == 0 {\n		return\n	}", "	if q.active && c.role == raft.Leader {\n		q.round, q.waiting = append(q.round, q.waiting...), nil\n	}\n	if q.active || len(q.waiting) == 0 || c.leader == 0 {\n		return\n	}"},
	}, faults: "paused-leader"},
	{id: "24d", name: "a read is answered before its index is applied", edits: []edit{
		{"server/replica/apply.go", "uint64(a.ready[n].Index) <= a.state.AppliedIndex() {", "uint64(a.ready[n].Index) <= a.state.AppliedIndex()+1 {"},
	}},
}

var memberMutants = []mutant{
	{id: "26", name: "a second change while one is under way", edits: []edit{
		{"raft/membership.go", "	case n.configPending():\n		return ErrConfigPending\n", ""},
	}},
	{id: "27", name: "a change before an entry of the leader's own term is committed", edits: []edit{
		{"raft/membership.go", "	case n.log.commit < n.lead.noop:\n		return ErrNotReady\n", ""},
	}, harmless: "the 2015 bug needs changes without a joint phase. Here an old leader's uncommitted joint entry still asks " +
		"for a majority of the voters before it, and each of those majorities has since taken a later term's entry, so it " +
		"can neither be elected nor commit (configPending alone keeps each change next to a committed one)"},
	{id: "28", name: "in the joint phase the new majority alone decides", edits: []edit{
		{"raft/quorum.go", "	return min(in, out)", "	if in != noVoters {\n		return in\n	}\n	return min(in, out)"},
	}},
	{id: "29", name: "the leader obeys a configuration when committed, followers when appended", edits: []edit{
		{"raft/membership.go", "func (n *Node) config() *Configuration { return &n.configs.active().Config }",
			"func (n *Node) config() *Configuration {\n	if n.role == Leader {\n		c := n.configs.at(n.log.commit)\n		return &c.Config\n	}\n	return &n.configs.active().Config\n}"},
	}},
	{id: "30a", name: "learners count in the quorum", edits: []edit{
		{"raft/quorum.go", "in := c.majority(match, func(m *Member) bool { return m.Voter })", "in := c.majority(match, func(m *Member) bool { return m.Voter || m.Learner() })"},
	}},
	{id: "30b", name: "a learner stands for election", edits: []edit{
		{"raft/membership.go", "if m, ok := c.Config.Find(n.cfg.ID); ok && m.votes() {", "if _, ok := c.Config.Find(n.cfg.ID); ok {"},
	}},
	{id: "31", name: "a promoted learner that doesn't know it yet refuses to vote", edits: []edit{
		{"raft/vote.go", "	case !n.ownGenuine():\n		return ReasonWrongIncarnation\n", "	case !n.ownGenuine() || n.mayCampaign() == ReasonNotVoter:\n		return ReasonWrongIncarnation\n"},
	}},
	{id: "32a", name: "a removed leader goes on leading", edits: []edit{
		{"raft/membership.go", "		n.stepDownRemoved()\n", ""},
	}},
	{id: "32b", name: "a member that is leaving counts as an incoming voter", edits: []edit{
		{"raft/configuration.go", "m.OldVoter, m.Voter, m.Leaving = m.Voter, false, true", "m.OldVoter, m.Voter, m.Leaving = m.Voter, m.Voter, false"},
	}},
	{id: "33", name: "a learner is promoted however far behind", edits: []edit{
		{"raft/membership.go", "if p == nil || p.match < n.writer.persisted-n.writer.persisted/10 {", "if p == nil {"},
	}},
	{id: "34a", name: "a snapshot carries the configuration that the member started with", edits: []edit{
		{"server/replica/apply.go", "	a.config = raft.ConfigAt{At: e.ID(), Config: config}\n", ""},
	}},
	{id: "34b", name: "an installed snapshot's configuration is not obeyed", edits: []edit{
		{"raft/snapshot.go", "	n.configs.stack = []ConfigAt{meta.Config}\n", ""},
	}},
	{id: "34c", name: "a truncated configuration stays in force", edits: []edit{
		{"raft/append.go", "	n.rollBackConfigs(from)\n", ""},
	}},
}
