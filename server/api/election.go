package api

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
)

// The words are those of etcd's election service and its Go client.
var (
	errMissingLeader     = errors.New(`"leader" field must be provided`)
	errElectionNotLeader = errors.New("election: not leader")
	errElectionNoLeader  = errors.New("election: no leader")
)

// Campaign waits until the caller's lease leads a name.
func (s *Service) Campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	resp, err := s.campaign(ctx, r)
	return resp, asClient(err)
}

func (s *Service) campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	lease, err := s.session(ctx, r.Lease)
	if err != nil {
		return nil, err
	}
	key := queueKey(r.Name, lease)
	resp, err := s.Txn(ctx, &pb.TxnRequest{
		Compare: created(key, 0),
		Success: []*pb.RequestOp{putOp(key, r.Value, lease)},
		Failure: []*pb.RequestOp{rangeOp(&pb.RangeRequest{Key: key})},
	})
	if err != nil {
		return nil, err
	}
	leader := &v3electionpb.LeaderKey{Name: r.Name, Key: key, Rev: resp.Header.Revision, Lease: lease}
	header := resp.Header
	if !resp.Succeeded { // a campaign that goes on
		kv := resp.Responses[0].GetResponseRange().Kvs[0]
		leader.Rev = kv.CreateRevision
		if string(kv.Value) != string(r.Value) {
			if _, err := s.proclaim(ctx, leader, r.Value); err != nil {
				s.giveUp(ctx, leader)
				return nil, err
			}
		}
	}
	if err := s.waitTurn(ctx, r.Name, leader.Rev); err != nil {
		if ctx.Err() != nil {
			s.giveUp(ctx, leader)
		}
		return nil, err
	}
	return &v3electionpb.CampaignResponse{Header: header, Leader: leader}, nil
}

func (s *Service) giveUp(ctx context.Context, leader *v3electionpb.LeaderKey) {
	s.abandon(ctx, func(ctx context.Context) error { _, err := s.resign(ctx, leader); return err })
}

// Proclaim changes the leader's value. As in etcd it doesn't matter whether he
// leads already: whose key is there may.
func (s *Service) Proclaim(ctx context.Context, r *v3electionpb.ProclaimRequest) (*v3electionpb.ProclaimResponse, error) {
	leader, err := s.resume(ctx, r.Leader)
	if err != nil {
		return nil, asClient(err)
	}
	header, err := s.proclaim(ctx, leader, r.Value)
	if err != nil {
		return nil, asClient(err)
	}
	return &v3electionpb.ProclaimResponse{Header: header}, nil
}

// resume takes up what a leader shows. One without a lease gets one, as in etcd.
func (s *Service) resume(ctx context.Context, leader *v3electionpb.LeaderKey) (*v3electionpb.LeaderKey, error) {
	if leader == nil {
		looked(ctx)
		return nil, errMissingLeader
	}
	lease, err := s.session(ctx, leader.Lease)
	if err != nil {
		return nil, err
	}
	return &v3electionpb.LeaderKey{Name: leader.Name, Key: leader.Key, Rev: leader.Rev, Lease: lease}, nil
}

func (s *Service) proclaim(ctx context.Context, leader *v3electionpb.LeaderKey, value []byte) (*pb.ResponseHeader, error) {
	resp, err := s.Txn(ctx, &pb.TxnRequest{
		Compare: created(leader.Key, leader.Rev),
		Success: []*pb.RequestOp{putOp(leader.Key, value, leader.Lease)},
	})
	if err != nil {
		return nil, err
	}
	if !resp.Succeeded {
		return nil, errElectionNotLeader
	}
	return resp.Header, nil
}

// Resign deletes the leader's key, if it is still his.
func (s *Service) Resign(ctx context.Context, r *v3electionpb.ResignRequest) (*v3electionpb.ResignResponse, error) {
	leader, err := s.resume(ctx, r.Leader)
	if err != nil {
		return nil, asClient(err)
	}
	header, err := s.resign(ctx, leader)
	if err != nil {
		return nil, asClient(err)
	}
	return &v3electionpb.ResignResponse{Header: header}, nil
}

func (s *Service) resign(ctx context.Context, leader *v3electionpb.LeaderKey) (*pb.ResponseHeader, error) {
	resp, err := s.Txn(ctx, &pb.TxnRequest{
		Compare: created(leader.Key, leader.Rev),
		Success: []*pb.RequestOp{deleteOp(leader.Key)},
	})
	return resp.GetHeader(), err
}

// Leader tells who leads a name.
func (s *Service) Leader(ctx context.Context, r *v3electionpb.LeaderRequest) (*v3electionpb.LeaderResponse, error) {
	resp, err := s.Range(ctx, oldest(r.Name))
	if err == nil && len(resp.Kvs) == 0 {
		err = errElectionNoLeader
	}
	if err != nil {
		return nil, asClient(err)
	}
	return &v3electionpb.LeaderResponse{Header: resp.Header, Kv: resp.Kvs[0]}, nil
}

// ElectionConn takes what an observer is told.
type ElectionConn interface {
	Context() context.Context
	Send(*v3electionpb.LeaderResponse) error
}

// Observe tells who leads a name and what he proclaims, until the client ends the
// stream. It tells of each leader at least once, of a value that is overwritten
// at once maybe never.
func (s *Service) Observe(r *v3electionpb.LeaderRequest, conn ElectionConn) error {
	for ctx := conn.Context(); ; {
		leader, err := s.nextLeader(ctx, r.Name)
		if err == nil {
			err = s.observeLeader(conn, leader)
		}
		switch {
		case ctx.Err() != nil:
			return ToGRPC(context.Cause(ctx))
		case err != nil:
			return asClient(err)
		}
	}
}

// nextLeader returns the leader, or waits for somebody to campaign.
func (s *Service) nextLeader(ctx context.Context, name []byte) (*v3electionpb.LeaderResponse, error) {
	resp, err := s.Range(ctx, oldest(name))
	if err != nil {
		return nil, err
	}
	if len(resp.Kvs) > 0 {
		return &v3electionpb.LeaderResponse{Header: resp.Header, Kv: resp.Kvs[0]}, nil
	}
	var leader *v3electionpb.LeaderResponse
	err = s.watchRange(ctx, queuePrefix(name), queueEnd(name), resp.Header.Revision, func(h *pb.ResponseHeader, ev *mvccpb.Event) (bool, error) {
		if ev.Type == mvccpb.Event_DELETE {
			return true, nil
		}
		h.Revision = ev.Kv.ModRevision // several may have come at once
		leader = &v3electionpb.LeaderResponse{Header: h, Kv: ev.Kv}
		return false, nil
	})
	return leader, err
}

// observeLeader tells of a leader and of all that he proclaims, until his key goes.
func (s *Service) observeLeader(conn ElectionConn, leader *v3electionpb.LeaderResponse) error {
	if err := conn.Send(leader); err != nil {
		return err
	}
	return s.watchRange(conn.Context(), leader.Kv.Key, nil, leader.Header.Revision+1, func(h *pb.ResponseHeader, ev *mvccpb.Event) (bool, error) {
		if ev.Type == mvccpb.Event_DELETE {
			return false, nil
		}
		return true, conn.Send(&v3electionpb.LeaderResponse{Header: h, Kv: ev.Kv})
	})
}
