package sim

import "github.com/holdfast-db/holdfast/raft"

// elections checks R1 (at most one leader a term, ever), R2 (one durable vote
// a member and term, across restarts) and R5 (a leader holds all that was
// committed in earlier terms).
type elections struct {
	w       *World
	leaders map[raft.Term]raft.NodeID
	votes   map[ballot]raft.NodeID
	newest  raft.Term
}

type ballot struct {
	voter raft.NodeID
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
	e.newest = max(e.newest, term)
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
	b := ballot{voter: n.id, term: hard.Term}
	if before, ok := e.votes[b]; ok && before != hard.Vote {
		e.w.unsafe("R2 one vote a term", uint8(n.id), "voted for n%d and n%d in term %d", before, hard.Vote, hard.Term)
	}
	e.votes[b] = hard.Vote
}
