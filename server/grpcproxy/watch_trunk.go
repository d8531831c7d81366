package grpcproxy

import (
	"cmp"
	"context"
	"slices"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// span is what is watched, as the client says it: comparable.
type span struct{ key, end string }

// trunk is the stream to a member that carries all rides of one caller.
//
// Lock order: watchHub, trunk, watchStream.
type trunk struct {
	hub    *watchHub
	caller caller
	cancel context.CancelFunc
	line   line[pb.WatchRequest, pb.WatchResponse]

	mu     sync.Mutex
	lastID int64
	rides  map[int64]*ride // by the id that we chose
	bySpan map[span][]*ride
	// asked are the rides whose creation was asked for on this stream and not
	// answered, in the order that answers come in.
	asked []*ride
}

func (t *trunk) open(ctx context.Context) (grpc.BidiStreamingClient[pb.WatchRequest, pb.WatchResponse], error) {
	return t.hub.client.Watch(ctx)
}

func (t *trunk) has(s span) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.bySpan[s]) > 0
}

func (t *trunk) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.rides) == 0
}

// board finds a ride for a rider.
func (t *trunk) board(r *rider, present int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if present > 0 {
		for _, ride := range t.bySpan[r.span] {
			if ride.take(r, present) {
				t.hub.meter.watchersCoalescing.Inc()
				return
			}
		}
	}
	t.lastID++
	ride := &ride{trunk: t, id: t.lastID, span: r.span, next: r.next, riders: map[*rider]struct{}{r: {}}}
	r.ride = ride
	t.rides[ride.id] = ride
	t.bySpan[r.span] = append(t.bySpan[r.span], ride)
	t.ask(ride)
}

// ask needs mu. A line that isn't up asks for all rides when it is.
func (t *trunk) ask(r *ride) {
	if !t.line.up {
		return
	}
	t.asked = append(t.asked, r)
	t.line.send(r.request())
}

// alight tells whether nobody is left.
func (t *trunk) alight(r *rider) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	ride := r.ride
	if ride == nil || ride.trunk != t {
		return len(t.rides) == 0
	}
	t.shed(r)
	return len(t.rides) == 0
}

// shed takes a rider off his ride, which ends if he was the last. It needs mu.
func (t *trunk) shed(r *rider) {
	ride := r.ride
	delete(ride.riders, r)
	r.ride = nil
	if len(ride.riders) > 0 {
		t.hub.meter.watchersCoalescing.Dec()
		return
	}
	t.forget(ride)
	t.line.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: ride.id}}})
}

// forget needs mu.
func (t *trunk) forget(r *ride) {
	delete(t.rides, r.id)
	t.bySpan[r.span] = slices.DeleteFunc(t.bySpan[r.span], func(other *ride) bool { return other == r })
	if len(t.bySpan[r.span]) == 0 {
		delete(t.bySpan, r.span)
	}
}

// resume asks a new stream for every ride, from where it is.
func (t *trunk) resume() (requests []*pb.WatchRequest) {
	t.asked = nil
	for _, r := range t.rides {
		t.asked = append(t.asked, r)
	}
	slices.SortFunc(t.asked, func(a, b *ride) int { return cmp.Compare(a.id, b.id) })
	for _, r := range t.asked {
		requests = append(requests, r.request())
	}
	return requests
}

// receive is called by the line, one response after the other. Whose last ride a
// member ends has nobody left who would leave the trunk.
func (t *trunk) receive(resp *pb.WatchResponse) {
	t.mu.Lock()
	t.take(resp)
	over := resp.Canceled && len(t.rides) == 0
	t.mu.Unlock()
	if over {
		t.hub.prune(t)
	}
}

// take needs mu.
func (t *trunk) take(resp *pb.WatchResponse) {
	switch {
	case resp.Created:
		if len(t.asked) == 0 {
			return
		}
		r := t.asked[0]
		t.asked = t.asked[1:]
		if t.rides[r.id] != r {
			return // nobody waits for it any more; its cancellation is on the way
		}
		if resp.Canceled {
			t.end(r, resp)
			return
		}
		r.created(resp.Header)
	case resp.WatchId == noWatch: // progress of the whole stream, or a refusal that nobody waits for
		if len(resp.Events) == 0 && !resp.Canceled {
			for _, r := range t.rides {
				if !slices.Contains(t.asked, r) { // else it isn't about that one
					r.progress(resp.Header)
				}
			}
		}
	default:
		t.deliver(resp)
	}
}

func (t *trunk) deliver(resp *pb.WatchResponse) {
	r := t.rides[resp.WatchId]
	switch {
	case r == nil: // canceled meanwhile
	case resp.Canceled:
		t.end(r, resp)
	case len(resp.Events) == 0:
		r.progress(resp.Header)
	default:
		r.events(resp.Header, resp.Events)
	}
}

// end takes all riders off a ride that a member has ended. It needs mu.
func (t *trunk) end(r *ride, resp *pb.WatchResponse) {
	t.forget(r)
	t.hub.meter.watchersCoalescing.Sub(float64(len(r.riders) - 1))
	for rider := range r.riders {
		rider.ride = nil
		rider.canceled(resp)
	}
}

// failed ends the streams of all riders: what a member says of their caller is
// for them to hear, and to draw consequences.
func (t *trunk) failed(err error) bool {
	t.hub.drop(t)
	t.cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rides {
		t.hub.meter.watchersCoalescing.Sub(float64(len(r.riders) - 1))
		for rider := range r.riders {
			rider.ride = nil
			rider.stream.fail(err)
		}
	}
	t.rides, t.bySpan = map[int64]*ride{}, map[span][]*ride{}
	return false
}
