package grpcproxy

import (
	"context"

	"google.golang.org/grpc"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
)

// electionServer forwards, with names and keys in the space.
type electionServer struct {
	v3electionpb.UnsafeElectionServer
	client v3electionpb.ElectionClient
	space  space
	cache  *cache
}

var _ v3electionpb.ElectionServer = (*electionServer)(nil)

func (s *electionServer) Campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	r.Name = s.space.in(r.Name)
	resp, err := s.client.Campaign(ctx, r)
	if err != nil {
		s.cache.clear(0) // it may wait yet
		return nil, err
	}
	if l := resp.Leader; l != nil {
		l.Name, l.Key = s.space.out(l.Name), s.space.out(l.Key)
		s.cache.written(resp.Header.GetRevision(), interval{key: l.Key})
	}
	return resp, nil
}

// place returns the key as the client knows it.
func (s *electionServer) place(l *v3electionpb.LeaderKey) (known interval) {
	if l == nil {
		return interval{}
	}
	known.key = l.Key
	l.Name, l.Key = s.space.in(l.Name), s.space.shown(l.Key)
	return known
}

func (s *electionServer) Proclaim(ctx context.Context, r *v3electionpb.ProclaimRequest) (*v3electionpb.ProclaimResponse, error) {
	touched := s.place(r.Leader)
	resp, err := s.client.Proclaim(ctx, r)
	s.cache.written(resp.GetHeader().GetRevision(), touched)
	return resp, err
}

func (s *electionServer) Resign(ctx context.Context, r *v3electionpb.ResignRequest) (*v3electionpb.ResignResponse, error) {
	touched := s.place(r.Leader)
	resp, err := s.client.Resign(ctx, r)
	s.cache.written(resp.GetHeader().GetRevision(), touched)
	return resp, err
}

func (s *electionServer) Leader(ctx context.Context, r *v3electionpb.LeaderRequest) (*v3electionpb.LeaderResponse, error) {
	r.Name = s.space.in(r.Name)
	resp, err := s.client.Leader(ctx, r)
	s.space.show(resp.GetKv())
	return resp, err
}

func (s *electionServer) Observe(r *v3electionpb.LeaderRequest, stream grpc.ServerStreamingServer[v3electionpb.LeaderResponse]) error {
	r.Name = s.space.in(r.Name)
	from, err := s.client.Observe(stream.Context(), r)
	if err != nil {
		return err
	}
	return relay(from, func(resp *v3electionpb.LeaderResponse) error {
		s.space.show(resp.GetKv())
		return stream.Send(resp)
	})
}
