package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// refusal is a member's answer that it lacks the entry before those that it was
// sent.
type refusal struct {
	from raft.NodeID
	prev raft.Index
}

// refusals lists those that a core is about to hear of.
func refusals(batch []replica.Event) (list []refusal) {
	for _, ev := range batch {
		if m := replica.MessageOf(ev); m != nil && m.Type == raft.AppendEntriesReply && m.Reject {
			list = append(list, refusal{m.From, m.RejectedPrev.Index})
		}
	}
	return list
}

// checkSearch is a part of V1: a leader that looks for the place where a log
// still agrees with its own looks further back after each refusal, down to where
// only a snapshot helps. If it asks the same again it asks for ever.
func (n *Node) checkSearch(heard []refusal, trace []raft.Event) {
	for i := range trace {
		ev := &trace[i]
		if ev.Kind != raft.EventMatchLost || ev.Reason != raft.ReasonRejected {
			continue
		}
		further := false
		for _, r := range heard {
			further = further || r.from == ev.Peer && ev.Index < r.prev
		}
		if !further {
			n.w.fail(Stuck, "V1 a leader looks further back after a refusal", uint8(n.id),
				"n%d refused entries (%v), and is asked about %d next", ev.Peer, heard, ev.Index)
		}
		n.w.count.add("refusals that led further back")
	}
}
