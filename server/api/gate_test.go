package api

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// drawTxn makes transactions of every shape a client can send, most of them odd.
func drawTxn(t *rapid.T, depth int) *pb.TxnRequest {
	key := rapid.SampledFrom([][]byte{nil, []byte("a"), []byte("b"), []byte("c"), {0}})
	number := rapid.Int64Range(-1, 4)
	enum := rapid.Int32Range(-1, 7)
	list := func(name string) (list []*pb.RequestOp) {
		for range rapid.IntRange(0, 3).Draw(t, name) {
			op := &pb.RequestOp{}
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
			case 1, 2, 3:
				op.Request = &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{
					Key: key.Draw(t, "key"), Value: key.Draw(t, "value"), Lease: number.Draw(t, "lease"),
					IgnoreValue: rapid.Bool().Draw(t, "ignore value"), IgnoreLease: rapid.Bool().Draw(t, "ignore lease"),
				}}
			case 4, 5:
				op.Request = &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{
					Key: key.Draw(t, "key"), RangeEnd: key.Draw(t, "end"), Revision: number.Draw(t, "revision"), Limit: number.Draw(t, "limit"),
					SortOrder: pb.RangeRequest_SortOrder(enum.Draw(t, "order") / 2), SortTarget: pb.RangeRequest_SortTarget(enum.Draw(t, "target")),
				}}
			case 6, 7:
				op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{
					Key: key.Draw(t, "key"), RangeEnd: key.Draw(t, "end"), PrevKv: true,
				}}
			default:
				if depth > 0 {
					op.Request = &pb.RequestOp_RequestTxn{RequestTxn: drawTxn(t, depth-1)}
				}
			}
			list = append(list, op)
		}
		return list
	}
	r := &pb.TxnRequest{Success: list("then"), Failure: list("else")}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		r.Compare = append(r.Compare, &pb.Compare{
			Key: key.Draw(t, "key"), RangeEnd: key.Draw(t, "end"), Result: pb.Compare_CompareResult(enum.Draw(t, "result")),
			Target: pb.Compare_CompareTarget(enum.Draw(t, "target")), TargetUnion: &pb.Compare_Version{Version: number.Draw(t, "version")},
		})
	}
	return r
}

// TestGate: whatever comes over the wire is refused with one of etcd's errors, or
// can be proposed and applied; nothing in between. A refused one leaves nothing.
func TestGate(t *testing.T) {
	fake := newFake(t)
	svc := NewService(fake)
	applied, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		wire, err := proto.Marshal(drawTxn(t, 3))
		if err != nil {
			t.Fatal(err)
		}
		var r pb.TxnRequest
		if err := proto.Unmarshal(wire, &r); err != nil {
			t.Fatal(err)
		}
		before := fake.Head().Revision
		resp, err := svc.Txn(bg, &r)
		after := fake.Head().Revision
		switch status.Code(err) {
		case codes.OK:
			applied++
			if resp.Header.Revision != after || after > before+1 {
				t.Fatalf("revision %d, before %d, after %d", resp.Header.Revision, before, after)
			}
		case codes.InvalidArgument, codes.OutOfRange, codes.NotFound:
			refused++
			if after != before {
				t.Fatalf("refused with %v, and changed something", err)
			}
		default:
			t.Fatalf("%v for %v", err, &r)
		}
	})
	if applied == 0 || refused == 0 {
		t.Errorf("%d applied, %d refused: the generator is lopsided", applied, refused)
	}
}
