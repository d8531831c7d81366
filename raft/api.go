package raft

import (
	"errors"
	"math/rand/v2"
)

// Role is what a member is doing in its term. A learner is a kind of member,
// not a role: it is a Follower that never campaigns.
type Role uint8

const (
	Follower Role = iota
	PreCandidate
	Candidate
	Leader
)

// Config is fixed for the life of a Node. All limits must be positive.
type Config struct {
	ID          NodeID
	Incarnation Incarnation
	// Boot counts this member's starts; part of every ReadID and message.
	Boot uint64
	// Nonce is drawn at random at each start (see Life); 0: lives are not told.
	Nonce uint64

	// ElectionTicks is the base election timeout; each wait is drawn from
	// [ElectionTicks, 2×ElectionTicks) (Raft §5.2, §9.3).
	ElectionTicks int
	// HeartbeatTicks is the time between heartbeats, below ElectionTicks.
	HeartbeatTicks int
	// PeerClosedTicks spreads the campaigns that follow PeerClosed: a voter
	// waits rank × PeerClosedTicks plus a random part below it. 0 turns the
	// rule off, as it must be where a leader's lease answers reads.
	PeerClosedTicks int
	// DisablePreVote turns PreVote off (thesis §9.6): a member that was cut off
	// then costs the cluster an election when it comes back. CheckQuorum and the
	// leases of leaders stay.
	DisablePreVote bool
	// Rand is the only source of randomness.
	Rand *rand.Rand

	// MessageEntriesMax and MessageBytesMax bound one AppendEntries.
	MessageEntriesMax int
	MessageBytesMax   int
	// InflightMessagesMax and InflightBytesMax bound what a follower has not
	// acknowledged while it is replicated to in a pipeline.
	InflightMessagesMax int
	InflightBytesMax    int
	// UncommittedBytesMax bounds the leader's log above its commit index;
	// above it proposals are refused with ErrOverloaded.
	UncommittedBytesMax int
	// TailBytesMax and TailEntriesMax bound the applied part of the log that
	// is kept in memory for followers that lag a little.
	TailBytesMax   int
	TailEntriesMax int
}

// Boot is what a member found on its disk. The zero value with a Snapshot
// holding only the initial configuration is a new member.
type Boot struct {
	HardState HardState
	// Snapshot is the state the driver has restored: applied starts at its Last.
	Snapshot SnapshotMeta
	// First and Last bound the log on disk (First = Last+1: empty). First may
	// be at or below Snapshot.Last.Index+1, never above it.
	First, Last Index
	// Prev is the identity of the entry before First.
	Prev EntryID
	// Terms lists the first entry of each term in [First, Last], in order: with
	// it the term of every index is known without holding the entries.
	Terms []EntryID
	// Configs lists the configuration entries above Snapshot.Config, in order.
	Configs []ConfigAt
	// Tail holds the newest entries, contiguous up to Last; may be empty.
	Tail []Entry
	// Peers is what was remembered of the other members (Node.PeerMarks).
	Peers []PeerMark
}

// Credit says how much work the driver can take now. Raft keeps the rest.
type Credit struct {
	// Persist: the log is idle and takes one write.
	Persist bool
	// ApplyBytes bounds the payload of Output.Apply (one entry always fits
	// when it is positive).
	ApplyBytes int
}

// Output is what the driver must now do. Order within a list is the order to
// keep; the lists are independent of each other. Entries are shared with the
// Node's log and must not be changed; the lists belong to the driver.
type Output struct {
	// Persist is at most one write, handed out only against credit.
	Persist *Persist
	// Send now: these rest on nothing that is not durable yet. (The leader
	// replicates while its own disk syncs, thesis §10.2.1.)
	Send []Message
	// Apply lists committed entries, contiguous, each handed out once.
	Apply []Entry
	// Restore, if set, comes before Apply: the state machine must be replaced
	// by this installed snapshot, whose write is durable.
	Restore *SnapshotMeta
	// Reads are answered read rounds.
	Reads []ReadReady
	// Load asks for older entries of the log; answer with Node.Loaded.
	Load []LoadRequest
	// SendSnapshot asks the driver to stream its newest snapshot to a member.
	// Answer with Node.SnapshotSent.
	SendSnapshot []NodeID
	// Fenced, if set, ends this member: its disk has forgotten what it promised.
	Fenced *FenceNotice
	// Events tell what happened and why. Raft logs nothing itself.
	Events []Event
}

// Persist is one write to the log. All of it becomes durable together, or the
// member stops.
type Persist struct {
	Write Write
	// HardState is the whole of it, whether changed or not.
	HardState HardState
	// Reset, if set, replaces the log by the snapshot's position. The driver
	// has the file durable already.
	Reset *SnapshotMeta
	// Truncate, if not 0, drops the entries from this index on, before Entries
	// are appended.
	Truncate Index
	Entries  []Entry
	// Configs are the configurations among Entries, decoded.
	Configs []ConfigAt
	// MustSync is false only when nothing but Commit changed: the driver may
	// acknowledge it without writing, since the next write carries it too.
	MustSync bool
	// After lists what to send once the write is durable: votes, replies. If
	// the write fails they must never be sent.
	After []Message
}

// ReadReady answers Node.ReadIndex: the read may be served once the state
// machine has applied Index. Err is ErrNoLeader or ErrLeaderChanged.
type ReadReady struct {
	ID    ReadID
	Index Index
	// Term is the term whose leader answered.
	Term Term
	Err  error
}

// LoadRequest asks for the entries [From, To] of the log, inclusive: a prefix of
// them with at most BytesMax of payload, but at least one. They are for a
// follower, or, with Member 0, for the apply stage. One request per member is
// outstanding at a time; each must be answered with Node.Loaded.
type LoadRequest struct {
	Member   NodeID
	From, To Index
	BytesMax int
}

// Loaded answers a LoadRequest.
type Loaded struct {
	// Request is the request, unchanged.
	Request LoadRequest
	// Entries begin at Request.From.
	Entries []Entry
	// Compacted: the log no longer reaches that far; Entries is empty.
	Compacted bool
}

// ConfigChange asks for another set of members. Who isn't named stays as it is;
// nobody may be named twice.
type ConfigChange struct {
	// Set inserts members or replaces their rows (Voter, Address, Incarnation;
	// the rest is raft's). Incarnation 0 keeps what is bound. Another one than
	// is bound is refused for voters.
	Set []Member
	// Remove removes members.
	Remove []NodeID
	// Context is opaque and travels with the configuration.
	Context []byte
}

// Errors of the Node's methods. All leave the Node unchanged.
var (
	// ErrNotLeader: only a leader does that; Status.Leader may know who leads.
	ErrNotLeader = errors.New("raft: not the leader")
	// ErrNoLeader: no leader is known, or it did not answer in time.
	ErrNoLeader = errors.New("raft: no leader")
	// ErrLeaderChanged: the leader that was asked no longer leads; ask again.
	ErrLeaderChanged = errors.New("raft: leader changed")
	// ErrTransferring: wait for the next leader, or an election timeout.
	ErrTransferring = errors.New("raft: leadership is being transferred")
	// ErrOverloaded: Config.UncommittedBytesMax is reached; ask again later.
	ErrOverloaded = errors.New("raft: too much uncommitted data")
	// ErrConfigPending: one change of members at a time (thesis §4.1).
	ErrConfigPending = errors.New("raft: a configuration change is in progress")
	// ErrNotReady: a change of members must wait for the term's first commit.
	ErrNotReady = errors.New("raft: the leader has not committed in its term yet")
	// ErrBadTransferee: leadership goes to another voter only.
	ErrBadTransferee = errors.New("raft: transferee is not a voter")
	// ErrBadConfiguration is wrapped with what is wrong.
	ErrBadConfiguration = errors.New("raft: bad configuration")
	// ErrLearnerNotCaughtUp: it holds less than nine tenths of the leader's log.
	ErrLearnerNotCaughtUp = errors.New("raft: learner is not in sync with the leader")
)

// ProgressState is how a leader replicates to a member.
type ProgressState uint8

const (
	// Probe: one message at a time until the logs are known to match.
	Probe ProgressState = iota
	// Replicate: a pipeline, optimistic about what arrives.
	Replicate
	// SnapshotTransfer: a snapshot is on its way; nothing else is sent.
	SnapshotTransfer
)

// Progress is a leader's view of one member.
type Progress struct {
	ID            NodeID
	Learner       bool
	State         ProgressState
	Match, Next   Index
	InflightBytes int
	// RecentActive: heard from within the last election timeout.
	RecentActive bool
	// ActiveTicks is the time since the member was first heard of without a
	// break, in ticks; 0 when it is not active.
	ActiveTicks int
}

// Status is a snapshot of a Node, for people and metrics.
type Status struct {
	ID          NodeID
	Role        Role
	Term        Term
	Vote        NodeID
	Leader      NodeID
	Commit      Index
	Applied     Index // handed out for apply and confirmed
	First, Last Index
	Persisted   Index
	Config      ConfigAt
	Transferee  NodeID
	Progress    []Progress // on the leader, sorted by ID
}
