package api

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// grpcErrors maps every sentinel that can reach a client to etcd's error. The
// texts are part of the API: Go clients turn them back into errors by exact
// description, Kubernetes and Patroni compare them as strings.
//
// The code decides whether a client may retry: the Go client repeats reads on
// any Unavailable, writes only if no connection was made. So an ambiguous write
// may be Unavailable, and is never applied twice by a well-behaved client.
var grpcErrors = map[error]error{
	mvcc.ErrCompacted:      rpctypes.ErrGRPCCompacted,
	mvcc.ErrFutureRevision: rpctypes.ErrGRPCFutureRev,
	mvcc.ErrKeyNotFound:    rpctypes.ErrGRPCKeyNotFound,
	mvcc.ErrLeaseNotFound:  rpctypes.ErrGRPCLeaseNotFound,

	state.ErrLeaseExists:      rpctypes.ErrGRPCLeaseExist,
	state.ErrLeaseTTLTooLarge: rpctypes.ErrGRPCLeaseTTLTooLarge,
	state.ErrNoSpace:          rpctypes.ErrGRPCNoSpace,
	state.ErrCorrupt:          rpctypes.ErrGRPCCorrupt,
	state.ErrMemberNotFound:   rpctypes.ErrGRPCMemberNotFound,

	auth.ErrRootUserNotExist:     rpctypes.ErrGRPCRootUserNotExist,
	auth.ErrRootRoleNotExist:     rpctypes.ErrGRPCRootRoleNotExist,
	auth.ErrUserExists:           rpctypes.ErrGRPCUserAlreadyExist,
	auth.ErrUserEmpty:            rpctypes.ErrGRPCUserEmpty,
	auth.ErrUserNotFound:         rpctypes.ErrGRPCUserNotFound,
	auth.ErrRoleExists:           rpctypes.ErrGRPCRoleAlreadyExist,
	auth.ErrRoleNotFound:         rpctypes.ErrGRPCRoleNotFound,
	auth.ErrRoleEmpty:            rpctypes.ErrGRPCRoleEmpty,
	auth.ErrFailed:               rpctypes.ErrGRPCAuthFailed,
	auth.ErrDenied:               rpctypes.ErrGRPCPermissionDenied,
	auth.ErrRoleNotGranted:       rpctypes.ErrGRPCRoleNotGranted,
	auth.ErrPermissionNotGranted: rpctypes.ErrGRPCPermissionNotGranted,
	auth.ErrNotEnabled:           rpctypes.ErrGRPCAuthNotEnabled,
	auth.ErrInvalidManagement:    rpctypes.ErrGRPCInvalidAuthMgmt,
	auth.ErrInvalidToken:         rpctypes.ErrGRPCInvalidAuthToken,
	auth.ErrOldRevision:          rpctypes.ErrGRPCAuthOldRevision,
	auth.ErrNameTooLong:          rpctypes.ErrGRPCRequestTooLarge,

	// Whoever sees these asked twice or was cut off: the first answer is lost.
	state.ErrDuplicate: rpctypes.ErrGRPCTimeout,
	state.ErrAmbiguous: rpctypes.ErrGRPCTimeout,
	// A stale revocation is void; the client may ask again.
	state.ErrStaleTerm: rpctypes.ErrGRPCLeaderChanged,

	replica.ErrNoLeader:            rpctypes.ErrGRPCNoLeader,
	replica.ErrNotLeader:           rpctypes.ErrGRPCNotLeader,
	replica.ErrLeaderChanged:       rpctypes.ErrGRPCLeaderChanged,
	replica.ErrTimeout:             rpctypes.ErrGRPCTimeout,
	replica.ErrTimeoutLeaderFailed: rpctypes.ErrGRPCTimeoutDueToLeaderFail,
	replica.ErrTimeoutConnLost:     rpctypes.ErrGRPCTimeoutDueToConnectionLost,
	replica.ErrTimeoutApplied:      rpctypes.ErrGRPCTimeoutWaitAppliedIndex,
	replica.ErrTooManyRequests:     rpctypes.ErrGRPCRequestTooManyRequests,
	replica.ErrStopped:             rpctypes.ErrGRPCStopped,
	replica.ErrUnhealthy:           rpctypes.ErrGRPCUnhealthy,

	replica.ErrMemberExists:    rpctypes.ErrGRPCMemberExist,
	replica.ErrMemberNotFound:  rpctypes.ErrGRPCMemberNotFound,
	replica.ErrPeerURLExists:   rpctypes.ErrGRPCPeerURLExist,
	replica.ErrNotLearner:      rpctypes.ErrGRPCMemberNotLearner,
	replica.ErrLearnerNotReady: rpctypes.ErrGRPCLearnerNotReady,
	replica.ErrTooManyLearners: rpctypes.ErrGRPCTooManyLearners,
	replica.ErrBadMemberChange: rpctypes.ErrGRPCMemberBadURLs,

	raft.ErrNotLeader:     rpctypes.ErrGRPCNotLeader,
	raft.ErrNoLeader:      rpctypes.ErrGRPCNoLeader,
	raft.ErrLeaderChanged: rpctypes.ErrGRPCLeaderChanged,
	raft.ErrOverloaded:    rpctypes.ErrGRPCRequestTooManyRequests,
	raft.ErrBadTransferee: rpctypes.ErrGRPCBadLeaderTransferee,
	// A transfer under way ends within an election timeout, one way or the other.
	raft.ErrTransferring: rpctypes.ErrGRPCLeaderChanged,
	raft.ErrNotReady:     rpctypes.ErrGRPCLeaderChanged,

	ErrTooLarge:      rpctypes.ErrGRPCRequestTooLarge,
	ErrBadTransferee: rpctypes.ErrGRPCBadLeaderTransferee,
}

// errInternal is what a client sees of an error that should not have reached
// it. Its own text would leak what nobody can match on (etcd #21671).
var errInternal = status.Error(codes.Internal, "etcdserver: internal error")

// ToGRPC turns an error of a Backend into etcd's. Errors that are etcd's
// already stay as they are; context errors keep their code.
func ToGRPC(err error) error {
	if err == nil {
		return nil
	}
	if mapped, ok := grpcErrors[err]; ok {
		return mapped
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	for sentinel, mapped := range grpcErrors {
		if errors.Is(err, sentinel) {
			return mapped
		}
	}
	return errInternal
}
