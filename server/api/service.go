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
	backend   Backend
	limits    Limits
	gate      gate
	passwords *passwords
	watchers  *shares // by connection
}

// NewService makes a Service. Backend.Limits is read once.
func NewService(b Backend) *Service {
	limits := b.Limits()
	return &Service{backend: b, limits: limits,
		gate: gate{backend: b, certUsers: limits.CertUsers}, passwords: newPasswords(limits.BcryptCost),
		watchers: newShares(limits.WatchersMax)}
}

// propose replicates a body in the name of its caller and returns its result, with every error mapped.
func (s *Service) propose(ctx context.Context, body state.Body) (*state.Result, error) {
	if err := s.admit(ctx, body); err != nil {
		return nil, ToGRPC(err)
	}
	res, err := s.proposeAs(ctx, body)
	return res, ToGRPC(err)
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
