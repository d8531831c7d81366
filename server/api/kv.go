package api

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// Range reads keys from a view, on the caller's goroutine.
func (s *Service) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := checkRange(r); err != nil {
		return nil, err
	}
	view, err := s.rangeView(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.makeRoom(ctx, view, r); err != nil {
		return nil, err
	}
	res, err := s.readRange(view, r)
	if err != nil {
		return nil, ToGRPC(err)
	}
	return rangePB(s.header(res.Revision), res), nil
}

// readRange reads, and tells how long it took.
func (s *Service) readRange(view *state.View, r *pb.RangeRequest) (*mvcc.RangeResult, error) {
	began := time.Now()
	res, err := view.KV.Range(rangeFromPB(r))
	s.backend.RangeTook(err == nil, time.Since(began))
	return res, err
}

// catchUpMax bounds how long a serializable read waits for a revision.
const catchUpMax = time.Second

// rangeView is the state to read a range from.
//
// A serializable read may name a revision that its client has seen at another
// member and that this one has yet to apply: client/v3's transactions in memory
// (concurrency.STM) do so all the time. Such a read is made linearizable, which
// brings this member up to date; if the revision is still in the future then,
// it really is. etcd answers "future revision" at once, and the client fails.
func (s *Service) rangeView(ctx context.Context, r *pb.RangeRequest) (*state.View, error) {
	view, err := s.backend.View(ctx, !r.Serializable)
	if err != nil {
		return nil, ToGRPC(err)
	}
	if r.Serializable && r.Revision > view.KV.Revision() {
		wait, cancel := context.WithTimeout(ctx, catchUpMax)
		defer cancel()
		if newer, err := s.backend.View(wait, true); err == nil { // else, what there is decides
			view = newer
		}
	}
	return s.mayRange(ctx, view, r)
}

func (s *Service) mayRange(ctx context.Context, view *state.View, r *pb.RangeRequest) (*state.View, error) {
	looked(ctx)
	if !view.Auth().Enabled() {
		return view, nil
	}
	return s.mayRead(ctx, view, !r.Serializable, func(v *state.View, c auth.Caller) error {
		return v.PermitRange(c, r.Key, r.RangeEnd)
	})
}

// makeRoom waits until there is memory for the keys that a request reads, if they
// may be many. view may be nil: then it is what this member has applied.
func (s *Service) makeRoom(ctx context.Context, view *state.View, request any) error {
	t := tabOf(ctx)
	if t == nil {
		return nil
	}
	if view == nil {
		var err error
		if view, err = s.backend.View(ctx, false); err != nil {
			return ToGRPC(err)
		}
	}
	return t.takeRows(ctx, rowsOf(view.KV, request))
}

// Put sets one key.
func (s *Service) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := s.room(ctx, putCost(r)); err != nil {
		return nil, err
	}
	if err := checkPut(r); err != nil {
		return nil, err
	}
	res, err := s.propose(ctx, putFromPB(r))
	if err != nil {
		return nil, err
	}
	return putPB(s.header(res.Revision), res.Put), nil
}

// DeleteRange deletes keys. It is never refused for lack of space.
func (s *Service) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if err := checkDelete(r); err != nil {
		return nil, err
	}
	if err := s.makeRoom(ctx, nil, r); err != nil {
		return nil, err
	}
	res, err := s.propose(ctx, deleteFromPB(r))
	if err != nil {
		return nil, err
	}
	return deletePB(s.header(res.Revision), res.Delete), nil
}

// Txn runs a transaction. One that can only read isn't logged: it runs on a
// view, which is one point in time too.
func (s *Service) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := s.room(ctx, txnCost(r)); err != nil {
		return nil, err
	}
	if err := checkTxn(r, s.limits.TxnOpsMax); err != nil {
		return nil, err
	}
	txn := txnFromPB(r)
	if readOnly, serializable := txnReads(r); readOnly {
		return s.readTxn(ctx, r, txn, serializable)
	}
	if err := s.makeRoom(ctx, nil, r); err != nil {
		return nil, err
	}
	res, err := s.propose(ctx, txn)
	if err != nil {
		return nil, err
	}
	return txnPB(s.header(res.Revision), res.Txn), nil
}

func (s *Service) readTxn(ctx context.Context, r *pb.TxnRequest, txn *mvcc.TxnRequest, serializable bool) (*pb.TxnResponse, error) {
	view, err := s.backend.View(ctx, !serializable)
	if err != nil {
		return nil, ToGRPC(err)
	}
	view, err = s.mayRead(ctx, view, !serializable, func(v *state.View, c auth.Caller) error { return v.Permit(c, txn) })
	if err != nil {
		return nil, err
	}
	if err := s.makeRoom(ctx, view, r); err != nil {
		return nil, err
	}
	res, err := view.KV.ReadTxn(txn)
	if err != nil {
		return nil, ToGRPC(err)
	}
	return txnPB(s.header(res.Revision), res), nil
}

// txnReads says whether a transaction can only read, and if so whether each of
// its reads is serializable. A nested transaction counts as a write, as in etcd.
func txnReads(r *pb.TxnRequest) (readOnly, serializable bool) {
	serializable = true
	for _, ops := range [2][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			read := op.GetRequestRange()
			if read == nil {
				return false, false
			}
			serializable = serializable && read.Serializable
		}
	}
	return true, serializable
}

// Compact forgets history below a revision. The history is gone from every
// read as soon as this returns; memory is given back in slices that no writer
// waits for, so physical and logical compaction return alike.
func (s *Service) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	res, err := s.propose(ctx, &state.CompactRequest{Revision: r.Revision})
	if err != nil {
		return nil, err
	}
	return &pb.CompactionResponse{Header: s.header(res.Revision)}, nil
}
