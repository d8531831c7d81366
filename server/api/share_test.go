package api

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// from is a context of a request from an address.
func from(ctx context.Context, address string) context.Context {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		panic(err)
	}
	return peer.NewContext(ctx, &peer.Peer{Addr: a})
}

// The streams of one connection share a number of watchers. One too many is
// refused on its stream, which goes on; a cancelled one and the end of a stream
// make room; other connections have their own.
func TestWatchersOfAConnection(t *testing.T) {
	s := newTester(t, func(b *fakeBackend) { b.limits.WatchersMax = 2 })
	defer close(s.b.stopped)
	open := func(address string) *fakeWatch {
		w := newFakeWatch(t)
		w.ctx, w.end = context.WithCancelCause(from(context.Background(), address))
		w.serve(s.svc)
		return w
	}
	create := func(w *fakeWatch) *pb.WatchResponse {
		t.Helper()
		w.create(&pb.WatchCreateRequest{Key: []byte("a")})
		return w.next()
	}
	refused := func(r *pb.WatchResponse) bool {
		return r.Created && r.Canceled && r.WatchId == -1 && r.CancelReason == rpctypes.ErrGRPCRequestTooManyRequests.Error()
	}
	one, two, other := open("10.0.0.1:1000"), open("10.0.0.1:1000"), open("10.0.0.1:1001")
	first := create(one)
	if r := create(two); first.Canceled || r.Canceled {
		t.Fatalf("within the bound: %v, %v", first, r)
	}
	for range 3 {
		if r := create(one); !refused(r) {
			t.Fatalf("the third watcher: %v", r)
		}
	}
	if r := create(other); r.Canceled {
		t.Errorf("on another connection: %v", r)
	}
	one.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: first.WatchId}}}
	if r := one.next(); !r.Canceled {
		t.Fatalf("cancelled: %v", r)
	}
	if r := create(one); r.Canceled {
		t.Errorf("after one was cancelled: %v", r)
	}
	two.end(nil)
	_ = two.ended()
	if r := create(one); r.Canceled {
		t.Errorf("after a stream ended: %v", r)
	}
	if r := create(one); !refused(r) {
		t.Errorf("and one too many: %v", r)
	}
}

// A user, or a machine while there are no users, has so many requests under way.
func TestRequestsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTester(t, func(b *fakeBackend) { b.limits.RequestsMax = 2 })
		guard := NewGuard(s.b)
		release := make(chan struct{})
		ask := func(ctx context.Context, wait bool) error {
			_, err := guard.Unary(ctx, &pb.StatusRequest{}, &grpc.UnaryServerInfo{FullMethod: pb.Maintenance_Status_FullMethodName},
				func(context.Context, any) (any, error) {
					if wait {
						<-release
					}
					return nil, nil
				})
			return err
		}
		here, there := from(t.Context(), "10.0.0.1:1000"), from(t.Context(), "10.0.0.2:1000")
		for range 2 {
			go func() { _ = ask(here, true) }()
		}
		synctest.Wait()
		if err := ask(from(t.Context(), "10.0.0.1:1001"), false); err != rpctypes.ErrGRPCRequestTooManyRequests {
			t.Errorf("the third from a machine: %v", err)
		}
		if err := ask(there, false); err != nil {
			t.Errorf("from another machine: %v", err)
		}
		close(release)
		synctest.Wait()
		if err := ask(here, false); err != nil {
			t.Errorf("after the two: %v", err)
		}
		if len(guard.requests.has) != 0 {
			t.Errorf("%v is still counted", guard.requests.has)
		}
		release = make(chan struct{})
		s.authOn()
		for range 2 {
			go func() { _ = ask(from(as("eve"), "10.0.0.1:1000"), true) }()
		}
		synctest.Wait()
		if err := ask(from(as("eve"), "10.0.0.2:1000"), false); err != rpctypes.ErrGRPCRequestTooManyRequests {
			t.Errorf("the third of a user: %v", err)
		}
		if err := ask(from(as("root"), "10.0.0.1:1000"), false); err != nil {
			t.Errorf("of another user: %v", err)
		}
		close(release)
	})
}
