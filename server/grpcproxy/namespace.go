package grpcproxy

import (
	"bytes"
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// space is the part of the key space that clients get to see as if it were all.
// The empty one is all.
type space string

// in is where a client's key is.
func (s space) in(key []byte) []byte {
	return append([]byte(s), key...)
}

// shown is in for the key of a lock or an election that a client shows. None is
// still none, which a member refuses: it must not become the space's own name.
func (s space) shown(key []byte) []byte {
	if len(key) == 0 {
		return key
	}
	return s.in(key)
}

// span is where a client's range is. An end of \0 is that of the space: the first
// key after it.
func (s space) span(key, end []byte) (from, to []byte) {
	switch {
	case s == "":
		return key, end
	case len(end) == 0:
		return s.in(key), nil
	case len(end) == 1 && end[0] == 0:
		return s.in(key), s.end()
	default:
		return s.in(key), s.in(end)
	}
}

func (s space) end() []byte {
	end := []byte(s)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0} // nothing comes after \xff…: the end of all
}

// out is what a client knows a key by.
func (s space) out(key []byte) []byte { return key[min(len(s), len(key)):] }

func (s space) has(key []byte) bool { return bytes.HasPrefix(key, []byte(s)) }

func (s space) show(kvs ...*mvccpb.KeyValue) {
	for _, kv := range kvs {
		if kv != nil {
			kv.Key = s.out(kv.Key)
		}
	}
}

// named puts a space between clients and the keys below.
type named struct {
	keys
	space space
}

func (n *named) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := n.place(&r.Key, &r.RangeEnd); err != nil {
		return nil, err
	}
	resp, err := n.keys.Range(ctx, r)
	n.space.show(resp.GetKvs()...)
	return resp, err
}

func (n *named) RangeStream(ctx context.Context, r *pb.RangeRequest, send func(*pb.RangeStreamResponse) error) error {
	if err := n.place(&r.Key, &r.RangeEnd); err != nil {
		return err
	}
	return n.keys.RangeStream(ctx, r, func(part *pb.RangeStreamResponse) error {
		n.space.show(part.GetRangeResponse().GetKvs()...)
		return send(part)
	})
}

func (n *named) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := n.place(&r.Key, nil); err != nil {
		return nil, err
	}
	resp, err := n.keys.Put(ctx, r)
	n.space.show(resp.GetPrevKv())
	return resp, err
}

func (n *named) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if err := n.place(&r.Key, &r.RangeEnd); err != nil {
		return nil, err
	}
	resp, err := n.keys.DeleteRange(ctx, r)
	n.space.show(resp.GetPrevKvs()...)
	return resp, err
}

func (n *named) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := n.placeTxn(r); err != nil {
		return nil, err
	}
	resp, err := n.keys.Txn(ctx, r)
	n.showTxn(resp)
	return resp, err
}

// place moves a key, and the end of a range if there is one, into the space. No
// key is still no key: what a member would refuse must not become the space's
// own name.
func (n *named) place(key, end *[]byte) error {
	if len(*key) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if end == nil {
		end = new([]byte)
	}
	*key, *end = n.space.span(*key, *end)
	return nil
}

func (n *named) placeTxn(r *pb.TxnRequest) error {
	for _, c := range r.Compare {
		if err := n.place(&c.Key, &c.RangeEnd); err != nil {
			return err
		}
	}
	for _, branch := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range branch {
			if err := n.placeOp(op); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *named) placeOp(op *pb.RequestOp) error {
	switch {
	case op.GetRequestRange() != nil:
		return n.place(&op.GetRequestRange().Key, &op.GetRequestRange().RangeEnd)
	case op.GetRequestPut() != nil:
		return n.place(&op.GetRequestPut().Key, nil)
	case op.GetRequestDeleteRange() != nil:
		return n.place(&op.GetRequestDeleteRange().Key, &op.GetRequestDeleteRange().RangeEnd)
	case op.GetRequestTxn() != nil:
		return n.placeTxn(op.GetRequestTxn())
	}
	return nil // a member says what it thinks of an operation that is none
}

func (n *named) showTxn(r *pb.TxnResponse) {
	for _, op := range r.GetResponses() {
		n.space.show(op.GetResponseRange().GetKvs()...)
		n.space.show(op.GetResponsePut().GetPrevKv())
		n.space.show(op.GetResponseDeleteRange().GetPrevKvs()...)
		n.showTxn(op.GetResponseTxn())
	}
}
