package grpcproxy

import (
	"context"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// leaseServer forwards what is said about leases; renewals share lines.
type leaseServer struct {
	pb.UnsafeLeaseServer
	client pb.LeaseClient
	pulse  *pulseHub
	space  space
	cache  *cache
	tide   *tide
}

var _ pb.LeaseServer = (*leaseServer)(nil)

func (s *leaseServer) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	return s.client.LeaseGrant(ctx, r)
}

// LeaseRevoke ends keys, and the proxy doesn't know which.
func (s *leaseServer) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	resp, err := s.client.LeaseRevoke(ctx, r)
	s.tide.seen(resp.GetHeader())
	s.cache.clear(resp.GetHeader().GetRevision())
	return resp, err
}

// LeaseTimeToLive shows the keys that are in the space.
func (s *leaseServer) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	resp, err := s.client.LeaseTimeToLive(ctx, r)
	if err != nil {
		return nil, err
	}
	resp.Keys = slices.DeleteFunc(resp.Keys, func(key []byte) bool { return !s.space.has(key) })
	for i, key := range resp.Keys {
		resp.Keys[i] = s.space.out(key)
	}
	return resp, nil
}

func (s *leaseServer) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	return s.client.LeaseLeases(ctx, r)
}

func (s *leaseServer) LeaseKeepAlive(conn keepAliveServer) error {
	return s.pulse.serve(conn)
}
