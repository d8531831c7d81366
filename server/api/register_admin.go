package api

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// clusterServer and maintenanceServer hold the service in a field, so that
// what isn't there yet falls through to Unimplemented.
type clusterServer struct {
	pb.UnimplementedClusterServer
	svc *Service
}

func (s clusterServer) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	return s.svc.MemberList(ctx, r)
}

func (s clusterServer) MemberAdd(ctx context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	return s.svc.MemberAdd(ctx, r)
}

func (s clusterServer) MemberRemove(ctx context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return s.svc.MemberRemove(ctx, r)
}

func (s clusterServer) MemberUpdate(ctx context.Context, r *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	return s.svc.MemberUpdate(ctx, r)
}

func (s clusterServer) MemberPromote(ctx context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	return s.svc.MemberPromote(ctx, r)
}

type maintenanceServer struct {
	pb.UnimplementedMaintenanceServer
	svc *Service
}

func (s maintenanceServer) Status(ctx context.Context, r *pb.StatusRequest) (*pb.StatusResponse, error) {
	return s.svc.Status(ctx, r)
}

func (s maintenanceServer) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return s.svc.HashKV(ctx, r)
}

func (s maintenanceServer) Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error) {
	return s.svc.Hash(ctx, r)
}

func (s maintenanceServer) Snapshot(r *pb.SnapshotRequest, stream grpc.ServerStreamingServer[pb.SnapshotResponse]) error {
	return s.svc.Snapshot(r, stream)
}

func (s maintenanceServer) Downgrade(ctx context.Context, r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	return s.svc.Downgrade(ctx, r)
}

func (s maintenanceServer) MoveLeader(ctx context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	return s.svc.MoveLeader(ctx, r)
}

func (s maintenanceServer) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	return s.svc.Alarm(ctx, r)
}

func (s maintenanceServer) Defragment(ctx context.Context, r *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	return s.svc.Defragment(ctx, r)
}
