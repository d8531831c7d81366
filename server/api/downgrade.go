package api

import (
	"context"
	"regexp"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// targetVersion is what etcd reads as a version: 3.6, 3.6.0 or 3.6.0-rc.1+build.
var targetVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+(\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?$`)

// clusterRelease is ClusterVersion as Downgrade names it.
const clusterRelease = "3.7"

var errUnknownMethod = status.Error(codes.Unknown, "etcdserver: unknown method")

// Downgrade is refused, in etcd's words for a version that can't be gone back to:
// data of this version is read by no earlier one. None is ever under way; to
// cancel one succeeds nevertheless, as it does with etcd, which only writes to its
// log that there was none.
func (s *Service) Downgrade(ctx context.Context, r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	switch r.Action {
	case pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE:
		if !targetVersion.MatchString(r.Version) {
			return nil, rpctypes.ErrGRPCWrongDowngradeVersionFormat
		}
		return nil, rpctypes.ErrGRPCInvalidDowngradeTargetVersion
	case pb.DowngradeRequest_CANCEL:
		if _, err := s.backend.View(ctx, true); err != nil {
			return nil, ToGRPC(err)
		}
		return &pb.DowngradeResponse{Header: s.headerNow(), Version: clusterRelease}, nil
	default:
		return nil, errUnknownMethod
	}
}
