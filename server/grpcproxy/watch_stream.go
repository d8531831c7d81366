package grpcproxy

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// What may wait for a client. Beyond that its watchers fall behind: they leave
// their rides, and get rides of their own, from where they are, when the client
// has taken what waits. So one that is slow holds up nobody, and costs no more
// memory than this.
const (
	streamItemsMax = 1024
	streamBytesMax = 8 << 20
)

// watchStream is one client's stream: its watchers, and what waits to be sent.
type watchStream struct {
	hub    *watchHub
	ctx    context.Context
	caller caller
	ready  chan struct{} // something waits

	mu     sync.Mutex
	room   sync.Cond
	riders map[int64]*rider
	nextID int64
	items  []*pb.WatchResponse
	bytes  int // of the events among items
	behind []*rider
	header *pb.ResponseHeader // the last that was seen
	err    error              // how the stream has to end
	closed bool
	// asked are the watchers of which the members haven't said yet how far they are,
	// since the client has asked; nil: it hasn't. reached is what they said so far.
	asked   map[*rider]struct{}
	reached *pb.ResponseHeader
}

func newWatchStream(h *watchHub, ctx context.Context) *watchStream {
	s := &watchStream{hub: h, ctx: ctx, caller: callerOf(ctx), ready: make(chan struct{}, 1), riders: map[int64]*rider{}, header: &pb.ResponseHeader{}}
	s.room.L = &s.mu
	return s
}

func (s *watchStream) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // it is awake
	}
}

// push queues an answer to a request, or a word about a watcher.
func (s *watchStream) push(resp *pb.WatchResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(s.items, resp)
	s.heard(resp.Header)
	s.wake()
}

// heard needs mu.
func (s *watchStream) heard(header *pb.ResponseHeader) {
	if header.GetRevision() >= s.header.GetRevision() && header != nil {
		s.header = header
	}
}

func (s *watchStream) lastHeader() *pb.ResponseHeader {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header
}

// pushEvents is false if too much waits already. Nothing is too large for a client
// that nothing waits for.
func (s *watchStream) pushEvents(r *rider, resp *pb.WatchResponse) bool {
	size := proto.Size(resp)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) >= streamItemsMax || s.bytes > 0 && s.bytes+size > streamBytesMax {
		return false
	}
	if r.fragment && size > fragmentBytes {
		s.items = append(s.items, fragments(resp)...)
	} else {
		s.items = append(s.items, resp)
	}
	s.bytes += size
	s.heard(resp.Header)
	s.wake()
	return true
}

// take empties the queue. err ends the stream, after what waited.
func (s *watchStream) take() (items []*pb.WatchResponse, behind []*rider, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items, s.items, s.bytes = s.items, nil, 0
	behind, s.behind = s.behind, nil
	s.room.Broadcast()
	return items, behind, s.err
}

// waitForRoom holds a client back that asks without listening; false: the stream
// is over.
func (s *watchStream) waitForRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.items) >= 2*streamItemsMax && !s.closed {
		s.room.Wait()
	}
	return !s.closed
}

// enlist gives a watcher its id, the client's if it chose one; false: that is
// taken.
func (s *watchStream) enlist(r *rider, chosen int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if chosen == 0 || chosen == noWatch {
		for s.riders[s.nextID] != nil {
			s.nextID++
		}
		chosen = s.nextID
		s.nextID++
	}
	if s.riders[chosen] != nil {
		return false
	}
	r.id = chosen
	s.riders[chosen] = r
	if s.asked != nil {
		s.asked[r] = struct{}{} // what the client hears of the whole stream is true of this one, too
	}
	return true
}

func (s *watchStream) find(id int64) *rider {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.riders[id]
}

func (s *watchStream) knows(r *rider) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.riders[r.id] == r
}

// forget takes a watcher off the list. Nobody needs to wait for it any more.
func (s *watchStream) forget(r *rider) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.riders[r.id] == r {
		delete(s.riders, r.id)
	}
	s.answered(r)
}

// fallBehind has a watcher brought back once the queue is empty.
func (s *watchStream) fallBehind(r *rider) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = append(s.behind, r)
	s.wake()
}

func (s *watchStream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.wake()
}

// ask begins to gather how far all watchers are; false: there are none.
func (s *watchStream) ask() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.riders) == 0 {
		return false
	}
	s.asked, s.reached = map[*rider]struct{}{}, nil
	for _, r := range s.riders {
		s.asked[r] = struct{}{}
	}
	return true
}

func (s *watchStream) asking() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked != nil
}

// progressed takes a member's word that the client has everything of a watcher.
func (s *watchStream) progressed(r *rider, header *pb.ResponseHeader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard(header)
	if r.progress && len(s.items) < streamItemsMax {
		s.items = append(s.items, &pb.WatchResponse{Header: header, WatchId: r.id})
		s.wake()
	}
	if _, ok := s.asked[r]; !ok {
		return
	}
	if s.reached == nil || header.GetRevision() < s.reached.GetRevision() {
		s.reached = header
	}
	s.answered(r)
}

// answered needs mu.
func (s *watchStream) answered(r *rider) {
	if s.asked == nil {
		return
	}
	delete(s.asked, r)
	if len(s.asked) > 0 {
		return
	}
	s.asked = nil
	if s.reached != nil {
		s.items = append(s.items, &pb.WatchResponse{Header: s.reached, WatchId: noWatch})
		s.wake()
	}
}

// close ends all watchers.
func (s *watchStream) close() {
	s.mu.Lock()
	s.closed = true
	riders := s.riders
	s.riders = nil
	s.room.Broadcast()
	s.mu.Unlock()
	for _, r := range riders {
		s.hub.leave(r)
	}
}
