package tracing

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// What is off is not there: no handler, and the interceptors are those that were.
func TestOff(t *testing.T) {
	tracer, err := Start(DefaultConfig(), slog.New(slog.DiscardHandler))
	if tracer != nil || err != nil {
		t.Fatal(tracer, err)
	}
	unary := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) { return nil, nil }
	stream := func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error { return nil }
	if len(tracer.Options()) > 0 || !sameFunc(tracer.Unary(unary), unary) || !sameFunc(tracer.Stream(stream), stream) {
		t.Error("something is there")
	}
	if n := testing.AllocsPerRun(100, func() { tracer.Event(t.Context(), "nothing") }); n > 0 {
		t.Errorf("an event takes %v allocations", n)
	}
	tracer.Stop(t.Context())
}

func sameFunc(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }

// The rate is of a million roots.
func TestSamplingRate(t *testing.T) {
	for rate, want := range map[int][2]int{0: {0, 0}, 1_000_000: {1000, 1000}, 250_000: {150, 350}} {
		spans := tracetest.NewSpanRecorder()
		provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans), sdk.WithSampler(sdk.ParentBased(sampler(rate))))
		for range 1000 {
			_, span := provider.Tracer(scope).Start(t.Context(), "x")
			span.End()
		}
		if n := len(spans.Ended()); n < want[0] || n > want[1] {
			t.Errorf("%d of a million: %d of 1000", rate, n)
		}
	}
}

// A collector that fails is spoken of when that begins and when it ends.
func TestReporter(t *testing.T) {
	var log strings.Builder
	e := &flaky{}
	r := &reporter{SpanExporter: e, log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, e.err = range []error{nil, errors.New("away"), errors.New("away"), nil, nil} {
		if err := r.ExportSpans(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "cannot send traces; they are dropped\" error=away") || !strings.Contains(got, "traces are sent again") {
		t.Error(got)
	}
}

type flaky struct {
	sdk.SpanExporter
	err error
}

func (f *flaky) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return f.err }

func TestDescribeTxn(t *testing.T) {
	put := func(key string, lease int64) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Lease: lease}}}
	}
	get := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("g")}}}
	inner := &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{}}}
	for _, tt := range []struct {
		r    *pb.TxnRequest
		want string // first keys, kind, lease, lengths, read only
	}{
		{&pb.TxnRequest{}, "  -1 0 0 0 true"},
		{&pb.TxnRequest{Success: []*pb.RequestOp{get}, Failure: []*pb.RequestOp{get}}, "g range -1 0 1 1 true"},
		{&pb.TxnRequest{Success: []*pb.RequestOp{{}, inner, put("", 5), put("p", 6)}}, "p txn 5 0 4 0 false"},
		{&pb.TxnRequest{Failure: []*pb.RequestOp{put("p", 6)}}, "  -1 0 0 1 false"},
		{&pb.TxnRequest{Compare: []*pb.Compare{{}, {Key: []byte("c")}}, Success: []*pb.RequestOp{inner}}, " txn -1 2 1 0 false"},
	} {
		name, about := describe(tt.r)
		var got []string
		for _, a := range about[1:] {
			got = append(got, a.Value.String())
		}
		if name != "txn" || strings.Join(got, " ") != tt.want {
			t.Errorf("%v: %s %q, want %q", tt.r, name, strings.Join(got, " "), tt.want)
		}
	}
}

// FuzzDescribe: what is told of a request can be sent, and its value is not told.
func FuzzDescribe(f *testing.F) {
	add := func(kind uint8, r proto.Message) {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, b)
	}
	add(0, &pb.RangeRequest{Key: []byte("a\xff"), RangeEnd: []byte{0}})
	add(1, &pb.PutRequest{Key: []byte("k"), Value: []byte("secret")})
	add(3, &pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("c")}}, Success: []*pb.RequestOp{{}}})
	add(8, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(strings.Repeat("ü", 2000))}}})
	add(8, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{}})
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		requests := []proto.Message{&pb.RangeRequest{}, &pb.PutRequest{}, &pb.DeleteRangeRequest{}, &pb.TxnRequest{}, &pb.CompactionRequest{},
			&pb.LeaseGrantRequest{}, &pb.LeaseRevokeRequest{}, &pb.LeaseKeepAliveRequest{}, &pb.WatchRequest{}, &pb.AuthenticateRequest{}}
		r := requests[int(kind)%len(requests)]
		if proto.Unmarshal(b, r) != nil {
			return
		}
		name, about := describe(r)
		if _, secret := r.(*pb.AuthenticateRequest); secret && name != "" || name == "" && len(about) > 0 {
			t.Fatalf("%v: %s %v", r, name, about)
		}
		if slices.ContainsFunc(about, func(a attribute.KeyValue) bool {
			text := a.Value.String()
			return !utf8.ValidString(text) || len(text) > 3*textBytesMax // a wrong byte becomes three
		}) {
			t.Fatalf("%v: %v", r, about)
		}
	})
}
