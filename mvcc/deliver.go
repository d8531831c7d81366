package mvcc

// hit is a change that some watcher wants, with its events made on demand: one
// with and one without the version before, whoever shares them.
type hit struct {
	rec   record
	event [2]*Event
}

// Publish offers what was applied since the last call to every watcher that is
// not behind. Whoever lacks credit falls behind. Call it after each batch.
func (h *Hub) Publish(emit Emit) {
	from, to := h.published+1, h.store.rev
	if from > to {
		return
	}
	if h.count == len(h.behind) {
		h.published, h.liveGen = to, -1
		return
	}
	h.pass++
	h.gather(h.liveCursor(from), to, 0, func(g *group) int { return len(g.watchers) - g.behind })
	h.published = to
	for _, g := range h.groups {
		for _, w := range g.watchers {
			if !w.behind {
				h.deliver(w, w.cursor)
			}
		}
	}
	h.endPass(emit)
}

// liveCursor is where the last publication ended.
func (h *Hub) liveCursor(from int64) *cursor {
	ext := h.store.log.extent()
	if h.liveGen == h.store.log.generation {
		h.live.ext = ext
	} else {
		h.live, h.liveGen = ext.seek(from), h.store.log.generation
	}
	return &h.live
}

// Step serves watchers that are behind: it takes the next one in turn whose
// stream has credit, reads on from its cursor for about budget records and
// events, and lets all others that are within that stretch of history have it
// too. Whole revisions only. It tells whether there is more that credit allows.
func (h *Hub) Step(budget int, emit Emit) (more bool) {
	h.cancelCompacted()
	if w := h.next(); w != nil {
		h.pass++
		from := w.cursor
		cur := h.store.log.extent().seek(from)
		end := h.gather(&cur, h.published, max(budget, 1), func(g *group) int { return g.behind })
		for _, g := range h.groups {
			for _, w := range g.watchers {
				if w.behind && from <= w.cursor && w.cursor <= end {
					h.deliver(w, w.cursor)
				}
			}
		}
		h.advance(from, end)
		h.endPass(nil)
	}
	h.flush(emit)
	return h.next() != nil
}

// next returns the watcher whose turn it is: behind, with credit.
func (h *Hub) next() *watcher {
	n := len(h.behind)
	for i := range n {
		at := (h.turn + i) % n
		if h.behind[at].stream.credit.some() {
			h.turn = at
			return h.behind[at]
		}
	}
	return nil
}

// cancelCompacted ends the watchers that compaction has overtaken: events that
// they had still to get may be gone. One that is at exactly the compacted
// revision goes on, for everything from there is kept.
func (h *Hub) cancelCompacted() {
	for i := len(h.behind) - 1; i >= 0; i-- {
		if w := h.behind[i]; w.cursor < h.store.compacted {
			h.remove(w)
			h.say(w.stream, h.compactedResponse(w.id))
		}
	}
}

// advance moves the watchers that took part in a pass over [from, end] to
// beyond it, except those that were stopped in it, and passes the turn on.
func (h *Hub) advance(from, end int64) {
	h.turn++
	for i := len(h.behind) - 1; i >= 0; i-- {
		w := h.behind[i]
		if w.cursor < from || w.cursor > end || w.stalled == h.pass {
			continue
		}
		w.cursor = end + 1
		if w.cursor > h.published {
			h.catchUp(w)
		}
	}
}

// gather reads the records from c on up to revision to and notes in each group
// the hits on it; groups for which weight is 0 don't care. It stops after the
// revision in which budget (0: none), counted as one a record and one for each
// watcher of a hit, is spent, and returns the last revision that it read, or to.
func (h *Hub) gather(c *cursor, to int64, budget int, weight func(*group) int) int64 {
	spent, last := 0, int64(0)
	for {
		before := *c
		r, _, ok := c.next()
		if !ok || r.rev.Main > to {
			*c = before
			return to
		}
		if budget > 0 && spent >= budget && r.rev.Main != last {
			*c = before
			return last
		}
		spent++
		last = r.rev.Main
		n := len(h.hits)
		h.index.visit(r.key, func(g *group) {
			cost := weight(g)
			if cost == 0 {
				return
			}
			spent += cost
			if len(h.hits) == n {
				h.hits = append(h.hits, hit{rec: r})
			}
			if len(g.hits) == 0 {
				h.groups = append(h.groups, g)
			}
			g.hits = append(g.hits, n)
		})
	}
}

// endPass forgets the pass's hits.
func (h *Hub) endPass(emit Emit) {
	for i, g := range h.groups {
		g.hits, g.parts, g.built = g.hits[:0], [variants][]part{}, [variants]bool{}
		h.groups[i] = nil
	}
	clear(h.hits)
	h.groups, h.hits = h.groups[:0], h.hits[:0]
	if emit != nil {
		h.flush(emit)
	}
}

// deliver sends w the pass's events from revision from on, as far as credit
// goes. If it ends early, w is behind at the first revision it didn't get.
func (h *Hub) deliver(w *watcher, from int64) {
	for _, p := range h.partsOf(w, from) {
		// The fragments of one revision belong together.
		if !w.torn && !w.stream.credit.some() {
			w.stalled = h.pass
			if w.behind {
				w.cursor = p.rev
			} else {
				h.fallBehind(w, p.rev)
			}
			return
		}
		w.stream.credit.Responses--
		w.stream.credit.Bytes -= p.bytes
		w.sent, w.torn = true, p.fragment
		h.say(w.stream, WatchResponse{ID: w.id, Events: p.events, Fragment: p.fragment, Revision: h.published})
	}
}

// partsOf returns the pass's events for w from revision from on. Watchers of a
// group that want the same share them.
func (h *Hub) partsOf(w *watcher, from int64) []part {
	g := w.group
	if h.hits[g.hits[0]].rec.rev.Main < from {
		return h.build(g, w.want, from)
	}
	if !g.built[w.want] {
		g.parts[w.want], g.built[w.want] = h.build(g, w.want, from), true
	}
	return g.parts[w.want]
}

// build makes the events of g that a variant wants from revision from on.
func (h *Hub) build(g *group, want variant, from int64) []part {
	var events []*Event
	for _, i := range g.hits {
		hit := &h.hits[i]
		if hit.rec.rev.Main >= from && !want.skips(hit.eventType()) {
			events = append(events, h.eventOf(hit, want&wantPrev != 0))
		}
	}
	return split(events, h.limit, want&fragment != 0)
}

func (t *hit) eventType() EventType {
	if t.rec.tombstone() {
		return EventDelete
	}
	return EventPut
}

// eventOf makes the event of a hit, or returns the one made before.
func (h *Hub) eventOf(t *hit, prev bool) *Event {
	form := 0
	if prev {
		form = 1
	}
	if t.event[form] == nil {
		e := &Event{Type: t.eventType(), KV: t.rec.kv()}
		if e.Type == EventDelete {
			e.KV = KeyValue{Key: t.rec.key, ModRevision: t.rec.rev.Main}
		}
		if prev {
			e.Prev = h.store.before(&t.rec)
		}
		t.event[form] = e
	}
	return t.event[form]
}

// before returns the version that a change replaced: what a read at the revision
// before it finds, and so nothing if that revision has been compacted.
func (s *Store) before(r *record) *KeyValue {
	created := !r.tombstone() && r.create == r.rev.Main
	if created || r.rev.Main-1 < s.compacted {
		return nil
	}
	it := s.tree.get(r.key)
	if it == nil {
		return nil
	}
	v, ok := it.versionAt(r.rev.Main - 1)
	if !ok || v.tombstone() {
		return nil
	}
	old := v.load()
	kv := old.kv()
	return &kv
}
