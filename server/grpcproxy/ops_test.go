package grpcproxy

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
)

// echo remembers what it was asked.
type echo struct {
	keys
	asked proto.Message
}

func (e *echo) Range(_ context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	e.asked = proto.Clone(r)
	return &pb.RangeResponse{}, nil
}

func (e *echo) Put(_ context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	e.asked = proto.Clone(r)
	return &pb.PutResponse{}, nil
}

func (e *echo) DeleteRange(_ context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	e.asked = proto.Clone(r)
	return &pb.DeleteRangeResponse{}, nil
}

func (e *echo) Txn(_ context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	e.asked = proto.Clone(r)
	return &pb.TxnResponse{}, nil
}

// one sets a field of a message to something that isn't its zero value.
func one(m proto.Message, field protoreflect.FieldDescriptor) {
	var v any
	switch field.Kind() {
	case protoreflect.BytesKind:
		v = []byte("x")
	case protoreflect.BoolKind:
		v = true
	case protoreflect.EnumKind:
		v = protoreflect.EnumNumber(2)
	default:
		v = int64(7)
	}
	m.ProtoReflect().Set(field, protoreflect.ValueOf(v))
}

// TestOpsLoseNothing: each field of a request is still there after it was an operation of the client library.
func TestOpsLoseNothing(t *testing.T) {
	e := &echo{}
	kv := clientv3.NewKVFromKVClient(keysClient{e}, nil)
	for _, c := range []struct {
		request func() proto.Message
		op      func(proto.Message) clientv3.Op
	}{
		{func() proto.Message { return &pb.RangeRequest{Key: []byte("k")} }, func(m proto.Message) clientv3.Op { return rangeOp(m.(*pb.RangeRequest)) }},
		{func() proto.Message { return &pb.PutRequest{Key: []byte("k")} }, func(m proto.Message) clientv3.Op { return putOp(m.(*pb.PutRequest)) }},
		{func() proto.Message { return &pb.DeleteRangeRequest{Key: []byte("k")} }, func(m proto.Message) clientv3.Op { return deleteOp(m.(*pb.DeleteRangeRequest)) }},
	} {
		fields := c.request().ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			request := c.request()
			if field := fields.Get(i); field.Name() != "key" {
				one(request, field)
				if field.Name() == "sort_target" { // means something with an order only
					request.(*pb.RangeRequest).SortOrder = pb.RangeRequest_DESCEND
				}
			}
			if _, err := kv.Do(t.Context(), c.op(request)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(request, e.asked, protocmp.Transform()); diff != "" {
				t.Errorf("%s: %s", fields.Get(i).FullName(), diff)
			}
		}
	}
}

func nestedTxn() *pb.TxnRequest {
	op := func(name string) []*pb.RequestOp {
		return []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(name + "r"), RangeEnd: []byte("z")}}},
			{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(name + "p"), Value: []byte("v")}}},
			{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(name + "d"), RangeEnd: []byte{0}}}},
		}
	}
	inner := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("c2"), Target: pb.Compare_MOD, Result: pb.Compare_GREATER, TargetUnion: &pb.Compare_ModRevision{ModRevision: 3}}},
		Success: op("inner"),
	}
	return &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("c1"), RangeEnd: []byte("c9"), Target: pb.Compare_VALUE, TargetUnion: &pb.Compare_Value{Value: []byte("v")}}},
		Success: append(op("s"), &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}),
		Failure: op("f"),
	}
}

func TestTxnOp(t *testing.T) {
	e := &echo{}
	kv := clientv3.NewKVFromKVClient(keysClient{e}, nil)
	op, err := txnOp(nestedTxn())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Do(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(nestedTxn(), e.asked, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if _, err := txnOp(&pb.TxnRequest{Success: []*pb.RequestOp{{}}}); err == nil {
		t.Error("an operation that is none has become one")
	}
}

// TestNamespaceFindsEveryKey: each key of a request is in the space, each end too, and no key is still none.
func TestNamespaceFindsEveryKey(t *testing.T) {
	e := &echo{}
	n := &named{e, "app/"}
	if _, err := n.Txn(t.Context(), nestedTxn()); err != nil {
		t.Fatal(err)
	}
	keys := 0
	checkKeys(t, e.asked.ProtoReflect(), &keys)
	if keys != 18 {
		t.Errorf("%d keys and ends were looked at", keys)
	}
	txn := func(op *pb.RequestOp) *pb.TxnRequest { return &pb.TxnRequest{Failure: []*pb.RequestOp{op}} }
	for name, f := range map[string]func() error{
		"range":   func() error { _, err := n.Range(t.Context(), &pb.RangeRequest{RangeEnd: []byte{0}}); return err },
		"put":     func() error { _, err := n.Put(t.Context(), &pb.PutRequest{}); return err },
		"delete":  func() error { _, err := n.DeleteRange(t.Context(), &pb.DeleteRangeRequest{}); return err },
		"compare": func() error { _, err := n.Txn(t.Context(), &pb.TxnRequest{Compare: []*pb.Compare{{}}}); return err },
		"in a transaction": func() error {
			_, err := n.Txn(t.Context(), txn(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{}}}))
			return err
		},
	} {
		if err := f(); err != rpctypes.ErrGRPCEmptyKey {
			t.Errorf("%s without a key: %v", name, err)
		}
	}
}

func checkKeys(t *testing.T, m protoreflect.Message, keys *int) {
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsList():
			for i := range v.List().Len() {
				checkKeys(t, v.List().Get(i).Message(), keys)
			}
		case field.Message() != nil:
			checkKeys(t, v.Message(), keys)
		case field.Name() == "key", field.Name() == "range_end":
			*keys++
			if b := string(v.Bytes()); b != "app0" && (len(b) < 5 || b[:4] != "app/") {
				t.Errorf("%s is %q", field.FullName(), b)
			}
		}
		return true
	})
}

func TestSpans(t *testing.T) {
	for _, c := range []struct{ space, key, end, from, to string }{
		{"", "a", "b", "a", "b"},
		{"p/", "a", "", "p/a", ""},
		{"p/", "a", "b", "p/a", "p/b"},
		{"p/", "a", "\x00", "p/a", "p0"},
		{"p\xff", "a", "\x00", "p\xffa", "q"},
		{"\xff\xff", "a", "\x00", "\xff\xffa", "\x00"},
	} {
		from, to := space(c.space).span([]byte(c.key), []byte(c.end))
		if string(from) != c.from || string(to) != c.to {
			t.Errorf("%q: %q to %q is %q to %q", c.space, c.key, c.end, from, to)
		}
	}
	if got := fmt.Sprintf("%q", space("p/").out([]byte("p/a"))); got != `"a"` {
		t.Error(got)
	}
}
