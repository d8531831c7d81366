package grpcproxy

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"
)

// watchHub has a trunk for each caller that watches.
type watchHub struct {
	ctx    context.Context
	client pb.WatchClient
	keys   keys // in the space, uncached: for what is the present
	space  space
	tide   *tide
	meter  *meter

	mu     sync.Mutex
	trunks map[caller]*trunk
}

// join puts a rider on a ride: one that is there, or a new one. The rider hears
// of it, and of everything else, by its stream's queue.
func (h *watchHub) join(r *rider) {
	present := int64(0)
	if h.shareable(r) {
		present = h.present(r)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.trunks[r.caller]
	if t == nil {
		t = h.newTrunk(r.caller)
		h.trunks[r.caller] = t
	}
	t.board(r, present)
}

// shareable tells whether there is a ride for the same keys and the same caller.
func (h *watchHub) shareable(r *rider) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.trunks[r.caller]
	return t != nil && t.has(r.span)
}

// present is the revision from after which a new watcher watches, if nothing else
// was said: at least what a member has now, and what anybody has seen here. It is
// read from a key of the range, which the caller may read if he may watch it. 0:
// nobody could say, the watcher gets a ride of its own.
func (h *watchHub) present(r *rider) int64 {
	key := []byte(r.span.key)
	if len(key) == 0 {
		key = []byte{0}
	}
	resp, err := h.keys.Range(r.stream.ctx, &pb.RangeRequest{Key: key, CountOnly: true, Serializable: true})
	if err != nil {
		return 0
	}
	return max(resp.Header.GetRevision(), h.tide.mark())
}

// newTrunk needs mu.
func (h *watchHub) newTrunk(c caller) *trunk {
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(h.ctx, c.header()))
	t := &trunk{hub: h, caller: c, cancel: cancel, rides: map[int64]*ride{}, bySpan: map[span][]*ride{}}
	t.line = line[pb.WatchRequest, pb.WatchResponse]{
		open:   t.open,
		resume: t.resume, receive: t.receive, failed: t.failed,
		mu: &t.mu, wake: make(chan struct{}, 1),
	}
	go t.line.run(ctx)
	return t
}

// leave takes a rider off its ride, and ends a ride and a trunk that nobody is on.
func (h *watchHub) leave(r *rider) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.trunks[r.caller]
	if t == nil || !t.alight(r) {
		return
	}
	t.cancel()
	delete(h.trunks, r.caller)
}

// prune ends a trunk without rides, unless somebody has got on meanwhile.
func (h *watchHub) prune(t *trunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trunks[t.caller] == t && t.idle() {
		t.cancel()
		delete(h.trunks, t.caller)
	}
}

// drop forgets a trunk that has failed.
func (h *watchHub) drop(t *trunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trunks[t.caller] == t {
		delete(h.trunks, t.caller)
	}
}

// askProgress asks the members how far a caller's watchers are.
func (h *watchHub) askProgress(c caller) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.trunks[c]
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
}
