package tracing

import (
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.opentelemetry.io/otel/attribute"
)

// textBytesMax bounds an attribute: keys may be as long as requests.
const textBytesMax = 1 << 10

// text is an attribute of bytes that needn't be text.
func text(name string, b []byte) attribute.KeyValue {
	return attribute.String(name, strings.ToValidUTF8(string(b[:min(len(b), textBytesMax)]), "\uFFFD"))
}

// describe names what a request asks for, and says what it was given. "" for
// requests that have no span of their own.
func describe(request any) (name string, about []attribute.KeyValue) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return "range", append(aboutRange(r), attribute.Bool("keys_only", r.GetKeysOnly()))
	case *pb.PutRequest:
		return "put", []attribute.KeyValue{text("key", r.GetKey())}
	case *pb.DeleteRangeRequest:
		return "delete_range", []attribute.KeyValue{text("range_begin", r.GetKey()), text("range_end", r.GetRangeEnd())}
	case *pb.TxnRequest:
		return "txn", aboutTxn(r)
	case *pb.CompactionRequest:
		return "compact", []attribute.KeyValue{attribute.Bool("is_physical", r.GetPhysical()), attribute.Int64("rev", r.GetRevision())}
	case *pb.LeaseGrantRequest:
		return "lease_grant", []attribute.KeyValue{attribute.Int64("id", r.GetID()), attribute.Int64("ttl", r.GetTTL())}
	case *pb.LeaseRevokeRequest:
		return "lease_revoke", []attribute.KeyValue{attribute.Int64("id", r.GetID())}
	case *pb.LeaseKeepAliveRequest:
		return "lease_renew", []attribute.KeyValue{attribute.Int64("id", r.GetID())}
	case *pb.WatchRequest:
		if c := r.GetCreateRequest(); c != nil {
			return "watch", aboutWatch(c)
		}
	}
	return "", nil
}

func aboutRange(r *pb.RangeRequest) []attribute.KeyValue {
	return []attribute.KeyValue{
		text("range_begin", r.GetKey()), text("range_end", r.GetRangeEnd()), attribute.Int64("rev", r.GetRevision()),
		attribute.Int64("limit", r.GetLimit()), attribute.Bool("count_only", r.GetCountOnly()),
	}
}

// aboutWatch is of the request as etcd takes it: no key is the first one, and an
// end that stands for all keys is none.
func aboutWatch(r *pb.WatchCreateRequest) []attribute.KeyValue {
	key, end := r.GetKey(), r.GetRangeEnd()
	if len(key) == 0 {
		key = []byte{0}
	}
	if string(end) == "\x00" {
		end = nil
	}
	return []attribute.KeyValue{
		text("key", key), text("range_end", end), attribute.Int64("start_rev", r.GetStartRevision()),
		attribute.Bool("progress_notify", r.GetProgressNotify()), attribute.Bool("prev_kv", r.GetPrevKv()),
		attribute.Bool("fragment", r.GetFragment()),
	}
}

// aboutTxn tells of what stands first in a transaction: the first key that is
// compared, the first that is asked for if it holds, and the first lease of a put
// there, -1 if there is no put.
func aboutTxn(r *pb.TxnRequest) []attribute.KeyValue {
	var compared []byte
	for _, c := range r.GetCompare() {
		if compared = c.GetKey(); len(compared) > 0 {
			break
		}
	}
	var key []byte
	kind, lease, put := "", int64(-1), false
	for _, op := range r.GetSuccess() {
		k, what := aboutOp(op)
		if len(key) == 0 {
			key = k
		}
		if kind == "" {
			kind = what
		}
		if what == "put" && !put {
			lease, put = op.GetRequestPut().GetLease(), true
		}
	}
	return []attribute.KeyValue{
		text("compare_first_key", compared), text("success_first_key", key), attribute.String("success_first_type", kind),
		attribute.Int64("success_first_lease", lease), attribute.Int("compare_len", len(r.GetCompare())),
		attribute.Int("success_len", len(r.GetSuccess())), attribute.Int("failure_len", len(r.GetFailure())),
		attribute.Bool("read_only", ranges(r.GetSuccess()) && ranges(r.GetFailure())),
	}
}

func aboutOp(op *pb.RequestOp) (key []byte, kind string) {
	switch u := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return u.RequestRange.GetKey(), "range"
	case *pb.RequestOp_RequestPut:
		return u.RequestPut.GetKey(), "put"
	case *pb.RequestOp_RequestDeleteRange:
		return u.RequestDeleteRange.GetKey(), "delete_range"
	case *pb.RequestOp_RequestTxn:
		return nil, "txn"
	}
	return nil, ""
}

// ranges tells whether all are ranges; a nested transaction is none, as in etcd.
func ranges(ops []*pb.RequestOp) bool {
	return !slices.ContainsFunc(ops, func(op *pb.RequestOp) bool { return op.GetRequestRange() == nil })
}
