package api

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/state"
)

// The gate for requests from outside: what passes is well-formed, and the
// packages below may assert it. Rules, their order and their errors are etcd's.

func checkRange(r *pb.RangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if _, ok := pb.RangeRequest_SortOrder_name[int32(r.SortOrder)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	if _, ok := pb.RangeRequest_SortTarget_name[int32(r.SortTarget)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	return nil
}

func checkPut(r *pb.PutRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if r.IgnoreValue && len(r.Value) != 0 {
		return rpctypes.ErrGRPCValueProvided
	}
	if r.IgnoreLease && r.Lease != 0 {
		return rpctypes.ErrGRPCLeaseProvided
	}
	return nil
}

func checkDelete(r *pb.DeleteRangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	return nil
}

// checkTxn checks a transaction: first each request in it, then that no key is
// written twice on a path that can be executed (see intervals.go).
func checkTxn(r *pb.TxnRequest, opsMax int) error {
	if err := checkTxnOps(r, opsMax, 1); err != nil {
		return err
	}
	if _, err := collectWrites(r.Success); err != nil {
		return err
	}
	_, err := collectWrites(r.Failure)
	return err
}

// checkTxnOps checks one level. A nested transaction gets what its parents
// leave of the budget, so width × depth is bounded. Deeper than
// state.TxnDepthMax is refused too, which etcd has no rule for: each level
// costs stack on every replica. The budget is spent before, unless it was raised.
func checkTxnOps(r *pb.TxnRequest, opsMax, depth int) error {
	ops := max(len(r.GetCompare()), len(r.GetSuccess()), len(r.GetFailure()))
	if ops > opsMax || depth > state.TxnDepthMax {
		return rpctypes.ErrGRPCTooManyOps
	}
	for _, c := range r.GetCompare() {
		if len(c.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
	}
	for _, op := range r.GetSuccess() {
		if err := checkOp(op, opsMax-ops, depth); err != nil {
			return err
		}
	}
	for _, op := range r.GetFailure() {
		if err := checkOp(op, opsMax-ops, depth); err != nil {
			return err
		}
	}
	return nil
}

func checkOp(op *pb.RequestOp, opsMax, depth int) error {
	switch u := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(u.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(u.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return checkDelete(u.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return checkTxnOps(u.RequestTxn, opsMax, depth+1)
	default:
		return rpctypes.ErrGRPCKeyNotFound // etcd's word for an empty operation
	}
}
