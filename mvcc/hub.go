package mvcc

import "fmt"

// HubOptions configures a Hub.
type HubOptions struct {
	// FragmentBytes is the size above which events are spread over several
	// responses, by Event sizes as Credit counts them; 0: 2 MiB, which is etcd's
	// largest request and its allowance for the frame.
	FragmentBytes int
}

// Emit takes responses of one stream, in order; the slice is the callee's. It is
// called on the caller's goroutine and must not call the hub.
type Emit func(StreamID, []WatchResponse)

// Hub delivers changes to watchers. It belongs to the store's owner, keeps no
// copy of an event and no queue: a watcher is a revision, and history is the
// queue. Who can't take more is left behind and catches up later from history,
// so a slow stream costs nothing and loses nothing, until compaction passes it.
//
// The owner calls Publish after each batch that it applied, Step as long as it
// has time and Step says more, and CompactStep only with Publish done.
// Responses to a stream are to be sent in the order in which they came out of
// the hub, whether returned or emitted.
type Hub struct {
	store     *Store
	limit     int   // FragmentBytes
	published int64 // all events up to here were offered to live watchers

	streams map[StreamID]*stream // for lookup; never ranged over
	order   []*stream
	index   watchIndex
	count   int
	behind  []*watcher
	turn    int // whose turn it is in behind

	live    cursor // after the last record published, if fresh
	liveGen int    // the directory that live belongs to; -1: none

	// The pass that is going on.
	pass   uint64
	hits   []hit
	groups []*group
	talked []*stream
}

// NewHub returns a hub without streams. A store has one hub at most.
func NewHub(s *Store, o HubOptions) *Hub {
	h := &Hub{limit: o.FragmentBytes, streams: map[StreamID]*stream{}, index: newWatchIndex()}
	if h.limit <= 0 {
		h.limit = 2 << 20
	}
	h.attach(s)
	return h
}

// attach makes s the store; its compaction waits for the hub from now on.
func (h *Hub) attach(s *Store) {
	h.store, h.published, h.liveGen = s, s.rev, -1
	s.published = func() int64 { return h.published }
}

// Watchers is the number of watchers, Behind of those that catch up.
func (h *Hub) Watchers() int { return h.count }

// Behind is the number of watchers with events still to come from history.
func (h *Hub) Behind() int { return len(h.behind) }

// Streams is the number of open streams.
func (h *Hub) Streams() int { return len(h.order) }

// Open adds a stream, without credit. Its id must be new.
func (h *Hub) Open(id StreamID) {
	if h.streams[id] != nil {
		panic(fmt.Sprintf("mvcc: watch stream %d opened twice", id))
	}
	s := &stream{id: id, watchers: map[WatchID]*watcher{}, inOrder: len(h.order)}
	h.streams[id] = s
	h.order = append(h.order, s)
}

// Close removes a stream and its watchers, without a response. Unknown: nothing.
func (h *Hub) Close(id StreamID) {
	s := h.streams[id]
	if s == nil {
		return
	}
	for len(s.list) > 0 {
		h.remove(s.list[len(s.list)-1])
	}
	delete(h.streams, id)
	last := h.order[len(h.order)-1]
	h.order[s.inOrder], last.inOrder = last, s.inOrder
	h.order = h.order[:len(h.order)-1]
}

// Grant adds to what a stream may be sent. Responses that a call returns, and
// cancellations, are sent without credit: the first answer what the client
// asked, the second come once a watcher.
func (h *Hub) Grant(id StreamID, more Credit) {
	if s := h.streams[id]; s != nil {
		s.credit.Responses += more.Responses
		s.credit.Bytes += more.Bytes
	}
}

// Create adds a watcher and returns what to send: Created; or Created and
// Canceled in one with a reason (empty range, id in use, negative start); or
// Created and then Canceled with the compacted revision, if the start has been
// compacted. The text of a reason is an error's of this package; etcd's wire
// text for it is the API's to make. A stream that is closed gets nothing.
func (h *Hub) Create(id StreamID, req *WatchRequest) []WatchResponse {
	s := h.streams[id]
	if s == nil {
		return nil
	}
	at := spanOf(req.Key, req.End)
	watchID, err := s.admit(req, at)
	if err != nil {
		return []WatchResponse{{ID: NoWatchID, Created: true, Canceled: true,
			CancelReason: err.Error(), Revision: h.store.rev}}
	}
	created := WatchResponse{ID: watchID, Created: true, Revision: h.store.rev}
	if req.StartRevision != 0 && req.StartRevision < h.store.compacted {
		return []WatchResponse{created, h.compactedResponse(watchID)}
	}
	w := &watcher{stream: s, id: watchID, start: req.StartRevision, cursor: req.StartRevision,
		want: variantOf(req), progress: req.ProgressNotify}
	if w.cursor == 0 {
		w.cursor = h.store.rev + 1
	}
	h.insert(w, at)
	if w.cursor <= h.published {
		h.fallBehind(w, w.cursor)
	}
	return []WatchResponse{created}
}

// admit checks a request and gives it an id.
func (s *stream) admit(req *WatchRequest, at span) (WatchID, error) {
	switch {
	case req.StartRevision < 0:
		return 0, ErrCompacted
	case at.empty():
		return 0, ErrWatcherRange
	case req.ID == AutoWatchID:
		for s.watchers[s.nextID] != nil {
			s.nextID++
		}
		s.nextID++
		return s.nextID - 1, nil
	case s.watchers[req.ID] != nil:
		return 0, ErrDuplicateWatch
	}
	return req.ID, nil
}

// compactedResponse has no revision but the compacted one, as in etcd.
func (h *Hub) compactedResponse(id WatchID) WatchResponse {
	return WatchResponse{ID: id, Canceled: true, CompactRevision: h.store.compacted}
}

// Cancel removes a watcher; an unknown one is passed over in silence.
func (h *Hub) Cancel(id StreamID, watch WatchID) []WatchResponse {
	s := h.streams[id]
	if s == nil || s.watchers[watch] == nil {
		return nil
	}
	h.remove(s.watchers[watch])
	return []WatchResponse{{ID: watch, Canceled: true, Revision: h.store.rev}}
}

// RequestProgress answers with the revision up to which the stream has all its
// events, if that is true of each of its watchers; a watcher with a start to
// come, a watcher behind or a stream without any gets no answer, as in etcd.
func (h *Hub) RequestProgress(id StreamID) []WatchResponse {
	s := h.streams[id]
	if s == nil || len(s.list) == 0 {
		return nil
	}
	for _, w := range s.list {
		if !h.complete(w) {
			return nil
		}
	}
	return []WatchResponse{{ID: NoWatchID, Revision: h.published}}
}

// complete tells that w has all its events and may report progress.
func (h *Hub) complete(w *watcher) bool { return !w.behind && w.start <= h.published }

// ProgressTick ends an interval of periodic progress: every watcher that wants
// it, has all its events and got none since the last tick is told the revision,
// if its stream has credit.
func (h *Hub) ProgressTick(emit Emit) {
	for _, s := range h.order {
		for _, w := range s.list {
			if w.progress && !w.sent && h.complete(w) && s.credit.some() {
				s.credit.Responses--
				h.say(s, WatchResponse{ID: w.id, Revision: h.published})
			}
			w.sent = false
		}
	}
	h.flush(emit)
}

// Reset puts the hub on another store that holds the same history further on,
// after a snapshot was installed. Watchers go on from where each of them is:
// Step brings them what they missed, or cancels those whose place the snapshot
// no longer has.
func (h *Hub) Reset(s *Store) {
	before := h.published
	if s.rev < before {
		panic(fmt.Sprintf("mvcc: watch hub reset from revision %d back to %d", before, s.rev))
	}
	h.attach(s)
	for _, st := range h.order {
		for _, w := range st.list {
			if w.behind {
				continue
			}
			w.cursor = max(w.cursor, before+1)
			if w.cursor <= h.published {
				h.fallBehind(w, w.cursor)
			}
		}
	}
}

// insert registers w with its stream and group.
func (h *Hub) insert(w *watcher, at span) {
	s := w.stream
	w.group = h.index.join(at)
	w.inGroup, w.inStream = len(w.group.watchers), len(s.list)
	w.group.watchers = append(w.group.watchers, w)
	s.list = append(s.list, w)
	s.watchers[w.id] = w
	h.count++
}

// remove forgets w.
func (h *Hub) remove(w *watcher) {
	if w.behind {
		h.catchUp(w)
	}
	s, g := w.stream, w.group
	lastInStream, lastInGroup := s.list[len(s.list)-1], g.watchers[len(g.watchers)-1]
	s.list[w.inStream], lastInStream.inStream = lastInStream, w.inStream
	g.watchers[w.inGroup], lastInGroup.inGroup = lastInGroup, w.inGroup
	s.list, g.watchers = pop(s.list), pop(g.watchers)
	delete(s.watchers, w.id)
	if len(g.watchers) == 0 {
		h.index.remove(g)
	}
	h.count--
}

// fallBehind makes w one of those that catch up, from revision rev.
func (h *Hub) fallBehind(w *watcher, rev int64) {
	w.behind, w.cursor, w.inBehind = true, rev, len(h.behind)
	h.behind = append(h.behind, w)
	w.group.behind++
}

// catchUp makes w live again.
func (h *Hub) catchUp(w *watcher) {
	last := h.behind[len(h.behind)-1]
	h.behind[w.inBehind], last.inBehind = last, w.inBehind
	h.behind = pop(h.behind)
	w.behind = false
	w.group.behind--
}

// say queues a response for the end of the call.
func (h *Hub) say(s *stream, r WatchResponse) {
	if len(s.out) == 0 {
		h.talked = append(h.talked, s)
	}
	s.out = append(s.out, r)
}

// flush emits what the call has to say, one batch a stream.
func (h *Hub) flush(emit Emit) {
	for i, s := range h.talked {
		out := s.out
		s.out, h.talked[i] = nil, nil
		emit(s.id, out)
	}
	h.talked = h.talked[:0]
}

func pop[T any](s []*T) []*T {
	s[len(s)-1] = nil
	return s[:len(s)-1]
}
