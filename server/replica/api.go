package replica

import (
	"errors"
	"math/rand/v2"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/snapshot"
	"github.com/holdfast-db/holdfast/wal"
)

// Config is fixed for the life of a Replica. Times are in ticks; the driver
// says how long a tick is (TickMicros) and sends one Tick event for each.
type Config struct {
	FS  disk.FS
	Dir string // holds snapshots, and LOCK, super and segments unless LogDir is set
	// LogDir, if set, holds the log, for a disk of its own.
	LogDir string

	Member  raft.NodeID
	Cluster uint64
	// Initial is the first configuration of a new cluster, alike on all its
	// members. Joining members start with what the cluster tells them: the
	// configuration that includes them, at index 0, is never used to vote.
	Initial raft.Configuration
	// Rand is the only source of randomness: incarnation, salts, timeouts.
	Rand *rand.Rand

	TickMicros int64
	// LateTicks is by how many ticks this member's clock may lag behind true
	// time: one for the grid, and those that the driver may hold back. A lease
	// gets them on top of its TTL, so that it never ends early.
	LateTicks      int
	ElectionTicks  int
	HeartbeatTicks int
	PeerClosedTick int // ticks of delay per rank after PeerClosed; 0: off
	// DisablePreVote lets campaigns begin without asking whether they can be won.
	DisablePreVote bool
	// ShortFirstWait shortens the first election timeout to two heartbeats and
	// its random part once a quorum can be reached.
	ShortFirstWait bool
	// RequestTimeoutTicks bounds how long a request waits for its answer.
	RequestTimeoutTicks int

	Sync         wal.Policy
	SegmentBytes int64

	// BatchCommandsMax and BatchBytesMax bound one log entry.
	BatchCommandsMax int
	BatchBytesMax    int
	// PendingMax bounds the requests that wait on this member.
	PendingMax int
	// ApplyGapMax: with more committed entries than this not yet applied, new
	// requests are refused with ErrTooManyRequests.
	ApplyGapMax int
	// CheckpointTicks is the time between two checkpoints of a lease; 0: none are
	// made. Those that others made count all the same.
	CheckpointTicks int
	// PriorityRevoke lets revocations of leases pass up to twice that.
	PriorityRevoke bool
	// ApplyBytesMax bounds what is handed to the apply actor at a time.
	ApplyBytesMax int

	// A snapshot is taken when the log since the last one exceeds
	// max(SnapshotLogBytesMin, a quarter of the last snapshot's size).
	SnapshotLogBytesMin int64
	// SnapshotBenches may be shared by replicas that one goroutine runs; nil: the
	// replica's own.
	SnapshotBenches *snapshot.Benches
	// CatchUpEntries are kept in the log below a snapshot for slow followers.
	CatchUpEntries int

	// Raft's own limits.
	MessageEntriesMax, MessageBytesMax    int
	InflightMessagesMax, InflightBytesMax int
	UncommittedBytesMax                   int
	TailBytesMax, TailEntriesMax          int

	// AuthChanged, if set, hears of users, roles and permissions whenever they
	// have changed, on the apply actor's turn, before anything that is applied
	// later shows; TokenAssigned of each login.
	AuthChanged   func(*auth.View)
	TokenAssigned func(state.Token)

	// LoadRunner, if set, lets snapshots be decoded in parallel when they are
	// loaded; nil: one block after the other. What is loaded is the same.
	LoadRunner snapshot.Runner

	// WatchFragmentBytes splits large watch responses of watchers that ask for it.
	WatchFragmentBytes int
	// WatchProgressTicks is the period of progress notifications.
	WatchProgressTicks int

	// HistoryChunkBytes is the size of a full-grown chunk of history; what lies
	// scattered in old ones is rewritten by compaction.
	HistoryChunkBytes int
	// WatchStepEvents and CompactStepKeys bound what the apply actor does for
	// watchers that are behind, and for compaction, between two looks at its queue.
	WatchStepEvents, CompactStepKeys int
}

// Actor is one of the three state machines of a Replica. The driver gives it
// events one at a time, then Flush once its queue is drained: that is where
// batches form. Neither blocks, and neither may run concurrently with itself;
// different actors may run concurrently.
type Actor interface {
	Step(ev Event, out *Output)
	Flush(out *Output)
}

// ActorID names an actor within its Replica.
type ActorID uint8

const (
	ToCore ActorID = iota
	ToLog
	ToApply
)

// Event is an input of an actor: one of the types whose name ends in Event.
type Event interface{ actor() ActorID }

// Output collects what the driver must do, in order within each list. Events
// to actors must be delivered in order and exactly once, for as long as the
// process lives.
type Output struct {
	// Events to other actors (or the same).
	Events []Event
	// Frames to send; may be lost.
	Frames []OutFrame
	// Jobs to run, each to its end or to the process's.
	Jobs []Job
	// Timers to run down, then to deliver their event.
	Timers []Timer
	// Snapshots to stream to members; each ends with a SnapshotSentEvent.
	Snapshots []SnapshotOrder
	// Peers, if not nil, is the new address book.
	Peers *raft.Configuration
	// Trace tells what raft decided and why.
	Trace []raft.Event
	// Fatal stops the process: a failed disk, or data that can't be trusted.
	Fatal error
}

// Reset empties the output and keeps its memory, for the next turn. What it held
// must have been carried out or copied.
func (o *Output) Reset() {
	clear(o.Events)
	clear(o.Frames)
	clear(o.Jobs)
	clear(o.Timers)
	clear(o.Snapshots)
	*o = Output{
		Events: o.Events[:0], Frames: o.Frames[:0], Jobs: o.Jobs[:0],
		Timers: o.Timers[:0], Snapshots: o.Snapshots[:0], Trace: o.Trace[:0],
	}
}

// OutFrame is an encoded frame on its way to a member.
type OutFrame struct {
	To    raft.NodeID
	Frame []byte
}

// Job is work that takes long. Step does a slice of it, on no actor's state,
// and says when it is done; then the driver delivers JobDoneEvent to Owner.
type Job struct {
	Name  string
	Owner ActorID
	Step  func() (done bool, err error)
	// Finish runs on the owner, by JobDoneEvent.
	Finish func(err error, out *Output)
}

// Timer asks for Event after Micros microseconds.
type Timer struct {
	Micros int64
	Event  Event
}

// SnapshotOrder asks the driver to stream the member's snapshot file Last
// (OpenSnapshot) to a member.
type SnapshotOrder struct {
	To   raft.NodeID
	Term raft.Term
	Last raft.EntryID
}

// Events to the core.
type (
	// TickEvent: one tick has passed. Every actor gets its own.
	TickEvent struct{ To ActorID }
	// FrameEvent: a frame has arrived from a member. Made by DecodeFrame.
	FrameEvent struct {
		from    raft.NodeID
		message *raft.Message
		forward *forwardBatch
		answers *answerBatch
	}
	// SubmitEvent: requests of this member's clients.
	SubmitEvent struct{ Requests []*Request }
	// PersistedEvent: the write and all before it are durable.
	PersistedEvent struct {
		Write raft.Write
		Stats wal.Stats
	}
	// LoadedEvent answers a load of older entries.
	LoadedEvent struct{ Loaded raft.Loaded }
	// AppliedEvent: the state machine stands at Index; Bytes of credit return;
	// no own request below PendingFrom still waits for its outcome.
	AppliedEvent struct {
		Index       raft.Index
		Bytes       int
		PendingFrom uint64
	}
	// SnapshotArrivedEvent: the file of a peer's snapshot is complete, verified
	// and durable in this member's directory.
	SnapshotArrivedEvent struct {
		From        raft.NodeID
		Incarnation raft.Incarnation
		Term        raft.Term
		Meta        raft.SnapshotMeta
	}
	// SnapshotSentEvent ends a SnapshotOrder. Unreadable: it failed for this
	// member's own file, which is damaged, or gone.
	SnapshotSentEvent struct {
		To         raft.NodeID
		Last       raft.EntryID
		OK         bool
		Unreadable bool
	}
	// PeerClosedEvent: the member's process is gone (see design, "PeerClosed").
	PeerClosedEvent struct{ Peer raft.NodeID }
	// PeerUnreachableEvent: frames to the member were lost.
	PeerUnreachableEvent struct{ Peer raft.NodeID }
	// PeerConnectedEvent: frames to the member get through from now on.
	PeerConnectedEvent struct{ Peer raft.NodeID }
	// JobDoneEvent returns a job to its owner.
	JobDoneEvent struct {
		Job Job
		Err error
	}
)

// Events to the apply actor, from the driver.
type (
	// ReadLocalEvent asks for a view of what is applied now (serializable).
	ReadLocalEvent struct{ Request *Request }
	// WatchOpenEvent opens a client's watch stream. Sink is called by the apply
	// actor and must not block.
	WatchOpenEvent struct {
		Stream mvcc.StreamID
		Sink   func([]mvcc.WatchResponse)
	}
	// WatchCreateEvent, WatchCancelEvent and WatchProgressEvent are the
	// client's three requests.
	WatchCreateEvent struct {
		Stream  mvcc.StreamID
		Request mvcc.WatchRequest
		// Session is whose permissions count, for all watches of the stream.
		Session auth.Session
	}
	WatchCancelEvent struct {
		Stream mvcc.StreamID
		ID     mvcc.WatchID
	}
	WatchProgressEvent struct{ Stream mvcc.StreamID }
	// WatchGrantEvent: the stream can take so much more.
	WatchGrantEvent struct {
		Stream mvcc.StreamID
		Credit mvcc.Credit
	}
	// WatchCloseEvent ends a stream and all its watchers.
	WatchCloseEvent struct{ Stream mvcc.StreamID }
)

// RequestKind says what a client wants.
type RequestKind uint8

const (
	// Write goes through the log: Body is state.AppendBody's.
	Write RequestKind = iota
	// Read answers with a View that is at least as new as every write that was
	// acknowledged before the request came (linearizable).
	Read
	// KeepAlive renews Lease, on the leader.
	KeepAlive
	// TimeToLive asks the leader for Lease's remaining TTL.
	TimeToLive
	// Reconfigure changes the members by raft's own terms, on the leader.
	Reconfigure
	// TransferLeader hands leadership to Member (0: to the best voter).
	TransferLeader
	// ChangeMember is Body, an encoded MemberChange, through any member.
	ChangeMember
)

// Request is one client's. It is answered exactly once, unless the process
// ends first.
type Request struct {
	Kind   RequestKind
	Body   []byte
	Caller auth.Caller // of a Write
	Lease  int64
	Change *raft.ConfigChange
	Member raft.NodeID
	// Done gets the answer, on an actor's turn: it must not block.
	Done func(Reply)

	id       state.RequestID
	deadline uint64 // tick
	sentTo   raft.NodeID
	again    uint64 // 1 + the tick in which it was last sent again
	term     raft.Term
}

// Reply is the answer. Err is one of this package's errors (the request may
// or may not have happened: see each), state.ErrNoSpace if this member's disk
// is full (it has not happened), or nil.
type Reply struct {
	Err    error
	Result *state.Result // Write, Reconfigure, ChangeMember
	View   *state.View   // Read
	// TTL is what remains of the lease, in seconds; -1: there is no such lease.
	TTL int64
	// GrantedTTL is what the lease was granted for. After a KeepAlive 0: a
	// checkpoint stands, which must be taken back (a LeaseCheckpointRequest with 0)
	// before the client may rely on the TTL.
	GrantedTTL int64
	Term       raft.Term
}

// Errors of a Reply. "Ambiguous" means that the request may have happened or
// may still happen; with the others it has not and will not.
var (
	ErrNoLeader            = errors.New("replica: no leader")
	ErrNotLeader           = errors.New("replica: not the leader")
	ErrLeaderChanged       = errors.New("replica: leader changed")                                                 // reads only
	ErrTimeout             = errors.New("replica: request timed out")                                              // ambiguous
	ErrTimeoutLeaderFailed = errors.New("replica: request timed out, possibly due to leader failure")              // ambiguous
	ErrTimeoutConnLost     = errors.New("replica: request timed out, possibly due to connection lost")             // ambiguous
	ErrTimeoutApplied      = errors.New("replica: request timed out, waiting for the applied index took too long") // reads only
	ErrTooManyRequests     = errors.New("replica: too many requests")
	ErrStopped             = errors.New("replica: stopped") // ambiguous
	ErrUnhealthy           = errors.New("replica: cluster is unhealthy")
)
