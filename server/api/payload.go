package api

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/holdfast-db/holdfast/mvcc"
)

// manyRows tells whether a request may read more than a few keys.
func manyRows(request any) bool {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return manyInRange(r)
	case *pb.DeleteRangeRequest:
		return manyDeleted(r)
	case *pb.TxnRequest:
		return manyInOps(r.GetSuccess()) || manyInOps(r.GetFailure())
	}
	return false
}

func manyInRange(r *pb.RangeRequest) bool {
	if len(r.GetRangeEnd()) == 0 || r.CountOnly {
		return false
	}
	n := rangeFromPB(r).Reads()
	return n <= 0 || n > fewKeys
}

func manyDeleted(r *pb.DeleteRangeRequest) bool { return len(r.GetRangeEnd()) > 0 && r.PrevKv }

func manyInOps(ops []*pb.RequestOp) bool {
	for _, op := range ops {
		switch u := op.GetRequest().(type) {
		case *pb.RequestOp_RequestRange:
			if manyInRange(u.RequestRange) {
				return true
			}
		case *pb.RequestOp_RequestDeleteRange:
			if manyDeleted(u.RequestDeleteRange) {
				return true
			}
		case *pb.RequestOp_RequestTxn:
			if manyRows(u.RequestTxn) {
				return true
			}
		}
	}
	return false
}

// rowsOf is how many keys a request reads at most in a view, of those that
// manyRows looks for; a transaction both branches' together.
func rowsOf(view *mvcc.View, request any) (keys int64) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		if manyInRange(r) {
			keys = view.Count(r.Key, r.RangeEnd)
			if n := rangeFromPB(r).Reads(); n > 0 {
				keys = min(keys, n)
			}
		}
	case *pb.DeleteRangeRequest:
		if manyDeleted(r) {
			keys = view.Count(r.Key, r.RangeEnd)
		}
	case *pb.TxnRequest:
		for _, ops := range [2][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
			for _, op := range ops {
				keys += rowsOf(view, requestOf(op))
			}
		}
	}
	return keys
}

// requestOf is the request in an operation.
func requestOf(op *pb.RequestOp) any {
	switch u := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return u.RequestRange
	case *pb.RequestOp_RequestDeleteRange:
		return u.RequestDeleteRange
	case *pb.RequestOp_RequestTxn:
		return u.RequestTxn
	}
	return nil
}

// payload is about how many bytes a response's encoding takes, if it may be many.
func payload(response any) int64 {
	switch r := response.(type) {
	case *pb.RangeResponse:
		return kvsPayload(r.GetKvs())
	case *pb.RangeStreamResponse:
		return kvsPayload(r.GetRangeResponse().GetKvs())
	case *pb.PutResponse:
		return kvPayload(r.GetPrevKv())
	case *pb.DeleteRangeResponse:
		return kvsPayload(r.GetPrevKvs())
	case *pb.TxnResponse:
		var total int64
		for _, op := range r.GetResponses() {
			total += opPayload(op)
		}
		return total
	case *pb.LeaseLeasesResponse:
		return int64(len(r.GetLeases())) * keyBytes // nearly all of it rows
	}
	return 0
}

func opPayload(op *pb.ResponseOp) int64 {
	switch u := op.GetResponse().(type) {
	case *pb.ResponseOp_ResponseRange:
		return payload(u.ResponseRange)
	case *pb.ResponseOp_ResponsePut:
		return payload(u.ResponsePut)
	case *pb.ResponseOp_ResponseDeleteRange:
		return payload(u.ResponseDeleteRange)
	case *pb.ResponseOp_ResponseTxn:
		return payload(u.ResponseTxn)
	}
	return 0
}

// kvFrame is what a key and its numbers take around key and value.
const kvFrame = 32

func kvPayload(kv *mvccpb.KeyValue) int64 {
	if kv == nil {
		return 0
	}
	return kvFrame + int64(len(kv.Key)+len(kv.Value))
}

func kvsPayload(kvs []*mvccpb.KeyValue) (total int64) {
	for _, kv := range kvs {
		total += kvPayload(kv)
	}
	return total
}
