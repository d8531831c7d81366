package grpcproxy

import (
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// noWatch is the id of no watcher: of a refused one, and of a stream's progress.
const noWatch = -1

// rider is a client's watcher. Which ride it is on, and next, the trunk's lock
// guards; the rest doesn't change.
type rider struct {
	stream *watchStream
	caller caller
	span   span
	id     int64

	skip     []mvccpb.Event_EventType // by the client's filters
	prevKV   bool
	fragment bool
	progress bool

	ride *ride // nil: on none, or not any more
	// next is the first revision that the client has not got; 0 until it is known
	// what the present is.
	next      int64
	announced bool          // the client knows that it is created, or refused
	ready     chan struct{} // closed then
}

func newRider(s *watchStream, r *pb.WatchCreateRequest) *rider {
	w := &rider{
		stream: s, caller: s.caller, span: span{string(r.Key), string(r.RangeEnd)}, next: r.StartRevision,
		prevKV: r.PrevKv, fragment: r.Fragment, progress: r.ProgressNotify, ready: make(chan struct{}),
	}
	for _, f := range r.Filters {
		switch f {
		case pb.WatchCreateRequest_NOPUT:
			w.skip = append(w.skip, mvccpb.Event_PUT)
		case pb.WatchCreateRequest_NODELETE:
			w.skip = append(w.skip, mvccpb.Event_DELETE)
		}
	}
	return w
}

// created tells the client, once.
func (r *rider) created(header *pb.ResponseHeader) {
	if r.announced {
		return // it fell behind and is back
	}
	r.announced = true
	r.stream.push(&pb.WatchResponse{Header: header, WatchId: r.id, Created: true})
	close(r.ready)
}

// canceled passes on that a member has ended or refused the watcher.
func (r *rider) canceled(resp *pb.WatchResponse) {
	out := &pb.WatchResponse{
		Header: resp.Header, WatchId: r.id, Canceled: true,
		CompactRevision: resp.CompactRevision, CancelReason: resp.CancelReason,
	}
	r.stream.forget(r)
	if !r.announced {
		out.WatchId, out.Created = noWatch, true
		r.announced = true
		defer close(r.ready)
	}
	r.stream.push(out)
}

// events is false if the client has too much waiting already; nothing was passed
// on then.
func (r *rider) events(header *pb.ResponseHeader, events []*mvccpb.Event) bool {
	wanted := r.wanted(events)
	if len(wanted) > 0 && !r.stream.pushEvents(r, &pb.WatchResponse{Header: header, WatchId: r.id, Events: wanted}) {
		return false
	}
	r.next = max(r.next, events[len(events)-1].Kv.ModRevision+1)
	return true
}

// wanted leaves out what the client has, what it doesn't want to have, and the
// values before if it didn't ask for them. Without any of that the events are
// shared by all riders.
func (r *rider) wanted(events []*mvccpb.Event) []*mvccpb.Event {
	whole := r.prevKV && len(r.skip) == 0 && events[0].Kv.ModRevision >= r.next
	if whole {
		return events
	}
	var out []*mvccpb.Event
	for _, ev := range events {
		if ev.Kv.ModRevision < r.next || slices.Contains(r.skip, ev.Type) {
			continue
		}
		if !r.prevKV && ev.PrevKv != nil {
			ev = &mvccpb.Event{Type: ev.Type, Kv: ev.Kv}
		}
		out = append(out, ev)
	}
	return out
}

func (r *rider) progressed(header *pb.ResponseHeader) {
	r.next = max(r.next, header.GetRevision()+1)
	r.stream.progressed(r, header)
}

// fragmentBytes is how large a part may be; etcd's largest request.
const fragmentBytes = 3 << 19

// fragments cuts a response between events, for a client that takes parts.
func fragments(resp *pb.WatchResponse) (parts []*pb.WatchResponse) {
	rest, bytes, from := resp.Events, 0, 0
	part := func(to int, more bool) {
		parts = append(parts, &pb.WatchResponse{Header: resp.Header, WatchId: resp.WatchId, Events: rest[from:to], Fragment: more})
		from, bytes = to, 0
	}
	for i, ev := range rest {
		size := proto.Size(ev)
		if bytes > 0 && bytes+size > fragmentBytes {
			part(i, true)
		}
		bytes += size
	}
	part(len(rest), false)
	return parts
}
