package sim

import "github.com/holdfast-db/holdfast/raft"

// elections checks R1 (at most one leader a term, ever, and each with the
// durable votes of a quorum), R2 (one durable vote a member and term, across
// restarts), R5 (a leader holds all that was committed in earlier terms) and V3
// (terms grow only by candidacies).
type elections struct {
	w       *World
	leaders map[raft.Term]raft.NodeID
	votes   map[ballot]raft.NodeID
	newest  raft.Term // that anybody has led in
	since   int64     // when that began, µs
	opened  raft.Term // the largest that anybody has stood in
}

type ballot struct {
	voter raft.NodeID
	wipes int // a disk that was lost takes its promises along
	term  raft.Term
}

func newElections(w *World) *elections {
	return &elections{w: w, leaders: map[raft.Term]raft.NodeID{}, votes: map[ballot]raft.NodeID{}}
}

// leads is called when a member becomes leader.
func (e *elections) leads(n *Node, term raft.Term) {
	if other, ok := e.leaders[term]; ok && other != n.id {
		e.w.unsafe("R1 election safety", uint8(n.id), "n%d and n%d lead in term %d", other, n.id, term)
	}
	if _, again := e.leaders[term]; !again {
		e.leaders[term] = n.id
		e.w.count.add(CountLeaderChanges)
	}
	e.checkVotes(n, term)
	if term > e.newest {
		e.newest, e.since = term, e.w.now
	}
	e.w.trace.line(e.w.now, whatRole, uint8(n.id), "leads in term %d", term)
	e.checkComplete(n, term)
}

// checkComplete is R5, Leader Completeness. An entry counts if it was known to
// be committed in an earlier term; a leader whose votes were slow may stand
// beside a later one and lack what that one committed.
func (e *elections) checkComplete(n *Node, term raft.Term) {
	log := e.w.oracle.log
	for i := len(log); i > 0; i-- {
		if log[i-1].commitTerm >= term {
			continue
		}
		id := raft.EntryID{Index: raft.Index(i), Term: log[i-1].term}
		if !holdsEntry(raftOf(n.rep), id) {
			e.w.unsafe("R5 leader completeness", uint8(n.id), "leader of term %d lacks the committed entry %v", term, id)
		}
		return
	}
}

// voted records a durable vote.
func (e *elections) voted(n *Node, hard raft.HardState) {
	if hard.Vote == 0 {
		return
	}
	b := ballot{voter: n.id, wipes: n.wipes, term: hard.Term}
	if before, ok := e.votes[b]; ok && before != hard.Vote {
		e.w.unsafe("R2 one vote a term", uint8(n.id), "voted for n%d and n%d in term %d", before, hard.Vote, hard.Term)
	}
	e.votes[b] = hard.Vote
}

// checkVotes is the cause of R1: a quorum of the candidate's configuration has
// voted for it, in both halves of a joint one, and those votes are durable. One
// turn may win an election and append a configuration, so either counts.
func (e *elections) checkVotes(n *Node, term raft.Term) {
	before, now := n.config0, raftOf(n.rep).Status().Config.Config
	voted := func(m *Node) bool { return e.votes[ballot{m.id, 0, term}] == n.id }
	if !e.w.quorum(&before, voted) && !e.w.quorum(&now, voted) {
		e.w.unsafe("R1 leaders are elected by a quorum", uint8(n.id), "n%d leads in term %d without the votes of a quorum of %v", n.id, term, now)
	}
}

// began is V3, bounded term growth, at its root: a term begins when somebody who
// has won a pre-vote, or was told to by the leader, stands in it. Asking for a
// pre-vote raises nobody's term, however often and from behind whatever cut.
func (e *elections) began(n *Node, events []raft.Event, term raft.Term) {
	for i := range events {
		if events[i].Kind == raft.EventBecameCandidate {
			e.opened = max(e.opened, events[i].Term)
		}
	}
	if term > e.opened {
		e.w.unsafe("V3 terms begin with a candidate", uint8(n.id), "n%d is in term %d, nobody has stood in a later one than %d", n.id, term, e.opened)
	}
}
