package grpcproxy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// history is a member's store for watchers: an event a revision, of one of a few keys.
type history struct {
	mu      sync.Mutex
	changed sync.Cond
	keys    []string // by revision, from 1 on
	epoch   int      // streams of an older one are broken
	refuse  error    // of new streams
}

// forbidden is a key that nobody may watch.
const forbidden = "forbidden"

func newHistory() *history {
	h := &history{}
	h.changed.L = &h.mu
	return h
}

func (h *history) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	h.changed.Broadcast()
}

func (h *history) revision() int64 { return int64(len(h.keys)) }

// Range is for the present alone.
func (h *history) Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: h.revision()}}, nil
}

// Watch implements pb.WatchClient.
func (h *history) Watch(ctx context.Context, _ ...grpc.CallOption) (grpc.BidiStreamingClient[pb.WatchRequest, pb.WatchResponse], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return nil, h.refuse
	}
	s := &memberStream{history: h, ctx: ctx, epoch: h.epoch, next: map[int64]int64{}, keys: map[int64]string{}}
	context.AfterFunc(ctx, func() { h.change(func() {}) })
	return s, nil
}

type memberStream struct {
	grpc.ClientStream
	history *history
	ctx     context.Context
	epoch   int
	answers []*pb.WatchResponse
	next    map[int64]int64 // by watcher
	keys    map[int64]string
}

func (s *memberStream) Send(r *pb.WatchRequest) error {
	s.history.change(func() {
		header := &pb.ResponseHeader{Revision: s.history.revision()}
		switch u := r.RequestUnion.(type) {
		case *pb.WatchRequest_CreateRequest:
			c := u.CreateRequest
			s.keys[c.WatchId], s.next[c.WatchId] = string(c.Key), c.StartRevision
			if c.StartRevision == 0 {
				s.next[c.WatchId] = header.Revision + 1
			}
			if string(c.Key) == forbidden {
				delete(s.next, c.WatchId)
				s.answers = append(s.answers, &pb.WatchResponse{Header: header, WatchId: noWatch, Created: true, Canceled: true})
				return
			}
			s.answers = append(s.answers, &pb.WatchResponse{Header: header, WatchId: c.WatchId, Created: true})
		case *pb.WatchRequest_CancelRequest:
			delete(s.next, u.CancelRequest.WatchId)
			s.answers = append(s.answers, &pb.WatchResponse{Header: header, WatchId: u.CancelRequest.WatchId, Canceled: true})
		}
	})
	return nil
}

func (s *memberStream) Recv() (*pb.WatchResponse, error) {
	h := s.history
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		if s.epoch != h.epoch {
			return nil, errStopping
		}
		if len(s.answers) > 0 {
			r := s.answers[0]
			s.answers = s.answers[1:]
			return r, nil
		}
		for id, next := range s.next {
			for revision := next; revision <= h.revision(); revision++ {
				s.next[id] = revision + 1
				if key := h.keys[revision-1]; key == s.keys[id] {
					return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: h.revision()}, WatchId: id, Events: []*mvccpb.Event{
						{Kv: &mvccpb.KeyValue{Key: []byte(key), ModRevision: revision}, PrevKv: &mvccpb.KeyValue{}},
					}}, nil
				}
			}
		}
		h.changed.Wait()
	}
}

// clientStream is a client's end.
type clientStream struct {
	grpc.ServerStream
	ctx      context.Context
	requests chan *pb.WatchRequest
	answers  chan *pb.WatchResponse
}

func (c *clientStream) Context() context.Context { return c.ctx }

func (c *clientStream) Send(r *pb.WatchResponse) error {
	select {
	case c.answers <- r:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

func (c *clientStream) Recv() (*pb.WatchRequest, error) {
	select {
	case r, ok := <-c.requests:
		if !ok {
			return nil, io.EOF
		}
		return r, nil
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
}

func newHub(t *testing.T, h *history) *watchHub {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	k := &presentKeys{history: h}
	return &watchHub{ctx: ctx, client: h, keys: k, tide: &tide{}, meter: newMeter(func() int { return 0 }), trunks: map[caller]*trunk{}}
}

type presentKeys struct {
	keys
	*history
}

func (k *presentKeys) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return k.history.Range(ctx, r)
}

// TestRidersSeeAllOnce: while keys change and members break, watchers come, begin anywhere, and go; each sees every
// event of its key from its beginning on, once and in order.
func TestRidersSeeAllOnce(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory()
			hub := newHub(t, h)
			h.change(func() { h.keys = append(h.keys, "k0") })
			stop := make(chan struct{})
			var world, clients sync.WaitGroup
			world.Go(func() { disturb(h, rand.New(rand.NewPCG(seed, 2)), stop) })
			for i := range 6 {
				mine := rand.New(rand.NewPCG(seed, uint64(10+i)))
				clients.Go(func() {
					for range 5 {
						visit(t, hub, h, mine)
					}
				})
			}
			clients.Wait()
			close(stop)
			world.Wait()
			until(t, "all trunks are gone", func() bool { hub.mu.Lock(); defer hub.mu.Unlock(); return len(hub.trunks) == 0 })
			if n := value(t, hub.meter.watchersCoalescing); n != 0 {
				t.Errorf("%v riders are left", n)
			}
		})
	}
}

// disturb writes, and breaks streams, until stop.
func disturb(h *history, rng *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rng.IntN(300)) * time.Microsecond):
		}
		h.change(func() {
			for range 1 + rng.IntN(8) {
				h.keys = append(h.keys, fmt.Sprintf("k%d", rng.IntN(3)))
			}
		})
		h.change(func() {
			if rng.IntN(40) == 0 {
				h.epoch++ // most likely with events that were not delivered
			}
		})
	}
}

// visit is a client with one stream, two watchers, and some events of each.
func visit(t *testing.T, hub *watchHub, h *history, rng *rand.Rand) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &clientStream{ctx: ctx, requests: make(chan *pb.WatchRequest), answers: make(chan *pb.WatchResponse)}
	done := make(chan error, 1)
	go func() { done <- watchServer{hub: hub}.Watch(c) }()
	if rng.IntN(3) == 0 { // one that goes before it has its answer
		c.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("k0")}}}
		cancel()
		<-done
		return
	}
	next, keys, left := map[int64]int64{}, map[int64]string{}, map[int64]int{}
	for range 2 {
		key, start := fmt.Sprintf("k%d", rng.IntN(3)), int64(0)
		if rng.IntN(2) == 0 {
			h.mu.Lock()
			start = max(1, h.revision()-int64(rng.IntN(20))+5)
			h.mu.Unlock()
		}
		c.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(key), StartRevision: start}}}
		for {
			r := <-c.answers
			if !r.Created {
				checkEvents(t, h, r, keys, next, left)
				continue
			}
			keys[r.WatchId], next[r.WatchId], left[r.WatchId] = key, start, 3+rng.IntN(10)
			if start == 0 {
				next[r.WatchId] = r.Header.Revision + 1
			}
			break
		}
	}
	for left[0] > 0 || left[1] > 0 {
		select {
		case r := <-c.answers:
			checkEvents(t, h, r, keys, next, left)
		case err := <-done:
			t.Errorf("the stream ended: %v", err)
			return
		case <-time.After(10 * time.Second):
			t.Error("nothing came")
			return
		}
	}
	cancel()
	<-done
}

func checkEvents(t *testing.T, h *history, r *pb.WatchResponse, keys map[int64]string, next map[int64]int64, left map[int64]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ev := range r.Events {
		want := next[r.WatchId]
		for want <= h.revision() && h.keys[want-1] != keys[r.WatchId] {
			want++
		}
		if ev.Kv.ModRevision != want || string(ev.Kv.Key) != keys[r.WatchId] {
			t.Errorf("watcher of %s: %s at %d, want %d", keys[r.WatchId], ev.Kv.Key, ev.Kv.ModRevision, want)
		}
		next[r.WatchId] = ev.Kv.ModRevision + 1
		left[r.WatchId]--
	}
}

// TestWhatEndsStreams: what a member says of the caller the client hears; what another member may do better, it
// doesn't.
func TestWhatEndsStreams(t *testing.T) {
	for _, c := range []struct {
		err  error
		ends bool
	}{
		{rpctypes.ErrGRPCNoLeader, true},
		{rpctypes.ErrGRPCInvalidAuthToken, true},
		{rpctypes.ErrGRPCPermissionDenied, true},
		{rpctypes.ErrGRPCStopped, false},
		{status.Error(codes.Unavailable, "connection refused"), false},
	} {
		h := newHistory()
		h.refuse = c.err
		hub := newHub(t, h)
		ctx, cancel := context.WithCancel(metadata.NewIncomingContext(t.Context(), metadata.Pairs("hasleader", "true")))
		s := &clientStream{ctx: ctx, requests: make(chan *pb.WatchRequest, 1), answers: make(chan *pb.WatchResponse, 1)}
		done := make(chan error, 1)
		go func() { done <- watchServer{hub: hub}.Watch(s) }()
		s.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("k0")}}}
		if c.ends {
			if err := <-done; err != c.err {
				t.Errorf("%v instead of %v", err, c.err)
			}
			cancel()
			continue
		}
		time.Sleep(50 * time.Millisecond)
		h.change(func() { h.refuse = nil })
		select {
		case r := <-s.answers:
			if !r.Created || r.Canceled {
				t.Errorf("%v: then %v", c.err, r)
			}
		case err := <-done:
			t.Errorf("%v ended a stream: %v", c.err, err)
		}
		cancel()
		<-done
	}
}

// TestRefusedWatchers: callers whose watchers are refused leave nothing behind, also while their own streams go on.
func TestRefusedWatchers(t *testing.T) {
	hub := newHub(t, newHistory())
	for i := range 5 {
		ctx, cancel := context.WithCancel(metadata.NewIncomingContext(t.Context(), metadata.Pairs(rpctypes.TokenFieldNameGRPC, fmt.Sprint(i))))
		s := &clientStream{ctx: ctx, requests: make(chan *pb.WatchRequest, 1), answers: make(chan *pb.WatchResponse, 1)}
		done := make(chan error, 1)
		go func() { done <- watchServer{hub: hub}.Watch(s) }()
		defer func() { cancel(); <-done }()
		for range 2 {
			s.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(forbidden)}}}
			if r := <-s.answers; !r.Created || !r.Canceled {
				t.Fatal(r)
			}
		}
	}
	until(t, "all trunks are gone", func() bool { hub.mu.Lock(); defer hub.mu.Unlock(); return len(hub.trunks) == 0 })
}

// TestProgressOfAll: the answer waits for the watchers that the client has asked for meanwhile, and for nobody who is
// gone; it is the lowest revision.
func TestProgressOfAll(t *testing.T) {
	s := newWatchStream(newHub(t, newHistory()), t.Context())
	riders := make([]*rider, 4)
	for i := range riders {
		riders[i] = newRider(s, &pb.WatchCreateRequest{Key: []byte("k")})
	}
	at := func(revision int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: revision} }
	s.enlist(riders[0], 0)
	s.enlist(riders[1], 0)
	if !s.ask() {
		t.Fatal("there are watchers")
	}
	s.enlist(riders[2], 0)
	s.progressed(riders[0], at(9))
	s.progressed(riders[1], at(7))
	if items, _, _ := s.take(); len(items) != 0 {
		t.Errorf("%v, and one of the watchers has not been heard of", items)
	}
	s.enlist(riders[3], 0)
	s.forget(riders[3])
	s.progressed(riders[2], at(8))
	if items, _, _ := s.take(); len(items) != 1 || items[0].WatchId != noWatch || items[0].Header.Revision != 7 {
		t.Errorf("%v", items)
	}
	if s.asking() {
		t.Error("it was answered")
	}
}

// TestNothingPilesUp: while no member can be reached, clients that come and go leave nothing behind.
func TestNothingPilesUp(t *testing.T) {
	h := newHistory()
	h.refuse = rpctypes.ErrGRPCStopped
	hub := newHub(t, h)
	visit := func() (leave func()) {
		s := newWatchStream(hub, t.Context())
		r := newRider(s, &pb.WatchCreateRequest{Key: []byte("k0")})
		s.enlist(r, 0)
		s.board(r)
		return s.close
	}
	defer visit()() // keeps the trunk
	for range 100 {
		visit()()
	}
	trunk := hub.trunks[caller{}]
	trunk.mu.Lock()
	asked, waiting := len(trunk.asked), len(trunk.line.waiting)
	trunk.mu.Unlock()
	if asked+waiting > 2 {
		t.Errorf("%d rides and %d messages for nobody", asked, waiting)
	}
}
