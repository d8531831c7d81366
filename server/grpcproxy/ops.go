package grpcproxy

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Requests as operations of the client library. It turns them into requests
// again, so nothing may be lost on the way; a test goes through all fields.

func rangeOp(r *pb.RangeRequest) clientv3.Op {
	opts := []clientv3.OpOption{
		clientv3.WithRev(r.Revision), clientv3.WithLimit(r.Limit),
		clientv3.WithMinModRev(r.MinModRevision), clientv3.WithMaxModRev(r.MaxModRevision),
		clientv3.WithMinCreateRev(r.MinCreateRevision), clientv3.WithMaxCreateRev(r.MaxCreateRevision),
	}
	opts = appendIf(opts, len(r.RangeEnd) > 0, clientv3.WithRange(string(r.RangeEnd)))
	opts = appendIf(opts, r.Serializable, clientv3.WithSerializable())
	opts = appendIf(opts, r.KeysOnly, clientv3.WithKeysOnly())
	opts = appendIf(opts, r.CountOnly, clientv3.WithCountOnly())
	opts = appendIf(opts, r.SortOrder != pb.RangeRequest_NONE || r.SortTarget != pb.RangeRequest_KEY,
		clientv3.WithSort(clientv3.SortTarget(r.SortTarget), clientv3.SortOrder(r.SortOrder)))
	return clientv3.OpGet(string(r.Key), opts...)
}

func putOp(r *pb.PutRequest) clientv3.Op {
	opts := []clientv3.OpOption{clientv3.WithLease(clientv3.LeaseID(r.Lease))}
	opts = appendIf(opts, r.PrevKv, clientv3.WithPrevKV())
	opts = appendIf(opts, r.IgnoreValue, clientv3.WithIgnoreValue())
	opts = appendIf(opts, r.IgnoreLease, clientv3.WithIgnoreLease())
	return clientv3.OpPut(string(r.Key), string(r.Value), opts...)
}

func deleteOp(r *pb.DeleteRangeRequest) clientv3.Op {
	var opts []clientv3.OpOption
	opts = appendIf(opts, len(r.RangeEnd) > 0, clientv3.WithRange(string(r.RangeEnd)))
	opts = appendIf(opts, r.PrevKv, clientv3.WithPrevKV())
	return clientv3.OpDelete(string(r.Key), opts...)
}

func appendIf(opts []clientv3.OpOption, wanted bool, opt clientv3.OpOption) []clientv3.OpOption {
	if wanted {
		return append(opts, opt)
	}
	return opts
}

// txnOp is an error where an operation is none: the library has no word for it.
func txnOp(r *pb.TxnRequest) (op clientv3.Op, err error) {
	compares := make([]clientv3.Cmp, len(r.Compare))
	for i, c := range r.Compare {
		compares[i] = clientv3.FromCompare(c)
	}
	success, err := branchOps(r.Success)
	if err != nil {
		return op, err
	}
	failure, err := branchOps(r.Failure)
	if err != nil {
		return op, err
	}
	return clientv3.OpTxn(compares, success, failure), nil
}

func branchOps(branch []*pb.RequestOp) ([]clientv3.Op, error) {
	out := make([]clientv3.Op, 0, len(branch))
	for _, request := range branch {
		var op clientv3.Op
		var err error
		switch {
		case request.GetRequestRange() != nil:
			op = rangeOp(request.GetRequestRange())
		case request.GetRequestPut() != nil:
			op = putOp(request.GetRequestPut())
		case request.GetRequestDeleteRange() != nil:
			op = deleteOp(request.GetRequestDeleteRange())
		case request.GetRequestTxn() != nil:
			op, err = txnOp(request.GetRequestTxn())
		default:
			err = rpctypes.ErrGRPCKeyNotFound
		}
		if err != nil {
			return nil, err
		}
		out = append(out, op)
	}
	return out, nil
}
