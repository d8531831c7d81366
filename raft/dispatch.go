package raft

// handler acts on a message of the member's own term (a RequestPreVote may
// name a later one).
type handler func(*Node, *Message)

// handlers says at a glance which role answers what. An empty cell is a message
// that no correct peer sends to that role; it is dropped with an Event.
//
// A message of a later term has made the member a follower before it gets here,
// one of an earlier term was answered before (see receive).
var handlers = [4][messageTypes]handler{
	Follower: {
		RequestPreVote: (*Node).onRequestPreVote, RequestPreVoteReply: (*Node).onStale,
		RequestVote: (*Node).onRequestVote, RequestVoteReply: (*Node).onStale,
		AppendEntries: (*Node).onAppendEntries, AppendEntriesReply: (*Node).onStale,
		Heartbeat: (*Node).onHeartbeat, HeartbeatReply: (*Node).onStale,
		InstallSnapshot: (*Node).onInstallSnapshot, TimeoutNow: (*Node).onTimeoutNow,
		ReadIndex: (*Node).onReadIndexElsewhere, ReadIndexReply: (*Node).onReadIndexReply,
	},
	PreCandidate: {
		RequestPreVote: (*Node).onRequestPreVote, RequestPreVoteReply: (*Node).onPreVoteReply,
		RequestVote: (*Node).onRequestVote, RequestVoteReply: (*Node).onStale,
		AppendEntries: (*Node).onAppendEntries, AppendEntriesReply: (*Node).onStale,
		Heartbeat: (*Node).onHeartbeat, HeartbeatReply: (*Node).onStale,
		InstallSnapshot: (*Node).onInstallSnapshot, TimeoutNow: (*Node).onTimeoutNow,
		ReadIndex: (*Node).onReadIndexElsewhere, ReadIndexReply: (*Node).onStale,
	},
	Candidate: {
		RequestPreVote: (*Node).onRequestPreVote, RequestPreVoteReply: (*Node).onStale,
		RequestVote: (*Node).onRequestVote, RequestVoteReply: (*Node).onVoteReply,
		AppendEntries: (*Node).onAppendEntries, AppendEntriesReply: (*Node).onStale,
		Heartbeat: (*Node).onHeartbeat, HeartbeatReply: (*Node).onStale,
		InstallSnapshot: (*Node).onInstallSnapshot, TimeoutNow: (*Node).onStale,
		ReadIndex: (*Node).onReadIndexElsewhere, ReadIndexReply: (*Node).onStale,
	},
	Leader: {
		RequestPreVote: (*Node).onRequestPreVote, RequestPreVoteReply: (*Node).onStale,
		RequestVote: (*Node).onRequestVote, RequestVoteReply: (*Node).onStale,
		AppendEntriesReply: (*Node).onAppendEntriesReply,
		HeartbeatReply:     (*Node).onHeartbeatReply,
		ReadIndex:          (*Node).onReadIndex, ReadIndexReply: (*Node).onStale,
	},
}

// fromLeader reports whether only the leader of m.Term sends this.
func (t MessageType) fromLeader() bool {
	switch t {
	case AppendEntries, Heartbeat, InstallSnapshot, TimeoutNow:
		return true
	}
	return false
}

// Receive takes a message of a peer. A malformed, misrouted or stale one is
// dropped with an Event. m.Entries must not be changed afterwards.
func (n *Node) Receive(m Message) {
	if n.fence != nil {
		return
	}
	n.received = m
	n.receive(&n.received)
	n.received = Message{}
}

func (n *Node) receive(m *Message) {
	if why := n.checkMessage(m); why != ReasonNone {
		n.drop(m, why)
		return
	}
	if m.Type == Disown {
		n.onDisown(m) // true, whoever says it: he was told so once
		return
	}
	// A leader's messages need no proof of incarnation: a quorum has elected it,
	// perhaps under a configuration that this member is yet to receive from it.
	switch genuine := n.genuine(m.From, m.Incarnation); {
	case !genuine && !m.Type.fromLeader():
		n.onImpostor(m)
		return
	case genuine && !n.admit(m):
		n.disown(m)
		return
	case m.Type == Announce:
		return
	}
	if m.Term < n.term {
		n.onOldTerm(m)
		return
	}
	if m.Term > n.term && !n.enterTerm(m) {
		return
	}
	if h := handlers[n.role][m.Type]; h != nil {
		h(n, m)
		return
	}
	n.drop(m, ReasonUnexpected)
}

// enterTerm steps up to the term of m (Raft Figure 2, "Rules for Servers"). It
// returns false if that ends the matter.
func (n *Node) enterTerm(m *Message) bool {
	switch m.Type {
	case RequestPreVote:
		return true // asks about a term that nobody has begun
	case RequestPreVoteReply:
		if !m.Reject {
			return true // echoes the term asked about
		}
	case RequestVote:
		if why := n.ignoresElections(m); why != ReasonNone {
			n.refuseVote(m, why)
			return false
		}
	}
	leader := NodeID(0)
	if m.Type.fromLeader() {
		leader = m.From
	}
	n.becomeFollower(m.Term, leader, ReasonHigherTerm, m.From)
	return true
}

// onOldTerm answers a sender that is behind. It must hear of the term: a
// deposed leader to step down, a candidate to catch up. Silence would leave a
// member with a higher term apart for ever (etcd #8243, #8501).
func (n *Node) onOldTerm(m *Message) {
	switch m.Type {
	case RequestPreVote, RequestVote:
		n.refuseVote(m, ReasonLowerTerm)
	case Heartbeat:
		n.drop(m, ReasonLowerTerm)
		n.sendInTerm(Message{Type: HeartbeatReply, To: m.From})
	case AppendEntries, InstallSnapshot:
		n.drop(m, ReasonLowerTerm)
		n.sendInTerm(Message{Type: AppendEntriesReply, To: m.From, Reject: true, RejectedPrev: m.Prev})
	default:
		n.drop(m, ReasonLowerTerm)
	}
}

// onImpostor answers a member that is not the incarnation bound to its id.
func (n *Node) onImpostor(m *Message) {
	if m.Type == RequestVote || m.Type == RequestPreVote {
		n.refuseVote(m, ReasonWrongIncarnation)
		return
	}
	n.drop(m, ReasonWrongIncarnation)
}

// onStale drops answers to questions that this member no longer asks.
func (n *Node) onStale(m *Message) { n.drop(m, ReasonStale) }

// Bounds on what a message may claim, so that adding to it cannot overflow.
const (
	indexMax = Index(1) << 62
	termMax  = Term(1) << 62
)

// checkMessage is the gate: behind it, a message doesn't contradict itself.
func (n *Node) checkMessage(m *Message) Reason {
	switch {
	case m.To != n.cfg.ID:
		return ReasonMisrouted
	case m.From == 0 || m.From == n.cfg.ID || m.Incarnation == 0,
		m.Type == MessageNone || m.Type >= messageTypes,
		m.Term > termMax || m.LogEnd.Term > m.Term,
		max(m.LogEnd.Index, m.Prev.Index, m.Commit, m.Match, m.RejectedPrev.Index, m.Hint.Index) > indexMax,
		m.Life.Term > termMax || m.Life.Last > indexMax:
		return ReasonMalformed
	}
	ok := true
	switch m.Type {
	case RequestPreVote, RequestVote, Heartbeat, TimeoutNow:
		ok = m.Term > 0
	case AppendEntries:
		ok = m.Term > 0 && checkEntries(m)
	case InstallSnapshot:
		ok = m.Snapshot != nil && m.Snapshot.Last.Index > 0 && m.Snapshot.Last.Term <= m.Term &&
			m.Snapshot.Check() == nil
	case Disown:
		ok = m.Fence != nil
	case ReadIndex, ReadIndexReply:
		ok = m.Read != ReadID{}
	}
	if !ok {
		return ReasonMalformed
	}
	return ReasonNone
}

// checkEntries verifies that the entries follow Prev, that their terms do not
// fall, and that the configurations among them can be read.
func checkEntries(m *Message) bool {
	before := m.Prev
	for k := range m.Entries {
		e := &m.Entries[k]
		if e.Index != before.Index+1 || e.Term < before.Term || e.Term == 0 || e.Type > EntryConfig {
			return false
		}
		if e.Type == EntryConfig {
			if _, err := DecodeConfiguration(e.Data); err != nil {
				return false
			}
		}
		before = e.ID()
	}
	return before.Term <= m.Term
}
