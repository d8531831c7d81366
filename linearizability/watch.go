package linearizability

import "fmt"

const watchCheck = "watch"

// Watch is one watcher, from its creation to its end.
type Watch struct {
	Client int `json:"client"`
	// Key and End name the keys as in Request.
	Key string `json:"key,omitempty"`
	End string `json:"end,omitempty"`
	// Start is the revision asked for; 0: from now on.
	Start      int64 `json:"start,omitempty"`
	PrevKV     bool  `json:"prev_kv,omitempty"`
	Fragment   bool  `json:"fragment,omitempty"`
	NoPuts     bool  `json:"no_puts,omitempty"`
	NoDeletes  bool  `json:"no_deletes,omitempty"`
	CreateCall int64 `json:"create_call,omitempty"` // time of the request
	// Created is the header revision of the answer to it: a watcher from now on
	// sees what comes after. 0: it was never created.
	Created   int64           `json:"created,omitempty"`
	Responses []WatchResponse `json:"responses,omitempty"`
	// MustReach, if not 0, is a revision up to which all events must have come
	// when the recording ended, e.g. the last one, some time after all faults
	// were healed.
	MustReach int64 `json:"must_reach,omitempty"`
}

// WatchResponse is one message to a watcher. Without events it is a progress
// notification: all events up to Revision have been sent.
type WatchResponse struct {
	Time     int64    `json:"time"`
	Revision int64    `json:"revision"` // of the header
	Events   []Change `json:"events,omitempty"`
	// Fragment: the rest of the same revision follows in the next response.
	Fragment bool `json:"fragment,omitempty"`
	// Canceled ends the watcher; Compacted, if not 0, is the reason: the
	// revision below which history is gone.
	Canceled  bool  `json:"canceled,omitempty"`
	Compacted int64 `json:"compacted,omitempty"`
}

// last is the newest revision that the response proves to exist.
func (r *WatchResponse) last() int64 {
	if n := len(r.Events); n > 0 {
		return max(r.Revision, r.Events[n-1].KV.Mod)
	}
	return r.Revision
}

// checkWatches holds every watcher against the replay: it must have got exactly
// the changes of its keys, from its start on, in order. In etcd's words ("API
// guarantees"; the numbers are this project's):
//
//	W1 filter      only keys and kinds of change that were asked for
//	W2 ordered     revisions never fall
//	W3 unique      no event twice
//	W4 atomic      the events of a revision come in one response
//	W5 reliable    no event of a subsequence is left out
//	W6 resumable   the first event is the first one from Start on
//	W7 bookmarkable  a progress notification comes after all it covers
//	W8 prev_kv     is the version before
//	W9 is-create   an event tells creation from change
//
// and a watcher is cancelled as compacted only if it is.
func checkWatches(h *History, replay *Replay) Verdict {
	compacted := gatherCompactions(h)
	for i := range h.Watches {
		c := watchChecker{w: &h.Watches[i], replay: replay, compacted: compacted}
		if problem := c.check(); problem != "" {
			v := violated(watchCheck, nil, "watcher %d of client %d on %s from %d: %s",
				i, c.w.Client, span(c.w.Key, c.w.End), c.start(), problem)
			v.Watch = i
			return v
		}
	}
	return holds(watchCheck)
}

// watchChecker walks the replay and the responses of one watcher side by side.
type watchChecker struct {
	w         *Watch
	replay    *Replay
	compacted *compactions
	rest      []Change // of the replay, not yet delivered; unfiltered
	last      int64    // revision of the last event
	progress  int64    // revision up to which all was said to be sent
	open      int64    // revision of which a fragment is still to come
	ended     bool
}

func (c *watchChecker) start() int64 {
	if c.w.Start > 0 {
		return c.w.Start
	}
	return c.w.Created + 1
}

func (c *watchChecker) check() string {
	if c.w.Created == 0 && c.w.Start == 0 && len(c.w.Responses) == 0 {
		return "" // never came to be
	}
	c.rest = c.replay.From(c.start())
	for i := range c.w.Responses {
		if problem := c.response(&c.w.Responses[i]); problem != "" {
			return fmt.Sprintf("response %d: %s", i, problem)
		}
	}
	if c.w.MustReach > 0 && !c.ended {
		if missed := c.next(); missed != nil && missed.KV.Mod <= c.w.MustReach {
			return fmt.Sprintf("W5 reliable: when it ended, %v had not come, though all up to %d must have", missed, c.w.MustReach)
		}
	}
	return ""
}

// wants tells whether the watcher asked for a change.
func (c *watchChecker) wants(change *Change) bool {
	return inRange(change.KV.Key, c.w.Key, c.w.End) &&
		!(change.Deleted && c.w.NoDeletes) && !(!change.Deleted && c.w.NoPuts)
}

// next is the change that must be delivered next, nil if there is none.
func (c *watchChecker) next() *Change {
	for len(c.rest) > 0 && !c.wants(&c.rest[0]) {
		c.rest = c.rest[1:]
	}
	if len(c.rest) == 0 {
		return nil
	}
	return &c.rest[0]
}

func (c *watchChecker) response(r *WatchResponse) string {
	switch {
	case c.ended:
		return "it came after the watcher was cancelled"
	case r.Canceled:
		c.ended = true
		return c.canceled(r)
	case len(r.Events) == 0:
		return c.bookmark(r)
	}
	first := r.Events[0].KV.Mod
	if due := c.next(); first == c.last && c.open != c.last && due != nil && due.KV == r.Events[0].KV {
		return fmt.Sprintf("W4 atomic: revision %d continues, which another response had begun", first)
	}
	for i := range r.Events {
		if problem := c.event(&r.Events[i]); problem != "" {
			return problem
		}
	}
	if r.Revision < c.last {
		return fmt.Sprintf("its header has revision %d, its events reach %d", r.Revision, c.last)
	}
	c.open = 0
	if r.Fragment {
		c.open = c.last
		if !c.w.Fragment {
			return "W4 atomic: a fragment, which it had not asked for"
		}
	}
	if missed := c.next(); missed != nil && missed.KV.Mod == c.last && !r.Fragment {
		return fmt.Sprintf("W4 atomic: it ends within revision %d, without %v", c.last, missed)
	}
	return ""
}

// event compares one event with the change that is due, and names what is
// wrong if they differ.
func (c *watchChecker) event(e *Change) string {
	due := c.next()
	if due != nil && due.KV == e.KV && due.Deleted == e.Deleted {
		c.rest = c.rest[1:]
		c.last = e.KV.Mod
		if c.last <= c.progress {
			return fmt.Sprintf("W7 bookmarkable: %v came after the progress notification of %d", e, c.progress)
		}
		return c.previous(e, due)
	}
	known := c.lookUp(e)
	switch {
	case !c.wants(e):
		return fmt.Sprintf("W1 filter: %v was not asked for", e)
	case e.KV.Mod < c.start():
		return fmt.Sprintf("W6 resumable: %v is older than the start", e)
	case known == nil:
		return fmt.Sprintf("%v never happened%s", e, c.instead(e))
	case e.KV.Mod < c.last:
		return fmt.Sprintf("W2 ordered: %v came after revision %d", e, c.last)
	case due == nil || due.KV.Mod > e.KV.Mod:
		return fmt.Sprintf("W3 unique: %v came a second time", e)
	case due.KV.Mod == e.KV.Mod:
		return fmt.Sprintf("W2 ordered: %v came where %v was due", e, due)
	}
	return fmt.Sprintf("W5 reliable: %v came, %v before it did not", e, due)
}

// lookUp finds the event among what happened.
func (c *watchChecker) lookUp(e *Change) *Change {
	changes := c.replay.At(e.KV.Mod)
	for i := range changes {
		if changes[i].KV == e.KV && changes[i].Deleted == e.Deleted {
			return &changes[i]
		}
	}
	return nil
}

// instead says what the revision did to the key of an event that never happened.
func (c *watchChecker) instead(e *Change) string {
	for _, change := range c.replay.At(e.KV.Mod) {
		switch {
		case change.KV.Key != e.KV.Key:
		case (change.KV.Create == change.KV.Mod) != (e.KV.Create == e.KV.Mod) && !e.Deleted && !change.Deleted:
			return fmt.Sprintf(", W9 is-create: it was %v", change)
		default:
			return fmt.Sprintf(", it was %v", change)
		}
	}
	return ""
}

// previous checks prev_kv. A version that may have been compacted away may be
// missing, never different.
func (c *watchChecker) previous(e, due *Change) string {
	switch {
	case !c.w.PrevKV && e.Prev != nil:
		return fmt.Sprintf("W8 prev_kv: %v brought one, which was not asked for", e)
	case !c.w.PrevKV:
	case e.Prev == nil && due.Prev != nil && c.compacted.possible(Never) < e.KV.Mod:
		return fmt.Sprintf("W8 prev_kv: %v came without {%v}", e, due.Prev)
	case e.Prev != nil && (due.Prev == nil || *due.Prev != *e.Prev):
		return fmt.Sprintf("W8 prev_kv: %v came with {%v}, before it was %v", e, e.Prev, due.Prev)
	}
	return ""
}

// bookmark checks a progress notification.
func (c *watchChecker) bookmark(r *WatchResponse) string {
	due := c.next()
	switch {
	case c.open != 0:
		return fmt.Sprintf("W4 atomic: progress within revision %d", c.open)
	case r.Revision < c.progress || r.Revision < c.last:
		return fmt.Sprintf("W7 bookmarkable: progress fell to %d, from %d", r.Revision, max(c.progress, c.last))
	case r.Revision < c.start()-1:
		return fmt.Sprintf("W6 resumable: progress of %d to a watcher that starts later", r.Revision)
	case due != nil && due.KV.Mod <= r.Revision:
		return fmt.Sprintf("W7 bookmarkable: progress says %d, but %v has not come", r.Revision, due)
	}
	c.progress = r.Revision
	return ""
}

// canceled checks the reason. One without Compacted is the client's own, or a
// matter of rights and limits that a history does not show.
func (c *watchChecker) canceled(r *WatchResponse) string {
	if r.Compacted == 0 {
		return ""
	}
	needed := max(c.start(), c.last+1, c.progress+1)
	switch {
	case !c.compacted.asked(r.Compacted, r.Time):
		return fmt.Sprintf("cancelled as compacted at %d, a revision that nobody had asked to compact", r.Compacted)
	case needed >= r.Compacted:
		return fmt.Sprintf("cancelled as compacted at %d, though it needed only %d and above", r.Compacted, needed)
	}
	return ""
}
