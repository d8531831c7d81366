package raft

import "fmt"

// Term numbers elections, from 1; 0 is "before any election" (Raft §5.1).
type Term uint64

// Index is a position in the log, from 1; 0 is "before the first entry".
type Index uint64

// NodeID names a member for its whole life; 0 is "nobody".
type NodeID uint64

// Incarnation is drawn at random when a member first starts with an empty
// disk. A member that lost its disk comes back with another incarnation, so
// that its old promises are never taken for new ones. 0 is "not bound yet".
type Incarnation uint64

// Write numbers one persistence request to the driver, from 1, strictly
// increasing. Writes are acknowledged in order.
type Write uint64

// String prints the id in hexadecimal, as etcd does.
func (id NodeID) String() string { return fmt.Sprintf("%x", uint64(id)) }

// EntryID names an entry: by Raft's Log Matching property two logs that hold
// the same EntryID are equal up to it (Raft §5.3).
type EntryID struct {
	Term  Term
	Index Index
}

// String prints index@term, as the traces do.
func (id EntryID) String() string { return fmt.Sprintf("%d@%d", id.Index, id.Term) }

// EntryType tells how an entry's data is read.
type EntryType uint8

const (
	// EntryNoop is the empty entry that opens a term (Raft §8).
	EntryNoop EntryType = iota
	// EntryCommand holds commands of the replicated state machine.
	EntryCommand
	// EntryConfig holds an encoded Configuration, effective when appended.
	EntryConfig
)

// Entry is one log entry. It is encoded once: the same Data bytes and CRC go
// to the log and to the peers.
//
// Invariants:
//  1. Index and Term never change once the entry was made by a leader.
//  2. CRC covers Type, Index, Term and Data (see EntryCRC).
//  3. Data is never modified after the entry was made; it may be shared.
type Entry struct {
	Index Index
	Term  Term
	Type  EntryType
	Data  []byte
	CRC   uint32
}

// ID returns the entry's identity.
func (e Entry) ID() EntryID { return EntryID{Term: e.Term, Index: e.Index} }

// HardState is what a member must remember across a crash (Raft Figure 2,
// "persistent state"; Commit is an optimisation and may lag).
type HardState struct {
	Term   Term
	Vote   NodeID
	Commit Index
}

// Member is one row of a Configuration.
type Member struct {
	ID NodeID
	// Incarnation that counts; 0 until a log entry binds it.
	Incarnation Incarnation
	// Voter counts in the incoming (or only) majority.
	Voter bool
	// OldVoter counts in the outgoing majority of a joint configuration.
	OldVoter bool
	// Leaving marks, in a joint configuration, a member that the final one
	// drops. It tells removal from demotion to learner.
	Leaving bool
	// Joining marks a learner that was added as a voter: the driver makes it one
	// once it has caught up. To raft it is a learner like any other.
	Joining bool
	// Address is opaque to raft: the member's peer URLs, comma-separated.
	Address string
}

// Learner reports whether the member receives the log without counting.
func (m Member) Learner() bool { return !m.Voter && !m.OldVoter }

// Configuration is the set of members (Raft §6). It takes effect when it is
// appended, not when it commits, and is rolled back by truncation.
//
// Invariants:
//  1. Members are sorted by ID, without repetition.
//  2. Joint() iff some member is an OldVoter; then both majorities decide.
//  3. A member that is leaving stays listed, as Leaving, until the joint phase
//     ends.
//  4. There is an incoming voter, unless there is no member at all: the
//     configuration of a new member that has yet to hear of its cluster.
type Configuration struct {
	Members []Member
	// Context is opaque to raft: the request that asked for the change. It is
	// copied from the joint to the final configuration.
	Context []byte
}

// ConfigAt is a configuration and the identity of the entry that holds it;
// the initial configuration, alike on all members, stands at the zero EntryID.
type ConfigAt struct {
	At     EntryID
	Config Configuration
}

// SnapshotMeta describes a snapshot: all entries up to Last are in it.
type SnapshotMeta struct {
	Last   EntryID
	Config ConfigAt
}

// ReadID names one linearizable read round. It is unique for ever: it carries
// the origin's incarnation and boot, so that an answer to an old question is
// never taken for an answer to a new one (etcd #20418).
type ReadID struct {
	Node        NodeID
	Incarnation Incarnation
	Boot        uint64
	Seq         uint64
}

// MessageType names a message between members.
type MessageType uint8

// The messages, with the fields each uses besides Type, From, To,
// Incarnation and Term.
//
//	message             from → to          fields
//	RequestPreVote      any → voter        LogEnd, Transfer          (thesis §9.6)
//	RequestPreVoteReply voter → any        Reject
//	RequestVote         candidate → voter  LogEnd, Transfer          (Raft §5.2)
//	RequestVoteReply    voter → candidate  Reject
//	AppendEntries       leader → member    Prev, Entries, Commit     (Raft §5.3)
//	AppendEntriesReply  member → leader    Match; Reject: Prev echoed in RejectedPrev, Hint
//	Heartbeat           leader → member    Commit (≤ Match there), Round
//	HeartbeatReply      member → leader    Round
//	InstallSnapshot     leader → member    Snapshot: the file was received by the driver (Raft §7)
//	TimeoutNow          leader → voter     —                         (thesis §3.10)
//	ReadIndex           member → leader    Read                      (thesis §6.4)
//	ReadIndexReply      leader → member    Read, Commit; Reject
//	Announce            any → member       —: "this life has begun" (life.go)
//	Disown              any → member       Fence: "your disk has forgotten"
const (
	MessageNone MessageType = iota
	RequestPreVote
	RequestPreVoteReply
	RequestVote
	RequestVoteReply
	AppendEntries
	AppendEntriesReply
	Heartbeat
	HeartbeatReply
	InstallSnapshot
	TimeoutNow
	ReadIndex
	ReadIndexReply
	Announce
	Disown
	messageTypes // count
)

// Message is what members say to each other. One flat struct keeps the codec
// and the traces simple; the table above tells which fields a type uses, the
// others are zero.
type Message struct {
	Type        MessageType
	From, To    NodeID
	Incarnation Incarnation // the sender's
	Term        Term        // the sender's; for RequestPreVote the term it would campaign in
	Life        Life        // the sender's

	// LogEnd is the sender's last entry (votes).
	LogEnd EntryID
	// Transfer marks a campaign that the leader asked for: leases are ignored.
	Transfer bool

	// Prev is the entry just before Entries.
	Prev    EntryID
	Entries []Entry
	// Commit is the leader's commit index, or a ReadIndexReply's read index.
	Commit Index

	// Reject tells a refusal; what of depends on the type.
	Reject bool
	// Match is the last index known to be durable here and equal to the leader's.
	Match Index
	// RejectedPrev is the Prev that did not match.
	RejectedPrev EntryID
	// Hint is the highest entry of the follower that may still match.
	Hint EntryID

	// Round numbers the leader's quorum rounds within a term (reads, CheckQuorum).
	Round uint64
	Read  ReadID

	// Snapshot describes the file that has arrived.
	Snapshot *SnapshotMeta

	// Fence tells the receiver what is remembered of it.
	Fence *Fence
}
