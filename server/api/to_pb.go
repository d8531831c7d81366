package api

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// Results on their way out: etcd's protobufs begin here. Keys and values are
// shared with the store, which never modifies what it handed out.

// headerPB makes the header of a reply. Revision is the store's after the
// request, not the one a historical read asked for.
func headerPB(h Head, revision int64) *pb.ResponseHeader {
	return &pb.ResponseHeader{
		ClusterId: h.Cluster,
		MemberId:  h.Member,
		Revision:  revision,
		RaftTerm:  h.Term,
	}
}

// innerHeaderPB is the header inside a transaction's responses: etcd fills in
// the revision only, and Kubernetes reads it there.
func innerHeaderPB(revision int64) *pb.ResponseHeader {
	return &pb.ResponseHeader{Revision: revision}
}

func fillKV(dst *mvccpb.KeyValue, kv *mvcc.KeyValue) {
	dst.Key = kv.Key
	dst.Value = kv.Value
	dst.CreateRevision = kv.CreateRevision
	dst.ModRevision = kv.ModRevision
	dst.Version = kv.Version
	dst.Lease = kv.Lease
}

func kvPB(kv *mvcc.KeyValue) *mvccpb.KeyValue {
	if kv == nil {
		return nil
	}
	out := new(mvccpb.KeyValue)
	fillKV(out, kv)
	return out
}

// kvsPB converts a list with two allocations, however long it is.
func kvsPB(kvs []mvcc.KeyValue) []*mvccpb.KeyValue {
	if len(kvs) == 0 {
		return nil
	}
	slab := make([]mvccpb.KeyValue, len(kvs))
	out := make([]*mvccpb.KeyValue, len(kvs))
	for i := range kvs {
		fillKV(&slab[i], &kvs[i])
		out[i] = &slab[i]
	}
	return out
}

func rangePB(h *pb.ResponseHeader, r *mvcc.RangeResult) *pb.RangeResponse {
	return &pb.RangeResponse{Header: h, Kvs: kvsPB(r.KVs), More: r.More, Count: r.Count}
}

func putPB(h *pb.ResponseHeader, r *mvcc.PutResult) *pb.PutResponse {
	return &pb.PutResponse{Header: h, PrevKv: kvPB(r.Prev)}
}

func deletePB(h *pb.ResponseHeader, r *mvcc.DeleteRangeResult) *pb.DeleteRangeResponse {
	return &pb.DeleteRangeResponse{Header: h, Deleted: r.Deleted, PrevKvs: kvsPB(r.Prev)}
}

func txnPB(h *pb.ResponseHeader, r *mvcc.TxnResult) *pb.TxnResponse {
	out := &pb.TxnResponse{Header: h, Succeeded: r.Succeeded}
	if len(r.Ops) > 0 {
		out.Responses = make([]*pb.ResponseOp, len(r.Ops))
		for i := range r.Ops {
			out.Responses[i] = opPB(&r.Ops[i])
		}
	}
	return out
}

func opPB(r *mvcc.OpResult) *pb.ResponseOp {
	switch {
	case r.Range != nil:
		resp := rangePB(innerHeaderPB(r.Range.Revision), r.Range)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: resp}}
	case r.Put != nil:
		resp := putPB(innerHeaderPB(r.Put.Revision), r.Put)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: resp}}
	case r.Delete != nil:
		resp := deletePB(innerHeaderPB(r.Delete.Revision), r.Delete)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: resp}}
	case r.Txn != nil:
		resp := txnPB(&pb.ResponseHeader{}, r.Txn) // empty, as in etcd
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: resp}}
	default:
		return &pb.ResponseOp{}
	}
}

func memberPB(m *state.Member) *pb.Member {
	return &pb.Member{
		ID:         m.ID,
		Name:       m.Name,
		PeerURLs:   m.PeerURLs,
		ClientURLs: m.ClientURLs,
		IsLearner:  m.Learner,
	}
}

func membersPB(members []state.Member) []*pb.Member {
	out := make([]*pb.Member, len(members))
	for i := range members {
		out[i] = memberPB(&members[i])
	}
	return out
}

func alarmPB(a state.Alarm) *pb.AlarmMember {
	return &pb.AlarmMember{MemberID: a.Member, Alarm: pb.AlarmType(a.Kind)}
}

func alarmsPB(alarms []state.Alarm) []*pb.AlarmMember {
	out := make([]*pb.AlarmMember, len(alarms))
	for i, a := range alarms {
		out[i] = alarmPB(a)
	}
	return out
}
