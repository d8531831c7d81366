package grpcproxy

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// ride is one watcher at a member, for all clients that watch the same keys as
// the same caller. The trunk's lock guards it.
type ride struct {
	trunk *trunk
	id    int64
	span  span
	// next is the first revision that the riders may not have heard of; where a new
	// stream has to begin. 0: from the present, until a member has said which
	// that is.
	next   int64
	riders map[*rider]struct{}
	known  bool // a member has created it
	header *pb.ResponseHeader
}

// request asks for everything that any rider may want.
func (r *ride) request() *pb.WatchRequest {
	from, to := r.trunk.hub.space.watched(r.span)
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		WatchId: r.id, Key: from, RangeEnd: to, StartRevision: r.next, ProgressNotify: true, PrevKv: true,
	}}}
}

// watched is span for watchers, for whom no key is the first of all keys.
func (s space) watched(w span) (from, to []byte) {
	key := []byte(w.key)
	if len(key) == 0 {
		key = []byte{0}
	}
	return s.span(key, []byte(w.end))
}

// take lets a rider on if it misses nothing. What the ride hears of before the
// rider's own beginning the rider doesn't pass on. A ride that begins in the future
// hears nothing of what comes before: only who wants no more may get on.
func (r *ride) take(rider *rider, present int64) bool {
	if !r.known || rider.next != 0 && rider.next < r.next {
		return false
	}
	seen := max(present, r.header.GetRevision())
	if rider.next == 0 && r.next > seen+1 {
		return false
	}
	present = max(present, min(r.next-1, seen))
	if rider.next == 0 {
		rider.next = present + 1
	}
	header := &pb.ResponseHeader{ClusterId: r.header.GetClusterId(), MemberId: r.header.GetMemberId(), RaftTerm: r.header.GetRaftTerm(), Revision: present}
	rider.ride = r
	rider.created(header)
	r.riders[rider] = struct{}{}
	return true
}

func (r *ride) created(header *pb.ResponseHeader) {
	r.header = header
	if r.next == 0 {
		r.next = header.GetRevision() + 1
	}
	if r.known {
		return // on another stream
	}
	r.known = true
	for rider := range r.riders {
		if rider.next == 0 {
			rider.next = r.next
		}
		rider.created(header)
	}
}

// events passes on what happened. A response holds whole revisions.
func (r *ride) events(header *pb.ResponseHeader, events []*mvccpb.Event) {
	r.header = header
	s := r.trunk.hub.space
	for _, ev := range events {
		s.show(ev.Kv, ev.PrevKv)
	}
	for rider := range r.riders {
		if !rider.events(header, events) {
			r.trunk.shed(rider)
			rider.stream.fallBehind(rider)
		}
	}
	// The header's revision is the store's: events up to it may still come.
	r.next = max(r.next, events[len(events)-1].Kv.ModRevision+1)
	r.trunk.hub.meter.eventsCoalescing.Add(float64(max(0, len(r.riders)-1)))
}

// progress says that everything up to the header's revision was passed on.
func (r *ride) progress(header *pb.ResponseHeader) {
	if !r.known {
		return
	}
	r.header = header
	r.next = max(r.next, header.GetRevision()+1)
	for rider := range r.riders {
		rider.progressed(header)
	}
}
