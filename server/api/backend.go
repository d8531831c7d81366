package api

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/server/token"
)

// Backend is what the etcd services need of a running member. It holds no
// grpc-go and no protobuf types, so another front end can sit on it too. The
// server package implements it over a Replica; tests implement it over a bare
// state machine.
//
// Every method may be called from any goroutine. Errors are those of this
// package, server/replica, server/state and mvcc, or ctx's; ToGRPC maps them to
// etcd's codes and texts.
type Backend interface {
	// Propose replicates one request and returns its outcome once this member
	// has applied it. Result.Err is the outcome's own error. The context says
	// whose request it is (CallerOf).
	Propose(ctx context.Context, body state.Body) (*state.Result, error)
	// View returns the state to read from; linearizable: at least as new as
	// every write acknowledged before the call, anywhere.
	View(ctx context.Context, linearizable bool) (*state.View, error)
	// KeepAlive renews a lease; ttl -1: there is no such lease.
	KeepAlive(ctx context.Context, lease int64) (ttl int64, err error)
	// TimeToLive tells what remains of a lease; ttl -1: there is no such lease.
	TimeToLive(ctx context.Context, lease int64) (ttl, granted int64, err error)
	// MoveLeader hands leadership to a voter.
	MoveLeader(ctx context.Context, to uint64) error

	// Auth is the users, roles and permissions that this member has applied; it
	// costs an atomic load, and is never older than a reply to a change of them.
	Auth() *auth.View
	// Tokens tell callers; fixed.
	Tokens() token.Keeper

	// ChangeMember adds, removes, updates or promotes a member and returns once
	// the change is in force here. Result.Members are those of then.
	ChangeMember(ctx context.Context, change replica.MemberChange) (*state.Result, error)
	// NewMemberID derives the id of a member that is added now.
	NewMemberID(peerURLs []string) uint64
	// Connected tells for how long the link to a member has stood; false: it
	// doesn't.
	Connected(member uint64) (time.Duration, bool)

	// Backup makes a database of what is applied here; the caller closes it.
	Backup(ctx context.Context) (Backup, error)

	// OpenWatch opens a watch stream. The sink is called without blocking, and
	// not after Close has returned.
	OpenWatch(sink func([]mvcc.WatchResponse)) WatchStream

	// RangeTook is told how long a range took to be read, waiting apart, and
	// whether it was.
	RangeTook(ok bool, took time.Duration)

	// Head is the little that every reply needs; it costs a few atomic loads.
	Head() Head
	// Status is a fuller picture for people and metrics; it may be a few
	// milliseconds old.
	Status() Status
	// Limits are fixed.
	Limits() Limits
	// Stopped is closed when the member stops.
	Stopped() <-chan struct{}
}

// Errors that only a Backend makes.
var (
	// ErrTooLarge: the encoded request exceeds Limits.RequestBytesMax.
	ErrTooLarge = errors.New("api: request is too large")
	// ErrBadTransferee: MoveLeader named somebody who is no voter.
	ErrBadTransferee = errors.New("api: bad leader transferee")
)

// WatchStream is the client's end of a hub stream. Create, Cancel and Progress
// may wait while the member is behind; Grant and Close never do.
type WatchStream interface {
	// Create is refused if the session may not read what it asks for; a later
	// change of permissions ends it.
	Create(mvcc.WatchRequest, auth.Session)
	Cancel(mvcc.WatchID)
	Progress()
	// Grant allows so much more to be pushed into the sink.
	Grant(more mvcc.Credit)
	Close()
}

// Head is the part of a member's state that replies and gates look at. A reply
// to a write is never delivered before the Head that this write led to.
type Head struct {
	Cluster, Member uint64
	Term            uint64
	Revision        int64
	// Bytes is the logical size that counts against the quota.
	Bytes int64
	// NoSpace and Corrupt: such an alarm is raised, by any member.
	NoSpace, Corrupt bool
	HasLeader        bool
	Learner          bool
}

// Status describes the member.
type Status struct {
	Head
	Name string
	Raft raft.Status
	// LeaderlessMS is for how long no leader has been known, in milliseconds.
	LeaderlessMS int64
	Compact      int64
	InUse        int64 // bytes of what is live or still readable
	Applied      uint64
	Alarms       []state.Alarm
}

// Limits are the server's configuration as the services need it.
type Limits struct {
	RequestBytesMax int
	TxnOpsMax       int
	QuotaBytes      int64 // what Put and LeaseGrant are checked against; 0: nothing
	BcryptCost      int
	CertUsers       bool  // the common name of a verified client certificate is a user
	LeaseTTLMin     int64 // seconds; shorter TTLs are raised to it
	ElectionMS      int64 // base election timeout, for streams that need a leader
	// StrictReconfig refuses changes of members that could cost the quorum.
	StrictReconfig bool
	LearnersMax    uint64
	// WatchersMax bounds the watchers of one connection, RequestsMax the unary
	// requests that one user, or one machine, has under way; 0: no bound.
	WatchersMax, RequestsMax int
	// LearnerWatch lets a learner serve watches, as serializable as its reads.
	LearnerWatch bool
}
