package raft

import "fmt"

// Checkpoint is what CheckStep compares: a Node's numbers before and after a
// step. Taking one is cheap.
type Checkpoint struct {
	ID        NodeID
	Role      Role
	Term      Term
	Vote      NodeID
	Leader    NodeID
	Commit    Index
	Handed    Index
	Applied   Index
	Prev, End EntryID
	Config    EntryID
	Durable   HardState
	Issued    Write
}

// Checkpoint returns the numbers of the moment.
func (n *Node) Checkpoint() Checkpoint {
	return Checkpoint{
		ID: n.cfg.ID, Role: n.role, Term: n.term, Vote: n.vote, Leader: n.leader,
		Commit: n.log.commit, Handed: n.applier.handed, Applied: n.applier.applied,
		Prev: n.log.terms.prev, End: n.log.end(), Config: n.configs.active().At,
		Durable: n.writer.durable, Issued: n.writer.issued,
	}
}

// check is a row of the tables below: what must hold, and whether it does.
type check struct {
	ok   bool
	what string
}

// firstFailure names the first row that does not hold; "" if all do. Only then is
// there something to print: the tables are gone through after every step.
func firstFailure(checks []check) string {
	for i := range checks {
		if !checks[i].ok {
			return checks[i].what
		}
	}
	return ""
}

func violated(id NodeID, what string, numbers any) error {
	return fmt.Errorf("raft: n%s: violated: %s: %+v", id, what, numbers)
}

// CheckStep compares a Node before and after any input or Output: what must
// never go back did not (after LogCabin's checkDelta).
func CheckStep(before, after Checkpoint) error {
	sameTerm := before.Term == after.Term
	led := sameTerm && before.Role == Leader && after.Role == Leader
	what := firstFailure([]check{
		{before.ID == after.ID, "the same member"},
		{after.Term >= before.Term, "terms never fall"},
		{!sameTerm || before.Vote == 0 || after.Vote == before.Vote, "one vote a term"},
		{!sameTerm || before.Leader == 0 || after.Leader == 0 || after.Leader == before.Leader, "one leader a term"},
		{after.Commit >= before.Commit, "commit never falls"},
		{after.Handed >= before.Handed && after.Applied >= before.Applied, "applied never falls"},
		{after.Prev.Index >= before.Prev.Index, "the log's start never falls"},
		{!led || after.End.Index >= before.End.Index, "a leader only appends (Leader Append-Only)"},
		{after.End.Index >= before.Commit, "committed entries stay"},
		{after.Durable.Term >= before.Durable.Term, "durable terms never fall"},
		{after.Issued >= before.Issued, "write numbers rise"},
		{after.Role != Leader || before.Role == Leader && sameTerm || after.End.Term == after.Term, "a new leader opens its term"},
	})
	if what == "" {
		return nil
	}
	return violated(after.ID, what, [2]Checkpoint{before, after})
}

// CheckState verifies the invariants of a Node at rest: between any two calls
// of its methods. It doesn't scan the log.
func CheckState(n *Node) error {
	c := n.Checkpoint()
	w, t := &n.writer, &n.log.tail
	what := firstFailure([]check{
		{c.Prev.Index <= c.Commit && c.Commit <= c.End.Index, "log start ≤ commit ≤ last"},
		{c.Applied <= c.Handed && c.Handed <= c.Commit, "applied ≤ handed ≤ commit"},
		{c.End.Term <= c.Term, "no entry of a later term"},
		{w.persisted < w.next && w.next <= n.log.last()+1, "persisted < next to write ≤ last+1"},
		{t.next == n.log.last()+1, "the tail ends with the log"},
		{t.first() >= n.log.first() || len(t.entries) == 0, "the tail is within the log"},
		{t.first() <= w.next, "what is not written is in memory"},
		{w.durable.Term <= w.handed.Term && w.handed.Term <= c.Term, "durable ≤ handed out ≤ present term"},
		{w.durable.Term < c.Term || w.durable.Vote == 0 || w.durable.Vote == c.Vote, "the durable vote stands"},
		{(n.role == Leader) == (n.lead != nil), "only a leader has progress"},
		{n.role != Leader || c.Leader == c.ID, "a leader follows itself"},
		{n.role != Leader || w.durable.Term == c.Term, "a leader's term is durable"},
		{n.role == Follower || n.role == Leader || c.Leader == 0, "a candidate has no leader"},
		{n.role != Candidate || c.Vote == c.ID, "a candidate votes for itself"},
		{c.Config.Index <= c.End.Index, "the configuration is in the log"},
		{n.configs.stack[0].At.Index <= c.Commit, "the lowest configuration is committed"},
	})
	if what != "" {
		return violated(c.ID, what, c)
	}
	if err := n.config().Check(); err != nil {
		return err
	}
	if n.role == Leader {
		return n.checkLeader()
	}
	return nil
}

func (n *Node) checkLeader() error {
	l := n.lead
	if what := firstFailure([]check{
		{l.noop <= n.log.last(), "the no-op is in the log"},
		{n.log.commit < l.noop || n.config().held(n.acknowledgedBy) >= l.noop || n.configs.active().At.Index > n.log.commit,
			"a quorum holds what the leader committed"},
		{l.uncommittedBytes >= 0, "uncommitted bytes are counted"},
		{l.reads.flight.number <= l.round, "the read round has begun"},
	}); what != "" {
		return violated(n.cfg.ID, what, n.Checkpoint())
	}
	for _, m := range n.config().Members {
		if m.ID != n.cfg.ID && l.find(m.ID) == nil {
			return fmt.Errorf("raft: n%s: violated: no progress for n%s", n.cfg.ID, m.ID)
		}
	}
	for k, p := range l.progress {
		if err := n.checkProgress(k, p); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) checkProgress(k int, p *progress) error {
	bytes := 0
	for _, f := range p.inflight {
		bytes += f.bytes
	}
	what := firstFailure([]check{
		{k == 0 || n.lead.progress[k-1].id < p.id, "progress is sorted"},
		{p.match < p.next && p.next <= n.log.last()+1, "match < next ≤ last+1"},
		{p.state == Replicate || len(p.inflight) == 0, "only a pipeline has messages in flight"},
		{bytes == p.inflightBytes, "bytes in flight are counted"},
		{len(p.inflight) <= n.cfg.InflightMessagesMax, "messages in flight are bounded"},
		{p.round <= n.lead.round, "no echo of a round that has not begun"},
	})
	if what == "" {
		return nil
	}
	return violated(n.cfg.ID, what, *p)
}
