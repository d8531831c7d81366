package api

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// MemberList lists the members, with what they published of themselves.
func (s *Service) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	view, err := s.backend.View(ctx, r.Linearizable)
	if err != nil {
		return nil, ToGRPC(err)
	}
	// etcd's cluster service leaves the revision out: members aren't in the store.
	return &pb.MemberListResponse{Header: s.header(0), Members: membersPB(view.Members())}, nil
}
