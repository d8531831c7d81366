package connect

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// fakeMember answers each watch with the next of its scripts.
type fakeMember struct {
	pb.UnimplementedWatchServer
	mu      sync.Mutex
	scripts []func(pb.Watch_WatchServer)
	from    []int64 // the revisions that it was asked for
}

func (m *fakeMember) Watch(stream pb.Watch_WatchServer) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.from = append(m.from, request.GetCreateRequest().StartRevision)
	script := m.scripts[0]
	if len(m.scripts) > 1 {
		m.scripts = m.scripts[1:]
	}
	m.mu.Unlock()
	if err := stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 9}, Created: true}); err != nil {
		return err
	}
	script(stream)
	<-stream.Context().Done()
	return nil
}

func event(revision int64) *pb.WatchResponse {
	kv := &mvccpb.KeyValue{Key: []byte("k"), CreateRevision: 2, ModRevision: revision}
	return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: revision}, Events: []*mvccpb.Event{{Kv: kv}}}
}

func ended(reason string, compacted int64) *pb.WatchResponse {
	return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 9}, Canceled: true, CancelReason: reason, CompactRevision: compacted}
}

// serve starts the member and returns a client of it.
func (m *fakeMember) serve(t *testing.T) *clientv3.Client {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterWatchServer(server, m)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	*Endpoints = "http://" + listener.Addr().String()
	client, err := Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// A member that has lost its leader ends the watch. It goes on behind the last change seen: none twice, none missed.
func TestWatchGoesOnAfterNoLeader(t *testing.T) {
	m := &fakeMember{scripts: []func(pb.Watch_WatchServer){
		func(s pb.Watch_WatchServer) {
			_ = s.Send(event(5))
			_ = s.Send(event(6))
			_ = s.Send(ended(rpctypes.ErrNoLeader.Error(), 0))
		},
		func(s pb.Watch_WatchServer) { _ = s.Send(ended(rpctypes.ErrNoLeader.Error(), 0)) },
		func(s pb.Watch_WatchServer) { _ = s.Send(event(7)) },
	}}
	client := m.serve(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var seen []int64
	err := Watch(ctx, client, "k", 5, func(e *clientv3.Event) {
		if seen = append(seen, e.Kv.ModRevision); e.Kv.ModRevision == 7 {
			cancel()
		}
	})
	if err != nil || !slices.Equal(seen, []int64{5, 6, 7}) {
		t.Errorf("saw %v, %v", seen, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.from, []int64{5, 7, 7}) {
		t.Errorf("asked from %v", m.from)
	}
}

// What was compacted away can't be followed: the caller must read what is there now.
func TestWatchTellsOfCompaction(t *testing.T) {
	m := &fakeMember{scripts: []func(pb.Watch_WatchServer){
		func(s pb.Watch_WatchServer) { _ = s.Send(ended(rpctypes.ErrCompacted.Error(), 8)) },
	}}
	client := m.serve(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := Watch(ctx, client, "k", 5, func(*clientv3.Event) {}); err != ErrCompacted {
		t.Errorf("got %v", err)
	}
}
