package api

import (
	"context"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
	"github.com/holdfast-db/holdfast/server/auth"
)

// rule says who may call a method while auth is on.
type rule uint8

const (
	// denied is the rule of a method without a row: nobody.
	denied rule = iota
	// anyone: also who has no name.
	anyone
	// users: everybody with a name.
	users
	// admins: the role root.
	admins
	// byRequest: what is asked decides; the method must look (Service.mayRead,
	// Service.propose, or one of those), or its answer is held back.
	byRequest
)

// rules has a row for every method that is served; a test sees to it.
var rules = map[string]rule{
	pb.KV_Range_FullMethodName:       byRequest,
	pb.KV_RangeStream_FullMethodName: byRequest,
	pb.KV_Put_FullMethodName:         byRequest,
	pb.KV_DeleteRange_FullMethodName: byRequest,
	pb.KV_Txn_FullMethodName:         byRequest,
	pb.KV_Compact_FullMethodName:     admins,

	pb.Watch_Watch_FullMethodName: byRequest,

	pb.Lease_LeaseGrant_FullMethodName:      users,
	pb.Lease_LeaseRevoke_FullMethodName:     byRequest,
	pb.Lease_LeaseKeepAlive_FullMethodName:  byRequest,
	pb.Lease_LeaseTimeToLive_FullMethodName: byRequest,
	pb.Lease_LeaseLeases_FullMethodName:     byRequest,

	pb.Cluster_MemberAdd_FullMethodName:     admins,
	pb.Cluster_MemberRemove_FullMethodName:  admins,
	pb.Cluster_MemberUpdate_FullMethodName:  admins,
	pb.Cluster_MemberPromote_FullMethodName: admins,
	pb.Cluster_MemberList_FullMethodName:    users,

	pb.Maintenance_Alarm_FullMethodName:      byRequest,
	pb.Maintenance_Status_FullMethodName:     users,
	pb.Maintenance_Defragment_FullMethodName: admins,
	pb.Maintenance_Hash_FullMethodName:       admins,
	pb.Maintenance_HashKV_FullMethodName:     admins,
	pb.Maintenance_Snapshot_FullMethodName:   admins,
	pb.Maintenance_MoveLeader_FullMethodName: admins,
	pb.Maintenance_Downgrade_FullMethodName:  admins,

	pb.Auth_AuthEnable_FullMethodName:           admins,
	pb.Auth_AuthDisable_FullMethodName:          admins,
	pb.Auth_AuthStatus_FullMethodName:           anyone,
	pb.Auth_Authenticate_FullMethodName:         anyone,
	pb.Auth_UserAdd_FullMethodName:              admins,
	pb.Auth_UserGet_FullMethodName:              byRequest, // oneself
	pb.Auth_UserList_FullMethodName:             admins,
	pb.Auth_UserDelete_FullMethodName:           admins,
	pb.Auth_UserChangePassword_FullMethodName:   admins,
	pb.Auth_UserGrantRole_FullMethodName:        admins,
	pb.Auth_UserRevokeRole_FullMethodName:       admins,
	pb.Auth_RoleAdd_FullMethodName:              admins,
	pb.Auth_RoleGet_FullMethodName:              byRequest, // one's own
	pb.Auth_RoleList_FullMethodName:             admins,
	pb.Auth_RoleDelete_FullMethodName:           admins,
	pb.Auth_RoleGrantPermission_FullMethodName:  admins,
	pb.Auth_RoleRevokePermission_FullMethodName: admins,

	v3lockpb.Lock_Lock_FullMethodName:             byRequest,
	v3lockpb.Lock_Unlock_FullMethodName:           byRequest,
	v3electionpb.Election_Campaign_FullMethodName: byRequest,
	v3electionpb.Election_Proclaim_FullMethodName: byRequest,
	v3electionpb.Election_Leader_FullMethodName:   byRequest,
	v3electionpb.Election_Observe_FullMethodName:  byRequest,
	v3electionpb.Election_Resign_FullMethodName:   byRequest,

	healthpb.Health_Check_FullMethodName: anyone,
	healthpb.Health_List_FullMethodName:  anyone,
	healthpb.Health_Watch_FullMethodName: anyone,
}

// enter applies a method's rule before the method runs. While auth is off it
// costs a look at the table and an atomic load.
func (g gate) enter(ctx context.Context, method string) (context.Context, error) {
	r := rules[method]
	if r == denied {
		return ctx, errNoRule
	}
	if !g.backend.Auth().Enabled() {
		return ctx, nil
	}
	var err error
	switch r {
	case users:
		_, err = g.require(ctx, login)
	case admins:
		_, err = g.require(ctx, admin)
	case byRequest:
		return context.WithValue(ctx, lookedKey{}, new(atomic.Bool)), nil
	}
	return ctx, ToGRPC(err)
}

// leave holds back the answer of a method that forgot to look at permissions.
// There is none that does; should one be added, it shows nothing.
func (g gate) leave(ctx context.Context) error {
	if l, ok := ctx.Value(lookedKey{}).(*atomic.Bool); ok && !l.Load() {
		return ToGRPC(auth.ErrDenied)
	}
	return nil
}

// errNoRule is what a method without a row answers, auth on or off.
var errNoRule = status.Error(codes.PermissionDenied, "etcdserver: permission denied")

type lookedKey struct{}

// looked notes that a request's permission was checked.
func looked(ctx context.Context) {
	if l, ok := ctx.Value(lookedKey{}).(*atomic.Bool); ok {
		l.Store(true)
	}
}
