package api

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/server/state"
)

// Service answers etcd's requests over a Backend. Its methods take and return
// protobuf messages and errors that carry a gRPC code; nothing here knows how
// they travel (register.go does).
type Service struct {
	backend Backend
	limits  Limits
}

// NewService makes a Service. Backend.Limits is read once.
func NewService(b Backend) *Service {
	return &Service{backend: b, limits: b.Limits()}
}

// propose replicates a body and returns its result, with every error mapped.
func (s *Service) propose(ctx context.Context, body state.Body) (*state.Result, error) {
	if err := s.admit(body); err != nil {
		return nil, ToGRPC(err)
	}
	res, err := s.backend.Propose(ctx, body)
	if err == nil {
		err = res.Err
	}
	if err != nil {
		return nil, ToGRPC(err)
	}
	return res, nil
}

// header makes a reply's header at a given revision.
func (s *Service) header(revision int64) *pb.ResponseHeader {
	return headerPB(s.backend.Head(), revision)
}

// headerNow makes a header at what this member has applied.
func (s *Service) headerNow() *pb.ResponseHeader {
	head := s.backend.Head()
	return headerPB(head, head.Revision)
}
