package api

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/mvcc"
)

// Requests on their way in: etcd's protobufs end here. Keys and values are
// shared with the message, which nobody modifies after it was decoded.

func rangeFromPB(r *pb.RangeRequest) *mvcc.RangeRequest {
	return &mvcc.RangeRequest{
		Key:               r.Key,
		End:               r.RangeEnd,
		Limit:             r.Limit,
		Revision:          r.Revision,
		SortOrder:         mvcc.SortOrder(r.SortOrder),
		SortTarget:        mvcc.SortTarget(r.SortTarget),
		Serializable:      r.Serializable,
		KeysOnly:          r.KeysOnly,
		CountOnly:         r.CountOnly,
		MinModRevision:    r.MinModRevision,
		MaxModRevision:    r.MaxModRevision,
		MinCreateRevision: r.MinCreateRevision,
		MaxCreateRevision: r.MaxCreateRevision,
	}
}

func putFromPB(r *pb.PutRequest) *mvcc.PutRequest {
	return &mvcc.PutRequest{
		Key:         r.Key,
		Value:       r.Value,
		Lease:       r.Lease,
		PrevKV:      r.PrevKv,
		IgnoreValue: r.IgnoreValue,
		IgnoreLease: r.IgnoreLease,
	}
}

func deleteFromPB(r *pb.DeleteRangeRequest) *mvcc.DeleteRangeRequest {
	return &mvcc.DeleteRangeRequest{Key: r.Key, End: r.RangeEnd, PrevKV: r.PrevKv}
}

func txnFromPB(r *pb.TxnRequest) *mvcc.TxnRequest {
	t := &mvcc.TxnRequest{
		Success: opsFromPB(r.Success),
		Failure: opsFromPB(r.Failure),
	}
	if len(r.Compare) > 0 {
		t.Compare = make([]mvcc.Compare, len(r.Compare))
		for i, c := range r.Compare {
			t.Compare[i] = compareFromPB(c)
		}
	}
	return t
}

func opsFromPB(ops []*pb.RequestOp) []mvcc.Op {
	if len(ops) == 0 {
		return nil
	}
	out := make([]mvcc.Op, len(ops))
	for i, op := range ops {
		switch u := op.GetRequest().(type) {
		case *pb.RequestOp_RequestRange:
			out[i].Range = rangeFromPB(u.RequestRange)
		case *pb.RequestOp_RequestPut:
			out[i].Put = putFromPB(u.RequestPut)
		case *pb.RequestOp_RequestDeleteRange:
			out[i].Delete = deleteFromPB(u.RequestDeleteRange)
		case *pb.RequestOp_RequestTxn:
			out[i].Txn = txnFromPB(u.RequestTxn)
		}
	}
	return out
}

// compareFromPB keeps etcd's leniency: a union field that doesn't belong to the
// target counts as 0 or nil, an unknown operator always holds, and so does a
// compare with an unknown target (it compares nothing, which is equal).
func compareFromPB(c *pb.Compare) mvcc.Compare {
	out := mvcc.Compare{Op: compareOpFromPB(c.Result), Key: c.Key, End: c.RangeEnd}
	switch c.Target {
	case pb.Compare_VERSION:
		out.Target, out.Number = mvcc.CompareVersion, c.GetVersion()
	case pb.Compare_CREATE:
		out.Target, out.Number = mvcc.CompareCreate, c.GetCreateRevision()
	case pb.Compare_MOD:
		out.Target, out.Number = mvcc.CompareMod, c.GetModRevision()
	case pb.Compare_VALUE:
		out.Target, out.Value = mvcc.CompareValue, c.GetValue()
	case pb.Compare_LEASE:
		out.Target, out.Number = mvcc.CompareLease, c.GetLease()
	default:
		out.Op, out.Target = unknownTargetOp(out.Op), mvcc.CompareVersion
	}
	return out
}

func compareOpFromPB(r pb.Compare_CompareResult) mvcc.CompareOp {
	switch r {
	case pb.Compare_EQUAL:
		return mvcc.CompareEqual
	case pb.Compare_GREATER:
		return mvcc.CompareGreater
	case pb.Compare_LESS:
		return mvcc.CompareLess
	case pb.Compare_NOT_EQUAL:
		return mvcc.CompareNotEqual
	default:
		return mvcc.CompareUnknown
	}
}

// unknownTargetOp turns a compare of nothing with nothing into one on the
// version, which is never negative, with the number 0: equality holds (unknown
// operator: always), every inequality is "version < 0", which never holds.
func unknownTargetOp(op mvcc.CompareOp) mvcc.CompareOp {
	if op == mvcc.CompareEqual || op == mvcc.CompareUnknown {
		return mvcc.CompareUnknown
	}
	return mvcc.CompareLess
}

// watchFromPB reads a create request: an absent key is the smallest one, and
// id 0 lets the server choose.
func watchFromPB(r *pb.WatchCreateRequest) mvcc.WatchRequest {
	out := mvcc.WatchRequest{
		Key:            r.Key,
		End:            r.RangeEnd,
		StartRevision:  r.StartRevision,
		ID:             mvcc.WatchID(r.WatchId),
		PrevKV:         r.PrevKv,
		ProgressNotify: r.ProgressNotify,
		Fragment:       r.Fragment,
	}
	if len(out.Key) == 0 {
		out.Key = []byte{0}
	}
	if r.WatchId == 0 {
		out.ID = mvcc.AutoWatchID
	}
	for _, f := range r.Filters {
		switch f {
		case pb.WatchCreateRequest_NOPUT:
			out.NoPut = true
		case pb.WatchCreateRequest_NODELETE:
			out.NoDelete = true
		}
	}
	return out
}
