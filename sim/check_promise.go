package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// promiseBytesMax: no message that makes a promise is larger.
const promiseBytesMax = 256

// checkPromise compares what leaves a member with what is durable there (R2,
// R7): a vote, a candidacy or an acknowledgement that a crash could undo is a
// lie, even if no crash comes.
func (n *Node) checkPromise(to raft.NodeID, frame []byte) {
	if len(frame) > promiseBytesMax || transport.Kind(frame[4]) != transport.KindRaft {
		return
	}
	m, err := transport.DecodeMessage(frame[transport.FrameHeaderBytes:])
	if err != nil {
		n.w.unsafe("S2 members speak the protocol", uint8(n.id), "undecodable message: %v", err)
	}
	prospective := m.Type == raft.RequestPreVote || m.Type == raft.RequestPreVoteReply
	if !prospective && m.Term > n.shadow.hard.Term {
		n.w.unsafe("R2 a term is durable before it is told", uint8(n.id), "%v to n%d in term %d, durable is %s", m.Type, to, m.Term, n.shadow.text())
	}
	switch m.Type {
	case raft.RequestVote:
		n.checkVoteDurable(&m, n.id)
	case raft.RequestVoteReply:
		if !m.Reject {
			n.checkVoteDurable(&m, to)
		}
	case raft.AppendEntriesReply:
		if !m.Reject && m.Match > n.shadow.last() {
			n.w.unsafe("R7 acknowledged entries are durable", uint8(n.id), "acknowledges %d to n%d, durable is %s", m.Match, to, n.shadow.text())
		}
		n.checkSameEntry(&m, to)
	case raft.TimeoutNow:
		n.checkOrder(&m, to)
	}
}

// checkOrder is a part of V1: who is ordered to take over has all that the leader
// has, or it would depose the leader and lose the election (thesis §3.10). In the
// turn in which the leader gives the transfer up it goes on taking proposals, and
// what it has ordered before that may still be on its way.
func (n *Node) checkOrder(m *raft.Message, to raft.NodeID) {
	node, other := raftOf(n.rep), n.w.node(to)
	if node.Role() != raft.Leader || node.Term() != m.Term || other == nil || other.lost() || other.damaged || n.aborted {
		return
	}
	if last := endOf(node); !other.kept().holds(last) {
		n.w.fail(Stuck, "V1 who is to take over can win", uint8(n.id), "n%d is ordered to take over in term %d, has %s, the leader's log ends at %v",
			to, m.Term, other.kept().text(), last)
	}
}

func (n *Node) checkVoteDurable(m *raft.Message, candidate raft.NodeID) {
	h := n.shadow.hard
	if h.Term > m.Term || h.Term == m.Term && h.Vote == candidate {
		return
	}
	n.w.unsafe("R2 a vote is durable before it is told", uint8(n.id), "%v says vote for n%d in term %d, durable is %s",
		m.Type, candidate, m.Term, n.shadow.text())
}

// checkSameEntry: what is durable at the acknowledged index is the entry that
// is meant, not one that was to be overwritten.
func (n *Node) checkSameEntry(m *raft.Message, to raft.NodeID) {
	node := raftOf(n.rep)
	if m.Reject || node.Term() != m.Term {
		return
	}
	if term, ok := termAt(node, m.Match); ok && !n.shadow.holds(raft.EntryID{Index: m.Match, Term: term}) {
		n.w.unsafe("R7 acknowledged entries are durable", uint8(n.id), "acknowledges %d@%d to n%d, durable is another entry: %s",
			m.Match, term, to, n.shadow.text())
	}
}
