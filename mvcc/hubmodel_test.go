package mvcc_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/mvcc"
)

// hubModel checks what a hub sends against the oracle's log: each watcher gets
// every change that it asked for once, in order, whole revisions only, never
// before its start, with the version before unless that is compacted, and is
// cancelled only if it was behind a compaction.
type hubModel struct {
	hub       *mvcc.Hub
	o         *oracle
	published int64
	streams   map[mvcc.StreamID]*streamModel
}

type streamModel struct {
	credit   mvcc.Credit
	watchers map[mvcc.WatchID]*watchModel
	used     map[mvcc.WatchID]bool
}

type watchModel struct {
	req      *mvcc.WatchRequest
	start    int64
	pos      int   // changes of the log that were dealt with
	reached  int64 // a revision that its position has surely reached
	progress int64 // told to have everything up to here
	torn     bool  // in the middle of fragments
}

const (
	modelFragmentBytes = 200
	modelStreams       = 3
)

func newHubModel(s *mvcc.Store, o *oracle) *hubModel {
	h := &hubModel{hub: mvcc.NewHub(s, mvcc.HubOptions{FragmentBytes: modelFragmentBytes}), o: o,
		published: s.Revision(), streams: map[mvcc.StreamID]*streamModel{}}
	return h
}

func (h *hubModel) drawStream(t *rapid.T) mvcc.StreamID {
	return mvcc.StreamID(rapid.IntRange(1, modelStreams).Draw(t, "stream"))
}

func (h *hubModel) openClose(t *rapid.T) {
	id := h.drawStream(t)
	if h.streams[id] == nil {
		h.hub.Open(id)
		h.streams[id] = &streamModel{watchers: map[mvcc.WatchID]*watchModel{}, used: map[mvcc.WatchID]bool{}}
		return
	}
	if drawBool(t, "close") {
		h.hub.Close(id)
		delete(h.streams, id)
	}
}

func (h *hubModel) grant(t *rapid.T) {
	id := h.drawStream(t)
	more := mvcc.Credit{Responses: rapid.IntRange(0, 4).Draw(t, "responses"), Bytes: rapid.IntRange(0, 800).Draw(t, "bytes")}
	h.hub.Grant(id, more)
	if s := h.streams[id]; s != nil {
		s.credit.Responses += more.Responses
		s.credit.Bytes += more.Bytes
	}
}

func (h *hubModel) create(t *rapid.T) {
	id := h.drawStream(t)
	s := h.streams[id]
	q := &mvcc.WatchRequest{Key: drawKey(t), End: drawEnd(t), ID: mvcc.WatchID(rapid.IntRange(-1, 3).Draw(t, "id")),
		PrevKV: rapid.Bool().Draw(t, "prev"), NoPut: drawBool(t, "no put"), NoDelete: drawBool(t, "no delete"),
		ProgressNotify: rapid.Bool().Draw(t, "progress"), Fragment: rapid.Bool().Draw(t, "fragment")}
	if rapid.Bool().Draw(t, "from") {
		q.StartRevision = drawRevision(t, h.o)
	}
	got := h.hub.Create(id, q)
	if s == nil {
		if got != nil {
			t.Fatalf("a closed stream got %v", got)
		}
		return
	}
	if want := h.refusal(s, q); want != nil {
		if len(got) != 1 || got[0].ID != mvcc.NoWatchID || !got[0].Created || !got[0].Canceled ||
			got[0].CancelReason != want.Error() || got[0].CompactRevision != 0 {
			t.Fatalf("create %+v: got %+v, want refusal %v", q, got, want)
		}
		return
	}
	watch := got[0].ID
	if !got[0].Created || got[0].Canceled || s.watchers[watch] != nil || q.ID >= 0 && watch != q.ID || q.ID < 0 && watch < 0 {
		t.Fatalf("create %+v: got %+v", q, got)
	}
	if q.StartRevision != 0 && q.StartRevision < h.o.compacted {
		if len(got) != 2 || got[1].ID != watch || !got[1].Canceled || got[1].Created ||
			got[1].CompactRevision != h.o.compacted || got[1].CancelReason != "" {
			t.Fatalf("create %+v below compaction %d: got %+v", q, h.o.compacted, got)
		}
		return
	}
	if len(got) != 1 {
		t.Fatalf("create %+v: got %+v", q, got)
	}
	w := &watchModel{req: q, start: q.StartRevision}
	if w.start == 0 {
		w.start = h.o.rev + 1
	}
	s.watchers[watch] = w
}

func (h *hubModel) refusal(s *streamModel, q *mvcc.WatchRequest) error {
	switch {
	case q.StartRevision < 0:
		return mvcc.ErrCompacted
	case len(q.End) > 0 && string(q.End) != "\x00" && string(q.Key) >= string(q.End):
		return mvcc.ErrWatcherRange
	case q.ID != mvcc.AutoWatchID && s.watchers[q.ID] != nil:
		return mvcc.ErrDuplicateWatch
	}
	return nil
}

func (h *hubModel) cancel(t *rapid.T) {
	id, watch := h.drawStream(t), mvcc.WatchID(rapid.IntRange(0, 3).Draw(t, "id"))
	got := h.hub.Cancel(id, watch)
	if s := h.streams[id]; s == nil || s.watchers[watch] == nil {
		if got != nil {
			t.Fatalf("cancel of an unknown watcher: %+v", got)
		}
		return
	}
	if len(got) != 1 || got[0].ID != watch || !got[0].Canceled || got[0].CompactRevision != 0 || got[0].CancelReason != "" {
		t.Fatalf("cancel: %+v", got)
	}
	delete(h.streams[id].watchers, watch)
}

func (h *hubModel) publish(t *rapid.T) {
	h.published = h.o.rev
	h.hub.Publish(h.emit(t))
	h.settled()
}

func (h *hubModel) step(t *rapid.T) {
	h.hub.Step(rapid.IntRange(1, 20).Draw(t, "budget"), h.emit(t))
	h.settled()
}

// settled notes that nobody is behind: no compaction up to here may cancel.
func (h *hubModel) settled() {
	if h.hub.Behind() == 0 {
		for _, s := range h.streams {
			for _, w := range s.watchers {
				w.reached = max(w.reached, h.published+1)
			}
		}
	}
}

func (h *hubModel) beforeCompact() { h.settled() }

func (h *hubModel) reset(s *mvcc.Store) {
	h.hub.Reset(s)
	h.published = h.o.rev
}

func (h *hubModel) requestProgress(t *rapid.T) {
	id := h.drawStream(t)
	h.checkProgress(t, id, h.hub.RequestProgress(id))
}

func (h *hubModel) checkProgress(t *rapid.T, id mvcc.StreamID, got []mvcc.WatchResponse) {
	if len(got) == 0 {
		return
	}
	s := h.streams[id]
	if len(got) != 1 || got[0].ID != mvcc.NoWatchID || got[0].Revision != h.published || s == nil || len(s.watchers) == 0 {
		t.Fatalf("progress: %+v", got)
	}
	for _, w := range s.watchers {
		h.told(t, w, got[0].Revision)
	}
}

// told checks that w, told that it has everything up to rev, does.
func (h *hubModel) told(t *rapid.T, w *watchModel, rev int64) {
	if w.req.StartRevision > rev {
		t.Fatalf("progress at %d for a watch from %d", rev, w.req.StartRevision)
	}
	if c := h.next(w); c != nil && c.ModRevision <= rev {
		t.Fatalf("progress at %d, but %+v of %+v didn't come", rev, *c, w.req)
	}
	w.progress = max(w.progress, rev)
}

func (h *hubModel) tick(t *rapid.T) { h.hub.ProgressTick(h.emit(t)) }

// next is the change that w must get next, nil if there is none yet.
func (h *hubModel) next(w *watchModel) *change {
	for ; w.pos < len(h.o.log); w.pos++ {
		c := &h.o.log[w.pos]
		if c.ModRevision >= w.start && within(c.Key, w.req.Key, w.req.End) &&
			!(c.deleted() && w.req.NoDelete) && !(!c.deleted() && w.req.NoPut) {
			return c
		}
	}
	return nil
}

func (h *hubModel) emit(t *rapid.T) mvcc.Emit {
	return func(id mvcc.StreamID, responses []mvcc.WatchResponse) {
		s := h.streams[id]
		if s == nil || len(responses) == 0 {
			t.Fatalf("stream %d got %v", id, responses)
		}
		for _, r := range responses {
			w := s.watchers[r.ID]
			switch {
			case w == nil || r.Created:
				t.Fatalf("stream %d got %+v", id, r)
			case r.Canceled:
				if pos := max(w.start, w.reached); pos >= h.o.compacted || r.CompactRevision != h.o.compacted || r.CancelReason != "" || w.torn {
					t.Fatalf("cancelled at %d with %d compacted: %+v", pos, h.o.compacted, r)
				}
				delete(s.watchers, r.ID)
			case len(r.Events) == 0:
				if !w.req.ProgressNotify || r.Revision != h.published || s.credit.Responses < 1 {
					t.Fatalf("progress %+v for %+v", r, w.req)
				}
				s.credit.Responses--
				h.told(t, w, r.Revision)
			default:
				h.events(t, s, w, r)
			}
		}
	}
}

// events checks a response with events.
func (h *hubModel) events(t *rapid.T, s *streamModel, w *watchModel, r mvcc.WatchResponse) {
	if !w.torn && (s.credit.Responses <= 0 || s.credit.Bytes <= 0) {
		t.Fatalf("sent without credit: %+v", s.credit)
	}
	size := 0
	for _, e := range r.Events {
		size += h.event(t, w, e)
	}
	s.credit.Responses--
	s.credit.Bytes -= size
	last := r.Events[len(r.Events)-1].KV.ModRevision
	if last > r.Revision || r.Revision != h.published {
		t.Fatalf("an event of %d in a response of %d, published %d", last, r.Revision, h.published)
	}
	c := h.next(w)
	goesOn := c != nil && c.ModRevision == last
	if goesOn != r.Fragment || r.Fragment && !w.req.Fragment {
		t.Fatalf("revision %d torn: goes on %v, %+v", last, goesOn, r)
	}
	single := r.Events[0].KV.ModRevision == last
	if size > modelFragmentBytes && len(r.Events) > 1 && (w.req.Fragment || !single) {
		t.Fatalf("%d events of %d bytes in one response", len(r.Events), size)
	}
	w.torn = r.Fragment
	w.reached = max(w.reached, last)
	if !r.Fragment {
		w.reached = last + 1
	}
}

// event checks one event and returns its size.
func (h *hubModel) event(t *rapid.T, w *watchModel, e *mvcc.Event) int {
	c := h.next(w)
	if c == nil {
		t.Fatalf("%+v got %v, nothing was due", w.req, e.KV)
	}
	w.pos++
	want := c.KeyValue
	typ := mvcc.EventPut
	if c.deleted() {
		want, typ = mvcc.KeyValue{Key: c.Key, ModRevision: c.ModRevision}, mvcc.EventDelete
	}
	if e.Type != typ || fmt.Sprint(e.KV) != fmt.Sprint(want) || c.ModRevision <= w.progress {
		t.Fatalf("%+v at progress %d got %v %v, want %v", w.req, w.progress, e.Type, e.KV, want)
	}
	size := len(e.KV.Key) + len(e.KV.Value) + 64
	var prev string
	created := !c.deleted() && c.CreateRevision == c.ModRevision
	if w.req.PrevKV && !created && c.ModRevision-1 >= h.o.compacted {
		prev = fmt.Sprint(h.o.find(c.Key, nil, c.ModRevision-1))
	}
	got := ""
	if e.Prev != nil {
		got = fmt.Sprint([]mvcc.KeyValue{*e.Prev})
		size += len(e.Prev.Key) + len(e.Prev.Value) + 64
	}
	if got != prev && !(got == "" && prev == "[]") {
		t.Fatalf("%v with %d compacted: previous %q, want %q", e.KV, h.o.compacted, got, prev)
	}
	return size
}

// settle gives everyone credit, and then everyone must get everything.
func (h *hubModel) settle(t *rapid.T) {
	plenty := mvcc.Credit{Responses: 1 << 30, Bytes: 1 << 40}
	ids := make([]mvcc.StreamID, 0, modelStreams)
	for id, s := range h.streams {
		h.hub.Grant(id, plenty)
		s.credit.Responses += plenty.Responses
		s.credit.Bytes += plenty.Bytes
		ids = append(ids, id)
	}
	h.publish(t)
	budget := rapid.IntRange(1, 50).Draw(t, "budget")
	for n := 0; h.hub.Step(budget, h.emit(t)); n++ {
		if n > 10_000 {
			t.Fatalf("%d watchers don't catch up", h.hub.Behind())
		}
	}
	h.settled()
	slices.Sort(ids)
	for _, id := range ids {
		s := h.streams[id]
		complete := len(s.watchers) > 0
		for _, w := range s.watchers {
			if c := h.next(w); c != nil {
				t.Fatalf("%+v never got %+v", w.req, *c)
			}
			complete = complete && w.req.StartRevision <= h.published
		}
		got := h.hub.RequestProgress(id)
		if complete != (len(got) == 1) {
			t.Fatalf("progress of a complete stream (%v): %+v", complete, got)
		}
		h.checkProgress(t, id, got)
		h.hub.Grant(id, mvcc.Credit{Responses: -s.credit.Responses, Bytes: -s.credit.Bytes})
		s.credit = mvcc.Credit{}
	}
	if h.hub.Behind() != 0 {
		t.Fatalf("%d watchers behind", h.hub.Behind())
	}
}
