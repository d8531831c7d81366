package grpcproxy

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// cached answers serializable ranges from memory. With a token a request is
// neither answered nor remembered: what its owner may read only the members know,
// and only now.
type cached struct {
	keys
	cache *cache
	meter *meter
	// tide, if there is one, is how old an answer may be; nil: as old as the cache has it.
	tide *tide
}

func (c *cached) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if callerOf(ctx).token != "" {
		return c.keys.Range(ctx, r)
	}
	request, span, fixed := requestKey(r), interval{r.Key, r.RangeEnd}, r.Revision
	if r.Serializable {
		if resp := c.cache.get(request); resp != nil && c.serves(fixed, resp) {
			c.meter.hits.Inc()
			return resp, nil
		}
		c.meter.misses.Inc()
	}
	resp, err := c.keys.Range(ctx, r)
	if err == nil {
		c.cache.add(request, span, fixed, resp)
	}
	return resp, err
}

// serves tells whether an answer from memory doesn't go back in time, where that is
// wanted. One at a revision that was asked for never does.
func (c *cached) serves(fixed int64, resp *pb.RangeResponse) bool {
	return c.tide == nil || fixed != 0 || resp.Header.GetRevision() >= c.tide.mark()
}

func (c *cached) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	span := interval{key: r.Key}
	resp, err := c.keys.Put(ctx, r)
	c.cache.written(resp.GetHeader().GetRevision(), span)
	return resp, err
}

func (c *cached) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	span := interval{r.Key, r.RangeEnd}
	resp, err := c.keys.DeleteRange(ctx, r)
	c.cache.written(resp.GetHeader().GetRevision(), span)
	return resp, err
}

// Txn takes it that both branches were written. What it compared it may have found
// other than its client expected: he reads again, and must not get the old.
func (c *cached) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	touched, reads := touchedBy(r), readsOf(r)
	resp, err := c.keys.Txn(ctx, r)
	c.cache.written(resp.GetHeader().GetRevision(), touched...)
	if err == nil && callerOf(ctx).token == "" {
		c.remember(reads, resp)
	}
	return resp, err
}

func touchedBy(r *pb.TxnRequest) (touched []interval) {
	for _, compare := range r.Compare {
		touched = append(touched, interval{compare.Key, compare.RangeEnd})
	}
	walk(r, func(op *pb.RequestOp) {
		if put := op.GetRequestPut(); put != nil {
			touched = append(touched, interval{key: put.Key})
		}
		if del := op.GetRequestDeleteRange(); del != nil {
			touched = append(touched, interval{del.Key, del.RangeEnd})
		}
		for _, compare := range op.GetRequestTxn().GetCompare() {
			touched = append(touched, interval{compare.Key, compare.RangeEnd})
		}
	})
	return touched
}

// read is a range of a transaction, as it was before layers below changed it.
type read struct {
	request string
	span    interval
	fixed   int64
}

// readsOf are the ranges at the top of both branches of a transaction that writes
// nothing, by branch (1 is success) and place. Among writes a range sees some of
// them and not others.
func readsOf(r *pb.TxnRequest) (reads [2]map[int]read) {
	if !readsOnly(r) {
		return reads
	}
	for branch, ops := range [2][]*pb.RequestOp{r.Failure, r.Success} {
		reads[branch] = map[int]read{}
		for i, op := range ops {
			if q := op.GetRequestRange(); q != nil {
				reads[branch][i] = read{requestKey(q), interval{q.Key, q.RangeEnd}, q.Revision}
			}
		}
	}
	return reads
}

func (c *cached) remember(reads [2]map[int]read, resp *pb.TxnResponse) {
	branch := 0
	if resp.Succeeded {
		branch = 1
	}
	for i, op := range resp.Responses {
		q, ok := reads[branch][i]
		answer := op.GetResponseRange()
		if !ok || answer == nil {
			continue
		}
		alone := &pb.RangeResponse{Header: proto.CloneOf(resp.Header), Kvs: answer.Kvs, More: answer.More, Count: answer.Count}
		c.cache.add(q.request, q.span, q.fixed, alone)
	}
}

func (c *cached) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	revision := r.Revision
	resp, err := c.keys.Compact(ctx, r)
	if err == nil {
		c.cache.compacted(revision)
	}
	return resp, err
}
