package grpcproxy

import (
	"context"

	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// lockServer forwards, with names and keys in the space: a lock's key is good for
// transactions then, which are in it, too.
type lockServer struct {
	v3lockpb.UnsafeLockServer
	client v3lockpb.LockClient
	space  space
	cache  *cache
}

var _ v3lockpb.LockServer = (*lockServer)(nil)

func (s *lockServer) Lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	r.Name = s.space.in(r.Name)
	resp, err := s.client.Lock(ctx, r)
	if err != nil {
		s.cache.clear(0) // it may wait yet
		return nil, err
	}
	resp.Key = s.space.out(resp.Key)
	s.cache.written(resp.Header.GetRevision(), interval{key: resp.Key})
	return resp, nil
}

func (s *lockServer) Unlock(ctx context.Context, r *v3lockpb.UnlockRequest) (*v3lockpb.UnlockResponse, error) {
	key := r.Key
	r.Key = s.space.shown(key)
	resp, err := s.client.Unlock(ctx, r)
	s.cache.written(resp.GetHeader().GetRevision(), interval{key: key})
	return resp, err
}
