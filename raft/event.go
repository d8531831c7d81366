package raft

import "fmt"

// EventKind says what happened. It prints as words.
type EventKind uint8

const (
	EventNone EventKind = iota
	// EventBecameFollower: Peer is the leader, 0 if unknown.
	EventBecameFollower
	EventBecamePreCandidate
	EventBecameCandidate
	// EventBecameLeader: Index is its no-op entry.
	EventBecameLeader
	// EventLeaderLost: a follower no longer follows Peer.
	EventLeaderLost
	// EventTermAdvanced: Term is the new one, Peer told of it.
	EventTermAdvanced
	// EventCampaignRefused: this member may not campaign.
	EventCampaignRefused
	// EventVoteGranted, EventVoteRefused: this member's answer to Peer;
	// Index is the end of Peer's log.
	EventVoteGranted
	EventVoteRefused
	// EventPreVoteGranted, EventPreVoteRefused: as above (thesis §9.6).
	EventPreVoteGranted
	EventPreVoteRefused
	// EventAppendRejected: this member could not append at Index+1.
	EventAppendRejected
	// EventMatchLost: the leader goes back to Index with Peer.
	EventMatchLost
	// EventTruncated: entries from Index on were dropped for a leader's.
	EventTruncated
	// EventConfigAppended, EventConfigCommitted: the configuration at Index.
	EventConfigAppended
	EventConfigCommitted
	// EventConfigRolledBack: the one at Index is gone with its entry.
	EventConfigRolledBack
	// EventSnapshotNeeded: Peer needs entries from Index on, below the log.
	EventSnapshotNeeded
	// EventSnapshotSent, EventSnapshotFailed: the driver's word on Peer's.
	EventSnapshotSent
	EventSnapshotFailed
	// EventSnapshotInstalled: the log was replaced; Index is its new start.
	EventSnapshotInstalled
	// EventSnapshotIgnored: one up to Index brought nothing new.
	EventSnapshotIgnored
	// EventRoundFailed: a read round was given up; Index is its index, if any.
	EventRoundFailed
	// EventMessageDropped: a message of Peer had no effect.
	EventMessageDropped
	// EventTransferStarted, EventTransferAborted: leadership to Peer.
	EventTransferStarted
	EventTransferAborted
	// EventTimeoutNowSent: Peer is asked to campaign at once.
	EventTimeoutNowSent
	// EventPeerClosed: the leader Peer's process is gone.
	EventPeerClosed
	// EventIncarnationsBound: the leader proposed the bindings at Index.
	EventIncarnationsBound
	// EventWriteSuperseded: durable entries from Index on had been rewritten
	// meanwhile and do not count.
	EventWriteSuperseded
	// EventMemberDropped: the leader stops replicating to a removed Peer.
	EventMemberDropped
	// EventMemberForgot: Peer's disk is an older copy of itself; Index is what it
	// had acknowledged. Nothing it says counts any more.
	EventMemberForgot
	// EventDisowned: Peer says so of this member.
	EventDisowned
	eventKinds
)

var eventNames = [eventKinds]string{
	"none", "became follower", "became pre-candidate", "became candidate", "became leader",
	"leader lost", "term advanced", "campaign refused", "vote granted", "vote refused",
	"pre-vote granted", "pre-vote refused", "append rejected", "match lost", "truncated",
	"config appended", "config committed", "config rolled back", "snapshot needed",
	"snapshot sent", "snapshot failed", "snapshot installed", "snapshot ignored",
	"round failed", "message dropped", "transfer started", "transfer aborted",
	"TimeoutNow sent", "peer closed", "incarnations bound", "write superseded",
	"member dropped", "member forgot", "disowned",
}

// String names the kind in words.
func (k EventKind) String() string { return name(eventNames[:], int(k), "event") }

// Reason says why. It prints as words.
type Reason uint8

const (
	ReasonNone Reason = iota
	// ReasonStarted: the member was started.
	ReasonStarted
	// ReasonElectionTimeout: no leader was heard of for too long.
	ReasonElectionTimeout
	// ReasonAsked: Node.Campaign or Node.Transfer was called.
	ReasonAsked
	// ReasonTimeoutNow: the leader handed over.
	ReasonTimeoutNow
	// ReasonPreVoteWon, ReasonElectionWon, ReasonElectionLost: the ballot.
	ReasonPreVoteWon
	ReasonElectionWon
	ReasonElectionLost
	// ReasonHigherTerm: a message carried one.
	ReasonHigherTerm
	// ReasonLowerTerm: the message is from an older term.
	ReasonLowerTerm
	// ReasonLeaderHeard: the leader of this term spoke.
	ReasonLeaderHeard
	// ReasonQuorumLost: a leader did not hear from a quorum (CheckQuorum).
	ReasonQuorumLost
	// ReasonNotVoter: this member, or the peer, is no voter.
	ReasonNotVoter
	// ReasonRemoved: the committed configuration does not have it as a voter.
	ReasonRemoved
	// ReasonLeaseHeld: a live leader was heard of within an election timeout.
	ReasonLeaseHeld
	// ReasonAlreadyVoted: for another in this term.
	ReasonAlreadyVoted
	// ReasonLogBehind: the candidate's log is older than the voter's (§5.4.1).
	ReasonLogBehind
	// ReasonWrongIncarnation: the sender, or this member, is not the
	// incarnation that the configuration binds.
	ReasonWrongIncarnation
	// ReasonMalformed: the message contradicts itself.
	ReasonMalformed
	// ReasonMisrouted: it is for another member.
	ReasonMisrouted
	// ReasonUnexpected: this role does not take this type.
	ReasonUnexpected
	// ReasonNotMember: the configuration does not list the sender.
	ReasonNotMember
	// ReasonStale: an answer to a question that is settled.
	ReasonStale
	// ReasonTwoLeaders: a second leader in one term. Never happens.
	ReasonTwoLeaders
	// ReasonBelowCommit: it contradicts committed entries. Never happens.
	ReasonBelowCommit
	// ReasonMissing, ReasonConflict: no entry at Prev, or another term there.
	ReasonMissing
	ReasonConflict
	// ReasonRejected: the follower said so.
	ReasonRejected
	// ReasonUnreachable: the driver lost messages to the peer.
	ReasonUnreachable
	// ReasonCompacted: the log no longer reaches that far.
	ReasonCompacted
	// ReasonTimeout: no answer within an election timeout.
	ReasonTimeout
	// ReasonLeaderChanged: the leader that was asked no longer leads.
	ReasonLeaderChanged
	// ReasonPeerClosed: the leader's process is gone.
	ReasonPeerClosed
	// ReasonOverloaded: a bound on what is kept for the peer.
	ReasonOverloaded
	// ReasonTold: the removed member has been told of its removal.
	ReasonTold
	// ReasonForgotten: the member's disk doesn't hold what was heard of it, or
	// the message is of a life before that.
	ReasonForgotten
	reasons
)

var reasonNames = [reasons]string{
	"", "started", "election timeout", "asked", "TimeoutNow", "pre-vote won", "election won",
	"election lost", "higher term", "lower term", "leader heard", "quorum lost", "not a voter",
	"removed", "leader's lease held", "already voted", "log behind", "wrong incarnation",
	"malformed", "misrouted", "unexpected", "not a member", "stale", "two leaders in a term",
	"below commit", "entry missing", "conflict", "rejected", "unreachable", "compacted",
	"timeout", "leader changed", "peer closed", "overloaded", "told",
	"forgotten",
}

// String says the reason in words.
func (r Reason) String() string { return name(reasonNames[:], int(r), "reason") }

// Event tells what a step did and why, for logs, metrics and traces.
type Event struct {
	Kind   EventKind
	Reason Reason
	Term   Term
	// Peer, Index are 0 where the kind has none.
	Peer  NodeID
	Index Index
	// Message is the type of the message in question, if it is about one.
	Message MessageType
}

// String prints the event on one line: what (why) and the fields that are set.
func (e Event) String() string {
	s := e.Kind.String()
	if e.Message != MessageNone {
		s += " " + e.Message.String()
	}
	if e.Reason != ReasonNone {
		s += " (" + e.Reason.String() + ")"
	}
	if e.Peer != 0 {
		s += fmt.Sprintf(" peer=n%s", e.Peer)
	}
	if e.Index != 0 {
		s += fmt.Sprintf(" index=%d", e.Index)
	}
	return fmt.Sprintf("%s term=%d", s, e.Term)
}

func (n *Node) event(k EventKind, r Reason, peer NodeID, i Index) {
	n.out.Events = append(n.out.Events, Event{Kind: k, Reason: r, Term: n.term, Peer: peer, Index: i})
}

// drop tells that a message had no effect.
func (n *Node) drop(m *Message, r Reason) {
	n.out.Events = append(n.out.Events, Event{
		Kind: EventMessageDropped, Reason: r, Term: n.term, Peer: m.From, Message: m.Type,
	})
}
