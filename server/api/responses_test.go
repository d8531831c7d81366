package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// ask sends a request through the interceptor.
func ask(ctx context.Context, r *Responses, request any, handler grpc.UnaryHandler) (any, error) {
	direct := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(ctx, req)
	}
	return r.Unary(direct)(ctx, request, nil, handler)
}

func answer(response any) grpc.UnaryHandler {
	return func(context.Context, any) (any, error) { return response, nil }
}

func rangeOf(n, valueBytes int) *pb.RangeResponse {
	r := &pb.RangeResponse{Count: int64(n)}
	for i := range n {
		r.Kvs = append(r.Kvs, &mvccpb.KeyValue{Key: fmt.Appendf(nil, "k%06d", i), Value: make([]byte, valueBytes)})
	}
	return r
}

// A response counts from when it is there until gRPC has put it on the wire, and
// what arrives is the message.
func TestResponseIsHeldUntilSent(t *testing.T) {
	r := NewResponses(2<<20, 0, time.Second)
	want := rangeOf(10, 10_000)
	got, err := ask(t.Context(), r, &pb.RangeRequest{Key: []byte("k")}, answer(want))
	if err != nil {
		t.Fatal(err)
	}
	if held := r.Held(); held < 100_000 || held > 110_000 {
		t.Errorf("%d bytes are held", held)
	}
	wire, err := NewCodec().Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := proto.Marshal(want)
	if err != nil || !bytes.Equal(wire.Materialize(), plain) {
		t.Errorf("%v: another message", err)
	}
	wire.Ref() // one for each writer
	wire.Free()
	if r.Held() == 0 {
		t.Error("given back while somebody still writes it")
	}
	wire.Free()
	if held := r.Held(); held != 0 {
		t.Errorf("%d bytes are left", held)
	}
}

// What is small isn't counted, and comes as it is.
func TestSmallResponsesPass(t *testing.T) {
	r := NewResponses(2<<20, 0, time.Second)
	for _, want := range []proto.Message{rangeOf(3, 100), &pb.PutResponse{}, &pb.TxnResponse{}, &pb.StatusResponse{}, &pb.DeleteRangeResponse{}} {
		if got, err := ask(t.Context(), r, &pb.RangeRequest{}, answer(want)); err != nil || got != any(want) || r.Held() != 0 {
			t.Errorf("%T: %v, %v, %d bytes held", want, got, err, r.Held())
		}
	}
}

// Every kind of response that clients can make large is counted.
func TestPayload(t *testing.T) {
	big := &mvccpb.KeyValue{Key: []byte("k"), Value: make([]byte, 100_000)}
	ranged := &pb.RangeResponse{Kvs: []*mvccpb.KeyValue{big}}
	inner := &pb.TxnResponse{Responses: []*pb.ResponseOp{{Response: &pb.ResponseOp_ResponseRange{ResponseRange: ranged}}}}
	for _, m := range []proto.Message{
		ranged, inner, &pb.PutResponse{PrevKv: big}, &pb.DeleteRangeResponse{PrevKvs: []*mvccpb.KeyValue{big}},
		&pb.RangeStreamResponse{RangeResponse: ranged},
		&pb.TxnResponse{Responses: []*pb.ResponseOp{{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: inner}}}},
		&pb.TxnResponse{Responses: []*pb.ResponseOp{{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{PrevKv: big}}}}},
		&pb.TxnResponse{Responses: []*pb.ResponseOp{{}, {Response: &pb.ResponseOp_ResponseDeleteRange{
			ResponseDeleteRange: &pb.DeleteRangeResponse{PrevKvs: []*mvccpb.KeyValue{big}}}}}},
	} {
		if n, size := payload(m), int64(proto.Size(m)); n < size || n > size+100 {
			t.Errorf("%T: %d, its size is %d", m, n, size)
		}
	}
}

// A request for many keys has room for them before it reads them, through every
// door; one for few, or for a number of them, needs none.
func TestRowsAreHeld(t *testing.T) {
	s := newTester(t)
	for i := range 2000 {
		s.put(fmt.Sprintf("k%05d", i), "v")
	}
	all := &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l")}
	sorted := &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 3, SortTarget: pb.RangeRequest_MOD, SortOrder: pb.RangeRequest_DESCEND}
	rangeOps := func(r *pb.RangeRequest) []*pb.RequestOp {
		return []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: r}}}
	}
	r := NewResponses(100<<20, 0, time.Second)
	for _, tt := range []struct {
		name    string
		request any
		keys    int64
	}{
		{"all", all, 2000},
		{"sorted and limited", sorted, 2000},
		{"limited", &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 1500}, 1501},
		{"limited to few", &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 1000}, 0},
		{"few", &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("k001")}, 0},
		{"one", &pb.RangeRequest{Key: []byte("k00001")}, 0},
		{"number", &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), CountOnly: true}, 0},
		{"reading transaction", &pb.TxnRequest{Success: rangeOps(all), Failure: rangeOps(sorted)}, 4000},
		{"writing transaction", &pb.TxnRequest{Success: append(rangeOps(all), ops(put("x", ""))...)}, 2000},
		{"nested", &pb.TxnRequest{Failure: ops(nested(rangeOps(all), nil))}, 2000},
		{"deleted, and shown", &pb.DeleteRangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), PrevKv: true}, 2000},
	} {
		held := int64(-1)
		got, err := ask(t.Context(), r, tt.request, func(ctx context.Context, request any) (response any, err error) {
			switch q := request.(type) {
			case *pb.RangeRequest:
				response, err = s.svc.Range(ctx, q)
			case *pb.TxnRequest:
				response, err = s.svc.Txn(ctx, q)
			case *pb.DeleteRangeRequest:
				response, err = s.svc.DeleteRange(ctx, q)
			}
			held = r.Held()
			return response, err
		})
		if err != nil || held != tt.keys*keyBytes {
			t.Errorf("%s: %v, %d keys' bytes held, want %d", tt.name, err, held/keyBytes, tt.keys)
		}
		if h, ok := got.(*Response); ok {
			h.Release()
			h.Release()
		}
		if r.Held() != 0 {
			t.Fatalf("%s: %d bytes are left", tt.name, r.Held())
		}
	}
}

// A small answer to a request for many keys has a buffer of which nobody tells
// the end; it gives back when it is encoded.
func TestManyKeysReadFewAnswered(t *testing.T) {
	s := newTester(t)
	for i := range 2000 {
		s.put(fmt.Sprintf("k%05d", i), "v")
	}
	r := NewResponses(100<<20, 0, time.Second)
	got, err := ask(t.Context(), r, &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), MinModRevision: 2001}, func(ctx context.Context, q any) (any, error) {
		return s.svc.Range(ctx, q.(*pb.RangeRequest))
	})
	if err != nil || r.Held() == 0 {
		t.Fatalf("%v, %d bytes held", err, r.Held())
	}
	wire, err := NewCodec().Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	wire.Free()
	if r.Held() != 0 {
		t.Errorf("%d bytes are left", r.Held())
	}
}

// Who finds no room in time is told that there are too many requests; who is
// refused, fails or leaves holds nothing.
func TestResponsesWait(t *testing.T) {
	r := NewResponses(400_000, 150_000, 50*time.Millisecond)
	first, err := ask(t.Context(), r, &pb.RangeRequest{}, answer(rangeOf(14, 10_000)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), r, &pb.RangeRequest{}, answer(rangeOf(14, 10_000))); err != rpctypes.ErrGRPCRequestTooManyRequests {
		t.Errorf("no room: %v", err)
	}
	left, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask(left, r, &pb.RangeRequest{}, answer(rangeOf(14, 10_000))); err == nil || err.Error() != "rpc error: code = Canceled desc = context canceled" {
		t.Errorf("left: %v", err)
	}
	if _, err := ask(t.Context(), r, &pb.RangeRequest{}, answer(rangeOf(16, 10_000))); err == nil || err.Error() !=
		"rpc error: code = ResourceExhausted desc = holdfast: the response has 160624 bytes, more than 150000: ask for less at a time, or use RangeStream" {
		t.Errorf("too large: %v", err)
	}
	failure := errors.New("x")
	if _, err := ask(t.Context(), r, &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("b")}, func(ctx context.Context, _ any) (any, error) {
		if err := tabOf(ctx).takeRows(ctx, fewKeys/2+500); err != nil { // too few to count
			t.Error(err)
		}
		return nil, failure
	}); err != failure {
		t.Errorf("failed: %v", err)
	}
	first.(*Response).Release()
	if r.Held() != 0 {
		t.Errorf("%d bytes are left", r.Held())
	}
	if again, err := ask(t.Context(), r, &pb.RangeRequest{}, answer(rangeOf(14, 10_000))); err != nil {
		t.Errorf("with room again: %v", err)
	} else {
		again.(*Response).Release()
	}
}

// Over the JSON gateway an answer takes more than its encoding.
func TestGatewayWeighsMore(t *testing.T) {
	r := NewResponses(10<<20, 0, time.Second)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("grpcgateway-accept", "*/*"))
	got, err := ask(ctx, r, &pb.RangeRequest{}, answer(rangeOf(10, 10_000)))
	if err != nil || r.Held() < 300_000 {
		t.Errorf("%v, %d bytes held", err, r.Held())
	}
	got.(*Response).Release()
}

// A buffer that is forgotten, as grpc-go does with those of a connection that
// breaks, is given back by the collector, which runs while somebody waits for it.
func TestForgottenBuffersAreFound(t *testing.T) {
	r := NewResponses(400_000, 0, 10*time.Second)
	forget := func() {
		got, err := ask(t.Context(), r, &pb.RangeRequest{}, answer(rangeOf(19, 10_000)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewCodec().Marshal(got); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		forget() // each takes nearly all
	}
}
