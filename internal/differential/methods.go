package differential

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// method is how a request with one reply is sent: over gRPC, and as JSON ("" for what has no such path).
type method struct {
	path, json string
	empty      proto.Message // of the reply's type
}

func (m method) reply() proto.Message { return m.empty.ProtoReflect().New().Interface() }

var methods = map[string]method{
	"Range":       {"/etcdserverpb.KV/Range", "/v3/kv/range", &pb.RangeResponse{}},
	"Put":         {"/etcdserverpb.KV/Put", "/v3/kv/put", &pb.PutResponse{}},
	"DeleteRange": {"/etcdserverpb.KV/DeleteRange", "/v3/kv/deleterange", &pb.DeleteRangeResponse{}},
	"Txn":         {"/etcdserverpb.KV/Txn", "/v3/kv/txn", &pb.TxnResponse{}},
	"Compact":     {"/etcdserverpb.KV/Compact", "/v3/kv/compaction", &pb.CompactionResponse{}},

	"LeaseGrant":      {"/etcdserverpb.Lease/LeaseGrant", "/v3/lease/grant", &pb.LeaseGrantResponse{}},
	"LeaseRevoke":     {"/etcdserverpb.Lease/LeaseRevoke", "/v3/lease/revoke", &pb.LeaseRevokeResponse{}},
	"LeaseTimeToLive": {"/etcdserverpb.Lease/LeaseTimeToLive", "/v3/lease/timetolive", &pb.LeaseTimeToLiveResponse{}},
	"LeaseLeases":     {"/etcdserverpb.Lease/LeaseLeases", "/v3/lease/leases", &pb.LeaseLeasesResponse{}},

	"MemberAdd":     {"/etcdserverpb.Cluster/MemberAdd", "/v3/cluster/member/add", &pb.MemberAddResponse{}},
	"MemberRemove":  {"/etcdserverpb.Cluster/MemberRemove", "/v3/cluster/member/remove", &pb.MemberRemoveResponse{}},
	"MemberUpdate":  {"/etcdserverpb.Cluster/MemberUpdate", "/v3/cluster/member/update", &pb.MemberUpdateResponse{}},
	"MemberList":    {"/etcdserverpb.Cluster/MemberList", "/v3/cluster/member/list", &pb.MemberListResponse{}},
	"MemberPromote": {"/etcdserverpb.Cluster/MemberPromote", "/v3/cluster/member/promote", &pb.MemberPromoteResponse{}},

	"Status":     {"/etcdserverpb.Maintenance/Status", "/v3/maintenance/status", &pb.StatusResponse{}},
	"Hash":       {"/etcdserverpb.Maintenance/Hash", "/v3/maintenance/hash", &pb.HashResponse{}},
	"HashKV":     {"/etcdserverpb.Maintenance/HashKV", "/v3/maintenance/hashkv", &pb.HashKVResponse{}},
	"Alarm":      {"/etcdserverpb.Maintenance/Alarm", "/v3/maintenance/alarm", &pb.AlarmResponse{}},
	"MoveLeader": {"/etcdserverpb.Maintenance/MoveLeader", "/v3/maintenance/transfer-leadership", &pb.MoveLeaderResponse{}},
	"Defragment": {"/etcdserverpb.Maintenance/Defragment", "/v3/maintenance/defragment", &pb.DefragmentResponse{}},
	"Downgrade":  {"/etcdserverpb.Maintenance/Downgrade", "/v3/maintenance/downgrade", &pb.DowngradeResponse{}},

	"AuthEnable":           {"/etcdserverpb.Auth/AuthEnable", "/v3/auth/enable", &pb.AuthEnableResponse{}},
	"AuthDisable":          {"/etcdserverpb.Auth/AuthDisable", "/v3/auth/disable", &pb.AuthDisableResponse{}},
	"AuthStatus":           {"/etcdserverpb.Auth/AuthStatus", "/v3/auth/status", &pb.AuthStatusResponse{}},
	"UserAdd":              {"/etcdserverpb.Auth/UserAdd", "/v3/auth/user/add", &pb.AuthUserAddResponse{}},
	"UserGet":              {"/etcdserverpb.Auth/UserGet", "/v3/auth/user/get", &pb.AuthUserGetResponse{}},
	"UserList":             {"/etcdserverpb.Auth/UserList", "/v3/auth/user/list", &pb.AuthUserListResponse{}},
	"UserDelete":           {"/etcdserverpb.Auth/UserDelete", "/v3/auth/user/delete", &pb.AuthUserDeleteResponse{}},
	"UserChangePassword":   {"/etcdserverpb.Auth/UserChangePassword", "/v3/auth/user/changepw", &pb.AuthUserChangePasswordResponse{}},
	"UserGrantRole":        {"/etcdserverpb.Auth/UserGrantRole", "/v3/auth/user/grant", &pb.AuthUserGrantRoleResponse{}},
	"UserRevokeRole":       {"/etcdserverpb.Auth/UserRevokeRole", "/v3/auth/user/revoke", &pb.AuthUserRevokeRoleResponse{}},
	"RoleAdd":              {"/etcdserverpb.Auth/RoleAdd", "/v3/auth/role/add", &pb.AuthRoleAddResponse{}},
	"RoleGet":              {"/etcdserverpb.Auth/RoleGet", "/v3/auth/role/get", &pb.AuthRoleGetResponse{}},
	"RoleList":             {"/etcdserverpb.Auth/RoleList", "/v3/auth/role/list", &pb.AuthRoleListResponse{}},
	"RoleDelete":           {"/etcdserverpb.Auth/RoleDelete", "/v3/auth/role/delete", &pb.AuthRoleDeleteResponse{}},
	"RoleGrantPermission":  {"/etcdserverpb.Auth/RoleGrantPermission", "/v3/auth/role/grant", &pb.AuthRoleGrantPermissionResponse{}},
	"RoleRevokePermission": {"/etcdserverpb.Auth/RoleRevokePermission", "/v3/auth/role/revoke", &pb.AuthRoleRevokePermissionResponse{}},

	"Lock":     {v3lockpb.Lock_Lock_FullMethodName, "/v3/lock/lock", &v3lockpb.LockResponse{}},
	"Unlock":   {v3lockpb.Lock_Unlock_FullMethodName, "/v3/lock/unlock", &v3lockpb.UnlockResponse{}},
	"Campaign": {v3electionpb.Election_Campaign_FullMethodName, "/v3/election/campaign", &v3electionpb.CampaignResponse{}},
	"Proclaim": {v3electionpb.Election_Proclaim_FullMethodName, "/v3/election/proclaim", &v3electionpb.ProclaimResponse{}},
	"Leader":   {v3electionpb.Election_Leader_FullMethodName, "/v3/election/leader", &v3electionpb.LeaderResponse{}},
	"Resign":   {v3electionpb.Election_Resign_FullMethodName, "/v3/election/resign", &v3electionpb.ResignResponse{}},

	"Check": {"/grpc.health.v1.Health/Check", "", &grpc_health_v1.HealthCheckResponse{}},
	"List":  {"/grpc.health.v1.Health/List", "", &grpc_health_v1.HealthListResponse{}},
}
