package api

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// errSessionExpired has the Go client's words.
var errSessionExpired = errors.New("mutex: session is expired")

// Lock waits until the caller's lease holds a name.
func (s *Service) Lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	resp, err := s.lock(ctx, r)
	return resp, asClient(err)
}

func (s *Service) lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	lease, err := s.session(ctx, r.Lease)
	if err != nil {
		return nil, err
	}
	key := queueKey(r.Name, lease)
	resp, err := s.Txn(ctx, &pb.TxnRequest{
		Compare: created(key, 0),
		Success: []*pb.RequestOp{putOp(key, nil, lease), rangeOp(oldest(r.Name))},
		Failure: []*pb.RequestOp{rangeOp(&pb.RangeRequest{Key: key}), rangeOp(oldest(r.Name))},
	})
	if err != nil {
		return nil, err
	}
	mine := resp.Header.Revision
	if !resp.Succeeded {
		mine = resp.Responses[0].GetResponseRange().Kvs[0].CreateRevision
	}
	if owner := resp.Responses[1].GetResponseRange().Kvs; len(owner) == 0 || owner[0].CreateRevision == mine {
		return &v3lockpb.LockResponse{Header: resp.Header, Key: key}, nil
	}
	return s.waitLock(ctx, r.Name, key, mine)
}

// waitLock waits for those who came before, then looks whether the own key is
// still there: only then the lock is held.
func (s *Service) waitLock(ctx context.Context, name, key []byte, mine int64) (*v3lockpb.LockResponse, error) {
	err := s.waitTurn(ctx, name, mine)
	var own *pb.RangeResponse
	if err == nil {
		own, err = s.Range(ctx, &pb.RangeRequest{Key: key})
	}
	if err != nil {
		s.abandon(ctx, func(ctx context.Context) error {
			_, err := s.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: key})
			return err
		})
		return nil, err
	}
	if len(own.Kvs) == 0 {
		return nil, errSessionExpired
	}
	return &v3lockpb.LockResponse{Header: own.Header, Key: key}, nil
}

// Unlock deletes the key that Lock returned.
func (s *Service) Unlock(ctx context.Context, r *v3lockpb.UnlockRequest) (*v3lockpb.UnlockResponse, error) {
	resp, err := s.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: r.Key})
	if err != nil {
		return nil, asClient(err)
	}
	return &v3lockpb.UnlockResponse{Header: resp.Header}, nil
}
