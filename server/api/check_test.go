package api

import (
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func put(key, value string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}}
}

func del(key, end string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}}}
}

func get(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(key)}}}
}

func nested(then, other []*pb.RequestOp) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: then, Failure: other}}}
}

func ops(list ...*pb.RequestOp) []*pb.RequestOp { return list }

func puts(n int) (list []*pb.RequestOp) {
	for i := range n {
		list = append(list, put(fmt.Sprintf("k%03d", i), "v"))
	}
	return list
}

func deep(n int) *pb.TxnRequest {
	t := &pb.TxnRequest{Success: ops(get("a"))}
	for range n - 1 {
		t = &pb.TxnRequest{Success: ops(&pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: t}})}
	}
	return t
}

// TestValidation holds the texts and codes that etcd answers bad requests with.
func TestValidation(t *testing.T) {
	ctx := context.Background()
	call := func(r any) error {
		svc := NewService(newFake(t))
		var err error
		switch r := r.(type) {
		case *pb.RangeRequest:
			_, err = svc.Range(ctx, r)
		case *pb.PutRequest:
			_, err = svc.Put(ctx, r)
		case *pb.DeleteRangeRequest:
			_, err = svc.DeleteRange(ctx, r)
		case *pb.TxnRequest:
			_, err = svc.Txn(ctx, r)
		case *pb.CompactionRequest:
			_, err = svc.Compact(ctx, r)
		case *pb.LeaseGrantRequest:
			_, err = svc.LeaseGrant(ctx, r)
		case *pb.LeaseRevokeRequest:
			_, err = svc.LeaseRevoke(ctx, r)
		}
		return err
	}
	k := []byte("k")
	const (
		empty   = "etcdserver: key is not provided"
		sortBad = "etcdserver: invalid sort option"
		dup     = "etcdserver: duplicate key given in txn request"
		many    = "etcdserver: too many operations in txn request"
		future  = "etcdserver: mvcc: required revision is a future revision"
		gone    = "etcdserver: mvcc: required revision has been compacted"
	)
	invalid, outOfRange := codes.InvalidArgument, codes.OutOfRange
	for _, c := range []struct {
		name string
		req  any
		code codes.Code
		text string
	}{
		{"range without key", &pb.RangeRequest{}, invalid, empty},
		{"range with unknown order", &pb.RangeRequest{Key: k, SortOrder: 3}, invalid, sortBad},
		{"range with negative order", &pb.RangeRequest{Key: k, SortOrder: -1}, invalid, sortBad},
		{"range with unknown target", &pb.RangeRequest{Key: k, SortTarget: 5}, invalid, sortBad},
		{"range of the future", &pb.RangeRequest{Key: k, Revision: 99}, outOfRange, future},
		{"range of a negative revision", &pb.RangeRequest{Key: k, Revision: -5}, codes.OK, ""},
		{"put without key", &pb.PutRequest{Value: k}, invalid, empty},
		{"put, ignore_value with a value", &pb.PutRequest{Key: k, Value: k, IgnoreValue: true}, invalid, "etcdserver: value is provided"},
		{"put, ignore_lease with a lease", &pb.PutRequest{Key: k, Lease: 1, IgnoreLease: true}, invalid, "etcdserver: lease is provided"},
		{"put, ignore_value of no key", &pb.PutRequest{Key: k, IgnoreValue: true}, invalid, "etcdserver: key not found"},
		{"put with an unknown lease", &pb.PutRequest{Key: k, Lease: 9}, codes.NotFound, "etcdserver: requested lease not found"},
		{"put that is too large", &pb.PutRequest{Key: k, Value: make([]byte, 1<<20)}, invalid, "etcdserver: request is too large"},
		{"delete without key", &pb.DeleteRangeRequest{}, invalid, empty},
		{"txn, ignore_value of no key with an unknown lease", &pb.TxnRequest{Success: ops(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{
			RequestPut: &pb.PutRequest{Key: k, Lease: 9, IgnoreValue: true}}})}, codes.NotFound, "etcdserver: requested lease not found"},
		{"empty txn", &pb.TxnRequest{}, codes.OK, ""},
		{"txn with an empty op", &pb.TxnRequest{Success: ops(&pb.RequestOp{})}, invalid, "etcdserver: key not found"},
		{"txn with an op of nothing", &pb.TxnRequest{Success: ops(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{}})}, invalid, empty},
		{"txn, compare without key", &pb.TxnRequest{Compare: []*pb.Compare{{}}}, invalid, empty},
		{"txn, 128 ops", &pb.TxnRequest{Success: puts(128)}, codes.OK, ""},
		{"txn, 129 ops", &pb.TxnRequest{Success: puts(129)}, invalid, many},
		{"txn, 129 ops in else", &pb.TxnRequest{Failure: puts(129)}, invalid, many},
		{"txn, 129 compares", &pb.TxnRequest{Compare: make([]*pb.Compare, 129)}, invalid, many},
		{"txn, the budget is shared with nested ones", &pb.TxnRequest{Success: ops(nested(puts(127), nil))}, codes.OK, ""},
		{"txn, the budget is used up", &pb.TxnRequest{Success: ops(nested(puts(128), nil))}, invalid, many},
		{"txn, nested as deep as the budget", deep(128), codes.OK, ""},
		{"txn, nested deeper than the budget", deep(129), invalid, many},
		{"txn, bad sort in a nested range", &pb.TxnRequest{Success: ops(nested(ops(&pb.RequestOp{
			Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: k, SortOrder: 9}}}), nil))}, invalid, sortBad},
		{"txn reading the future", &pb.TxnRequest{Success: ops(put("a", ""), &pb.RequestOp{
			Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: k, Revision: 9}}})}, outOfRange, future},
		{"two puts of a key", &pb.TxnRequest{Success: ops(put("a", "1"), put("a", "2"))}, invalid, dup},
		{"two puts of a key in else", &pb.TxnRequest{Failure: ops(put("a", "1"), put("a", "2"))}, invalid, dup},
		{"a put in then, one in else", &pb.TxnRequest{Success: ops(put("a", "1")), Failure: ops(put("a", "2"))}, codes.OK, ""},
		{"a put under a delete", &pb.TxnRequest{Success: ops(del("a", ""), put("a", "1"))}, invalid, dup},
		{"a put before its delete", &pb.TxnRequest{Success: ops(put("a", "1"), del("a", ""))}, invalid, dup},
		{"a put under a delete range", &pb.TxnRequest{Success: ops(del("a", "c"), put("b", "1"))}, invalid, dup},
		{"a put at the end of a delete range", &pb.TxnRequest{Success: ops(del("a", "c"), put("c", "1"))}, codes.OK, ""},
		{"two deletes of a key", &pb.TxnRequest{Success: ops(del("a", ""), del("a", ""))}, codes.OK, ""},
		{"a put and a get", &pb.TxnRequest{Success: ops(put("a", "1"), get("a"))}, codes.OK, ""},
		{"nested, excluded branches", &pb.TxnRequest{Success: ops(nested(ops(put("a", "1")), ops(put("a", "2"))))}, codes.OK, ""},
		{"nested put beside its parent's", &pb.TxnRequest{Success: ops(nested(ops(put("a", "1")), nil), put("a", "2"))}, invalid, dup},
		{"nested put in else beside its parent's", &pb.TxnRequest{Success: ops(nested(nil, ops(put("a", "1"))), put("a", "2"))}, invalid, dup},
		{"puts of two nested", &pb.TxnRequest{Success: ops(nested(ops(put("a", "1")), nil), nested(nil, ops(put("a", "2"))))}, invalid, dup},
		{"nested put under its parent's delete", &pb.TxnRequest{Success: ops(nested(ops(put("b", "1")), nil), del("a", "z"))}, invalid, dup},
		{"put under a nested delete", &pb.TxnRequest{Success: ops(nested(nil, ops(del("a", "z"))), put("b", "1"))}, invalid, dup},
		{"nested put after a sibling's delete", &pb.TxnRequest{Success: ops(nested(ops(del("a", "")), nil), nested(ops(put("a", "1")), nil))}, invalid, dup},
		{"nested put before a sibling's delete", &pb.TxnRequest{Success: ops(nested(ops(put("a", "1")), nil), nested(ops(del("a", "")), nil))}, codes.OK, ""},
		{"compact the future", &pb.CompactionRequest{Revision: 5}, outOfRange, future},
		{"compact below 0", &pb.CompactionRequest{Revision: -1}, outOfRange, gone},
		{"compact 0, for the first time", &pb.CompactionRequest{}, codes.OK, ""},
		{"lease for too long", &pb.LeaseGrantRequest{TTL: 9_000_000_001}, outOfRange, "etcdserver: too large lease TTL"},
		{"lease for as long as can be", &pb.LeaseGrantRequest{TTL: 9_000_000_000}, codes.OK, ""},
		{"revoke no lease", &pb.LeaseRevokeRequest{ID: 4}, codes.NotFound, "etcdserver: requested lease not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := status.Convert(call(c.req))
			if got.Code() != c.code || got.Message() != c.text {
				t.Errorf("got %v %q, want %v %q", got.Code(), got.Message(), c.code, c.text)
			}
		})
	}
}

// TestKeepOfDeleted: a put that keeps the value and the lease of a key which the
// same transaction has deleted finds none to keep. etcd panics.
func TestKeepOfDeleted(t *testing.T) {
	s := newTester(t)
	s.put("z", "1")
	r := s.txn(&pb.TxnRequest{Success: ops(del("a", "\x00"), &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
		RequestPut: &pb.PutRequest{Key: []byte("z"), IgnoreValue: true, IgnoreLease: true}}}, get("z"))})
	if kvs := r.Responses[2].GetResponseRange().Kvs; len(kvs) != 1 || len(kvs[0].Value) != 0 || kvs[0].Version != 1 {
		t.Errorf("z is %v", kvs)
	}
}
