package sim

import "github.com/holdfast-db/holdfast/mvcc"

// checkResponse holds every response against the model's history: W1 filter,
// W2 ordered, W3 unique, W4 atomic, W5 reliable, W6 resumable, W7 bookmarkable,
// W8 previous values, W9 creation and cancelling. A watcher's position in the
// history says what must come next, so one comparison sees most of them: the
// next event is the next change that matches, no other.
func (s *watchStream) checkResponse(r *mvcc.WatchResponse) {
	if r.ID == mvcc.NoWatchID && r.Created && len(s.denied) > 0 {
		at := s.denied[0]
		s.denied = s.denied[1:]
		at.refused("watches denied")
		return
	}
	if r.ID == -1 {
		for _, at := range s.watchers {
			if at.created {
				at.recordResponse(r)
				at.progress(r)
			}
		}
		return
	}
	if int(r.ID) >= len(s.watchers) || r.ID < 0 {
		s.broken("W1 responses name their watcher", nil, r, "unknown watcher")
	}
	at := s.watchers[r.ID]
	if r.Canceled && !r.Created && r.CompactRevision == 0 && s.user != "" {
		at.refused("watches ended by a permission")
		return
	}
	at.recordResponse(r)
	switch {
	case r.Created:
		at.start(r)
	case !at.created:
		s.broken("W9 creation comes first", at, r, "before the watcher was created")
	case r.Canceled:
		at.canceled(r)
	case len(r.Events) > 0:
		at.events(r)
	default:
		at.progress(r)
	}
}

func (s *watchStream) broken(check string, at *watcher, r *mvcc.WatchResponse, format string, args ...any) {
	text := ""
	if at != nil {
		text = at.text()
	}
	args = append([]any{s.index, r.ID, text}, args...)
	s.w.unsafe(check, uint8(s.node.id), "stream %d watcher %d %s: "+format, args...)
}

func (at *watcher) text() string {
	return string(at.request.Key) + "…" + string(at.request.End)
}

// start: a watch from now begins after the revision of its creation.
func (at *watcher) start(r *mvcc.WatchResponse) {
	if at.created {
		at.stream.broken("W9 creation comes once", at, r, "created twice")
	}
	at.created = true
	if at.from == 0 {
		at.from = r.Revision + 1
	}
	changes := at.stream.w.oracle.model.changes
	for at.next < len(changes) && changes[at.next].main < at.from {
		at.next++
	}
}

// matches tells whether the watcher wants a change.
func (at *watcher) matches(c *change) bool {
	q := &at.request
	return inSpan(c.kv.Key, q.Key, q.End) && !(c.deleted && q.NoDelete) && !(!c.deleted && q.NoPut)
}

// skip moves over changes that don't match and returns the next that does.
func (at *watcher) skip() *change {
	changes := at.stream.w.oracle.model.changes
	for at.next < len(changes) {
		if c := &changes[at.next]; at.matches(c) {
			return c
		}
		at.next++
	}
	return nil
}

func (at *watcher) events(r *mvcc.WatchResponse) {
	s := at.stream
	for _, ev := range r.Events {
		want := at.skip()
		if want == nil {
			s.broken("W5 events are history", at, r, "event %s at %d behind all that was committed", kvText(&ev.KV), ev.KV.ModRevision)
		}
		at.checkEvent(r, ev, want)
		at.next++
		s.w.count.add("watch events")
		if want.main > r.Revision {
			s.broken("W2 events are not ahead of their header", at, r, "event at %d, header %d", want.main, r.Revision)
		}
		at.from = want.main // seen in part
	}
	at.partial = r.Fragment
	if !r.Fragment {
		if more := at.skip(); more != nil && more.main == at.from {
			s.broken("W4 a revision comes whole", at, r, "an event of revision %d is missing: %s", more.main, kvText(&more.kv))
		}
		at.from++
	}
	at.ordered(r)
}

func (at *watcher) checkEvent(r *mvcc.WatchResponse, ev *mvcc.Event, want *change) {
	s := at.stream
	if (ev.Type == mvcc.EventDelete) != want.deleted || !sameKV(&ev.KV, &want.kv) {
		s.broken("W3 W5 each event once and in order", at, r, "event %s, history has %s at %d", kvText(&ev.KV), kvText(&want.kv), want.main)
	}
	prev := s.w.oracle.model.at(string(want.kv.Key), want.main-1)
	switch {
	case !at.request.PrevKV || prev == nil:
		if ev.Prev != nil {
			s.broken("W8 previous values", at, r, "previous %s at %d, should have none", kvText(ev.Prev), want.main)
		}
	case ev.Prev == nil:
		if want.main-1 >= s.w.oracle.model.compact {
			s.broken("W8 previous values", at, r, "no previous value at %d, history has %s", want.main, kvText(prev))
		}
	case !sameKV(ev.Prev, prev):
		s.broken("W8 previous values", at, r, "previous %s at %d, history has %s", kvText(ev.Prev), want.main, kvText(prev))
	}
}

// progress promises that all events up to the revision were delivered.
func (at *watcher) progress(r *mvcc.WatchResponse) {
	if c := at.skip(); c != nil && c.main <= r.Revision {
		at.stream.broken("W7 progress tells the truth", at, r, "progress %d, but the event at %d did not come: %s", r.Revision, c.main, kvText(&c.kv))
	}
	at.ordered(r)
	at.from = max(at.from, r.Revision+1)
	at.stream.w.count.add("watch progress")
}

func (at *watcher) ordered(r *mvcc.WatchResponse) {
	if r.Revision < at.heard {
		at.stream.broken("W2 headers don't go back", at, r, "revision %d after %d", r.Revision, at.heard)
	}
	at.heard = r.Revision
}

// canceled: the only reason here is history that is truly compacted.
func (at *watcher) canceled(r *mvcc.WatchResponse) {
	s := at.stream
	if r.CompactRevision == 0 || r.CompactRevision > s.w.oracle.model.compact || at.from >= r.CompactRevision {
		s.broken("W9 cancelled only if compacted", at, r, "cancelled with compact revision %d (%s); it was at %d, the model is compacted at %d",
			r.CompactRevision, r.CancelReason, at.from, s.w.oracle.model.compact)
	}
	s.w.count.add("watches cancelled by compaction")
	at.from, at.partial = r.CompactRevision, false
	changes := s.w.oracle.model.changes
	for at.next < len(changes) && changes[at.next].main < at.from {
		at.next++
	}
	s.create(at)
}

// caughtUp tells whether all events up to now were delivered.
func (at *watcher) caughtUp() bool { return at.skip() == nil }

func (s *watchStream) caughtUp() bool {
	if s.node == nil {
		return false
	}
	for _, at := range s.watchers {
		if !at.created || !at.caughtUp() {
			return false
		}
	}
	return true
}
