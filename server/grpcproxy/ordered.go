package grpcproxy

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// ordered keeps serializable reads from going back in time: they come from any
// member, and one may be behind another. An answer from before what was seen is
// not passed on; the next members are asked, and in the end for a linearizable
// read, which is from after.
type ordered struct {
	keys
	tide  *tide
	count func() int
}

func (o *ordered) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if !r.Serializable {
		return o.keys.Range(ctx, r)
	}
	mark := o.tide.mark() // of before the request: others may raise it while this one is under way
	for range 2 * o.count() {
		resp, err := o.keys.Range(ctx, r)
		if err != nil || resp.Header.GetRevision() >= mark {
			return resp, err
		}
	}
	r.Serializable = false
	return o.keys.Range(ctx, r)
}

// RangeStream can't take back what it has sent, and the revision comes last.
func (o *ordered) RangeStream(ctx context.Context, r *pb.RangeRequest, send func(*pb.RangeStreamResponse) error) error {
	r.Serializable = false
	return o.keys.RangeStream(ctx, r, send)
}

// Txn asks again only what reads alone: the members answer such a transaction
// without a consensus if all its ranges are serializable.
func (o *ordered) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if !readsOnly(r) {
		return o.keys.Txn(ctx, r)
	}
	mark := o.tide.mark()
	for range 2 * o.count() {
		resp, err := o.keys.Txn(ctx, r)
		if err != nil || resp.Header.GetRevision() >= mark {
			return resp, err
		}
	}
	walk(r, func(op *pb.RequestOp) {
		if read := op.GetRequestRange(); read != nil {
			read.Serializable = false
		}
	})
	return o.keys.Txn(ctx, r)
}

func readsOnly(r *pb.TxnRequest) bool {
	writes := false
	walk(r, func(op *pb.RequestOp) {
		writes = writes || op.GetRequestPut() != nil || op.GetRequestDeleteRange() != nil
	})
	return !writes
}

// walk calls f with each operation of both branches, nested ones included.
func walk(r *pb.TxnRequest, f func(*pb.RequestOp)) {
	for _, branch := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range branch {
			f(op)
			if nested := op.GetRequestTxn(); nested != nil {
				walk(nested, f)
			}
		}
	}
}
