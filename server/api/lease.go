package api

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// grantTries bounds how often an id drawn at random may turn out to be taken.
const grantTries = 4

// LeaseGrant makes a lease. The id and the TTL are settled here, before the
// request is proposed, so that every replica applies the same ones.
func (s *Service) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	if err := s.room(ctx, leaseCostBytes); err != nil {
		return nil, err
	}
	ttl := max(r.TTL, s.limits.LeaseTTLMin)
	if r.ID != 0 {
		return s.grant(ctx, r.ID, ttl)
	}
	for try := 1; ; try++ {
		id := rand.Int64N(1<<63-1) + 1
		resp, err := s.grant(ctx, id, ttl)
		if try == grantTries || !errors.Is(err, rpctypes.ErrGRPCLeaseExist) {
			return resp, err
		}
	}
}

func (s *Service) grant(ctx context.Context, id, ttl int64) (*pb.LeaseGrantResponse, error) {
	res, err := s.propose(ctx, &state.LeaseGrantRequest{ID: id, TTL: ttl})
	if err != nil {
		return nil, err
	}
	return &pb.LeaseGrantResponse{Header: s.header(res.Revision), ID: res.Lease.ID, TTL: res.Lease.TTL}, nil
}

// LeaseRevoke ends a lease and deletes its keys.
func (s *Service) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	res, err := s.propose(ctx, &state.LeaseRevokeRequest{ID: r.ID})
	if err != nil {
		return nil, err
	}
	return &pb.LeaseRevokeResponse{Header: s.header(res.Revision)}, nil
}

// LeaseTimeToLive tells what remains of a lease, which its leader knows, and
// lists its keys on request. A lease that isn't there has TTL -1.
func (s *Service) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	looked(ctx)
	if s.backend.Auth().Enabled() {
		if _, err := s.gate.require(ctx, login); err != nil {
			return nil, ToGRPC(err)
		}
	}
	ttl, granted, err := s.backend.TimeToLive(ctx, r.ID)
	if err != nil {
		return nil, ToGRPC(err)
	}
	resp := &pb.LeaseTimeToLiveResponse{ID: r.ID, TTL: ttl, GrantedTTL: granted}
	if ttl < 0 {
		resp.TTL, resp.GrantedTTL = -1, 0
	} else if r.Keys {
		// The leader may be ahead of this member; the keys must not be older
		// than its answer.
		view, err := s.backend.View(ctx, true)
		if err != nil {
			return nil, ToGRPC(err)
		}
		view, err = s.mayRead(ctx, view, true, func(v *state.View, c auth.Caller) error {
			return cmp.Or(v.Auth().Login(c), v.PermitLease(c, auth.Read, r.ID))
		})
		if err != nil {
			return nil, err
		}
		resp.Keys = view.LeaseKeys(r.ID)
	}
	resp.Header = s.headerNow()
	return resp, nil
}

// allLeases: who asks for all leases must be allowed to see all their keys.
func allLeases(v *state.View, c auth.Caller) error {
	err := v.Auth().Login(c)
	if err != nil || v.Auth().Admin(c) == nil {
		return err
	}
	v.AscendLeases(func(l state.Lease) bool {
		err = v.PermitLease(c, auth.Read, l.ID)
		return err == nil
	})
	return err
}

// LeaseLeases lists the leases that this member knows of, like etcd without a
// quorum round.
func (s *Service) LeaseLeases(ctx context.Context, _ *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	view, err := s.backend.View(ctx, false)
	if err != nil {
		return nil, ToGRPC(err)
	}
	if view, err = s.mayRead(ctx, view, false, allLeases); err != nil {
		return nil, err
	}
	resp := &pb.LeaseLeasesResponse{Header: s.header(view.Revision())}
	view.AscendLeases(func(l state.Lease) bool {
		resp.Leases = append(resp.Leases, &pb.LeaseStatus{ID: l.ID})
		return true
	})
	return resp, nil
}
