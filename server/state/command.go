package state

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// RequestID names a client's request for ever: the member that took it, that
// member's incarnation, its boot and a sequence number. State keeps a window
// of them per member, so a command that the network duplicated applies once.
type RequestID struct {
	Member      uint64
	Incarnation uint64
	Boot        uint64
	Seq         uint64 // from 1; 0: an internal command without an asker
}

// Command is what one client request becomes in the log.
type Command struct {
	ID RequestID
	// Term is the proposer's: a lease revocation of a deposed leader is void.
	Term uint64
	// Caller is who asked; what he may do is decided when the command is applied.
	Caller auth.Caller
	Body   Body
}

// Body is one of the request types below or of mvcc's *PutRequest,
// *DeleteRangeRequest, *TxnRequest, or an auth.Change. Bodies are encoded once, on the caller's
// goroutine (AppendBody), before they meet the core.
type Body any

// CompactRequest forgets history below Revision.
type CompactRequest struct {
	Revision int64
}

// LeaseGrantRequest makes a lease; ID was chosen (non-zero) before proposing.
type LeaseGrantRequest struct {
	ID  int64
	TTL int64 // seconds, already raised to the minimum
}

// LeaseRevokeRequest ends a lease and deletes its keys in one revision.
// Expired marks the leader's own revocation, void if Command.Term is stale.
type LeaseRevokeRequest struct {
	ID      int64
	Expired bool
}

// LeaseCheckpointRequest records remaining TTLs (seconds), as the leader counted
// them when it had applied all up to AsOf, or takes them back.
type LeaseCheckpointRequest struct {
	AsOf        uint64
	Checkpoints []LeaseCheckpoint
}

// LeaseCheckpoint is one lease's remaining TTL in seconds; 0 takes back what was
// recorded, or is about to be.
type LeaseCheckpoint struct {
	ID, Remaining int64
}

// AlarmKind is etcd's.
type AlarmKind uint8

const (
	AlarmNone AlarmKind = iota
	AlarmNoSpace
	AlarmCorrupt
)

// String prints etcd's name of the kind.
func (k AlarmKind) String() string {
	switch k {
	case AlarmNone:
		return "NONE"
	case AlarmNoSpace:
		return "NOSPACE"
	case AlarmCorrupt:
		return "CORRUPT"
	}
	return fmt.Sprintf("AlarmKind(%d)", uint8(k))
}

// AlarmRequest raises (Activate) or disarms an alarm of a member.
type AlarmRequest struct {
	Activate bool
	Member   uint64
	Kind     AlarmKind
}

// MemberAttributesRequest publishes what a member says of itself.
type MemberAttributesRequest struct {
	Member     uint64
	Name       string
	ClientURLs []string
}

// Result is a command's outcome, the same on every replica.
type Result struct {
	// Err is one of mvcc's or state's sentinel errors, or nil.
	Err error
	// Revision is the store's after the command.
	Revision int64
	// At most one of these is set, by the kind of the body.
	Put    *mvcc.PutResult
	Delete *mvcc.DeleteRangeResult
	Txn    *mvcc.TxnResult
	Lease  *LeaseGrantRequest // as granted
	Alarms []Alarm
	// Members is set after a configuration change.
	Members []Member
	// Token is set after a LoginRequest.
	Token string
}

// Alarm is a raised alarm.
type Alarm struct {
	Member uint64
	Kind   AlarmKind
}

// Member is a row of the member table: raft's configuration joined with what
// members published of themselves.
type Member struct {
	ID         uint64
	Name       string
	PeerURLs   []string
	ClientURLs []string
	Learner    bool
}
