package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers with what it was asked.
type echo struct {
	pb.UnimplementedKVServer
	pb.UnimplementedWatchServer
	pb.UnimplementedMaintenanceServer
	seen metadata.MD // of the last unary request
	kept *pb.PutRequest
}

func (e *echo) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	e.seen, _ = metadata.FromIncomingContext(ctx)
	e.kept = r
	if string(r.Key) == "bad" {
		return nil, errors.New("words of its own")
	}
	if string(r.Key) == "slow" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &pb.PutResponse{PrevKv: &mvccpb.KeyValue{Key: r.Key, Value: r.Value}}, nil
}

// Watch answers each request with a message that it uses again, and ends with
// the client.
func (e *echo) Watch(stream grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	reply := &pb.WatchResponse{}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.OutOfRange, "no more")
		}
		if err != nil {
			return err
		}
		reply.CancelReason = string(r.GetCreateRequest().GetKey())
		if err := stream.Send(reply); err != nil {
			return err
		}
		reply.CancelReason = "changed after it was sent"
	}
}

// Snapshot sends until its reader leaves.
func (e *echo) Snapshot(_ *pb.SnapshotRequest, stream grpc.ServerStreamingServer[pb.SnapshotResponse]) error {
	for i := uint64(0); ; i++ {
		if err := stream.Send(&pb.SnapshotResponse{RemainingBytes: i}); err != nil {
			return err
		}
	}
}

func newConn(e *echo) *Conn {
	c := &Conn{
		Unary: func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			return h(ctx, req)
		},
		Stream: func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			return h(srv, ss)
		},
		Codec: encoding.GetCodecV2("proto"), RequestBytesMax: 1000,
	}
	pb.RegisterKVServer(c, e)
	pb.RegisterWatchServer(c, e)
	pb.RegisterMaintenanceServer(c, e)
	return c
}

func TestUnary(t *testing.T) {
	e := &echo{}
	kv := pb.NewKVClient(newConn(e))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "token", "secret")
	var header metadata.MD
	request := &pb.PutRequest{Key: []byte("k"), Value: []byte("v")}
	got, err := kv.Put(ctx, request, grpc.Header(&header))
	if err != nil {
		t.Fatal(err)
	}
	want := &pb.PutResponse{PrevKv: &mvccpb.KeyValue{Key: []byte("k"), Value: []byte("v")}}
	if !proto.Equal(got, want) || e.seen.Get("token")[0] != "secret" || header.Get("content-type")[0] != "application/grpc" {
		t.Errorf("got %v, metadata %v, header %v", got, e.seen, header)
	}
	if request.Key[0] = 'x'; string(e.kept.Key) != "k" {
		t.Error("the handler's request changes with the client's")
	}
	for key, want := range map[string]error{
		"bad":                     status.Error(codes.Unknown, "words of its own"),
		strings.Repeat("x", 1000): status.Error(codes.ResourceExhausted, "grpc: received message larger than max (1003 vs. 1000)"),
	} {
		if _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte(key)}); err == nil || err.Error() != want.Error() {
			t.Errorf("%.10s: %v, want %v", key, err, want)
		}
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := kv.Put(short, &pb.PutRequest{Key: []byte("slow")}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a deadline: %v", err)
	}
	if _, err := pb.NewAuthClient(newConn(e)).AuthEnable(ctx, &pb.AuthEnableRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a service that isn't there: %v", err)
	}
}

func create(key string) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(key)}}}
}

func TestStream(t *testing.T) {
	stream, err := pb.NewWatchClient(newConn(&echo{})).Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := stream.Send(create(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if r, err := stream.Recv(); err != nil || r.CancelReason != fmt.Sprint(i) {
			t.Fatalf("%v %v", r, err)
		}
	}
	if err := stream.Send(create(strings.Repeat("x", 1000))); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("too large: %v", err)
	}
	if err := errors.Join(stream.CloseSend(), stream.CloseSend()); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); err == nil || err.Error() != "rpc error: code = OutOfRange desc = no more" {
		t.Errorf("the end: %v", err)
	}
	if h, err := stream.Header(); err != nil || h.Get("content-type")[0] != "application/grpc" {
		t.Errorf("header %v %v", h, err)
	}
}

// TestStreamLeft: the handler ends when its client goes away, in whatever it was
// doing (goleak looks).
func TestStreamLeft(t *testing.T) {
	conn := newConn(&echo{})
	for read := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := pb.NewMaintenanceClient(conn).Snapshot(ctx, &pb.SnapshotRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range read {
			if r, err := stream.Recv(); err != nil || r.RemainingBytes != uint64(i) {
				t.Fatalf("%v %v", r, err)
			}
		}
		cancel()
		for err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Canceled {
			t.Errorf("after %d: %v", read, err)
		}
	}
}

// post sends a body and returns status and text.
func post(t testing.TB, h http.Handler, path string, body io.Reader) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, path, body))
	return w.Code, w.Body.String()
}

// nested is a transaction with so many others in it.
func nested(depth int) string {
	return strings.Repeat(`{"success":[{"request_txn":`, depth) + "{}" + strings.Repeat(`}]}`, depth)
}

func TestBounds(t *testing.T) {
	e := &echo{}
	h := New(newConn(e))
	for _, c := range []struct {
		name, path, body string
		code             int
		want             string
	}{
		{"small", "/v3/kv/put", `{"key":"aw=="}`, 200, `"key":"aw=="`},
		{"too large for gRPC", "/v3/kv/put", `{"key":"` + strings.Repeat("AAAA", 500) + `"}`, 429, "grpc: received message larger than max (1503 vs. 1000)"},
		{"too large to look at", "/v3/kv/put", `{"key":"` + strings.Repeat("AAAA", 5000) + `"}`, 400, "http: request body too large"},
		{"blanks without end", "/v3/kv/put", strings.Repeat(" ", 5000), 400, "http: request body too large"},
		{"deep", "/v3/kv/txn", nested(60), 501, "method Txn not implemented"},
		{"too deep", "/v3/kv/txn", nested(120), 400, "exceeded max recursion depth"},
		{"unknown and too deep", "/v3/kv/put", `{"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, 400, "exceeded max recursion depth"},
		{"a stream of many", "/v3/watch", strings.Repeat(`{"create_request":{"key":"aw=="}}`+strings.Repeat(" ", 900), 40), 200, `{"error":{"code":11,"message":"no more"`},
		{"a stream with one too large", "/v3/watch", `{"create_request":{"key":"` + strings.Repeat("AAAA", 5000) + `"}}`, 400, "no more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, body := post(t, h, c.path, strings.NewReader(c.body))
			if compact := strings.ReplaceAll(body, ", ", ","); code != c.code || !strings.Contains(compact, c.want) {
				t.Errorf("%d %.300s, want %d %s", code, body, c.code, c.want)
			}
		})
	}
}

// TestChunks: each message of a stream is sent when it is there, as a line.
func TestChunks(t *testing.T) {
	server := httptest.NewServer(New(newConn(&echo{})))
	defer server.Close()
	body, requests := io.Pipe()
	defer requests.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v3/watch", body)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(requests, `{"create_request":{"key":"MQ=="}}`) }() // the read below tells
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if diff := cmp.Diff(`{"result":{"cancel_reason":"1"}}`+"\n", line); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	server.CloseClientConnections()
}

func FuzzJSON(f *testing.F) {
	for _, body := range []string{`{"key":"aw=="}`, `{}`, "[", nested(3), `{"key":null}`, "\xff", `{"create_request":{"key":"aw=="}}{}`} {
		f.Add("/v3/kv/put", body)
		f.Add("/v3/kv/txn", body)
		f.Add("/v3/watch", body)
	}
	h := New(newConn(&echo{}))
	f.Fuzz(func(t *testing.T, path, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.Path = path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code >= 500 && w.Code != http.StatusNotImplemented && w.Code != http.StatusInternalServerError {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
