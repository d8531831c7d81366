package linearizability

import (
	"cmp"
	"slices"
)

// evidence is what was seen of each revision by anybody: the whole of it if
// there is a log, else the keys that replies and watch events carry.
type evidence struct {
	complete bool
	changes  map[int64][]Change // sorted by key, a key once
	last     int64
}

func gatherEvidence(h *History) evidence {
	e := evidence{complete: h.Log != nil, changes: map[int64][]Change{}, last: h.baseRevision()}
	if e.complete {
		for _, c := range h.Log {
			e.note(c)
		}
	} else {
		for i := range h.Operations {
			e.noteResponse(&h.Operations[i].Response)
		}
		for i := range h.Watches {
			e.noteWatch(&h.Watches[i])
		}
	}
	for _, changes := range e.changes {
		slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.KV.Key, b.KV.Key) })
	}
	return e
}

func (e *evidence) note(c Change) {
	c.Prev = nil
	known := e.changes[c.KV.Mod]
	for i := range known {
		if known[i].KV.Key == c.KV.Key {
			return
		}
	}
	e.changes[c.KV.Mod] = append(known, c)
	e.last = max(e.last, c.KV.Mod)
}

// noteResponse leaves out what was read without values.
func (e *evidence) noteResponse(r *Response) {
	if r.Outcome == Failed {
		return
	}
	for _, kvs := range [...][]KeyValue{r.KVs, r.Prev} {
		for _, kv := range kvs {
			if kv.Value != "" {
				e.note(Change{KV: kv})
			}
		}
	}
	for i := range r.Responses {
		e.noteResponse(&r.Responses[i])
	}
}

func (e *evidence) noteWatch(w *Watch) {
	for i := range w.Responses {
		for _, event := range w.Responses[i].Events {
			e.note(event)
			if event.Prev != nil {
				e.note(Change{KV: *event.Prev})
			}
		}
	}
}

func (e *evidence) at(revision int64) []Change { return e.changes[revision] }

// fits tells whether changes can be what was seen of a revision: exactly that
// if the log says it, at least that otherwise.
func (e *evidence) fits(revision int64, changes []Change) bool {
	seen := e.changes[revision]
	if e.complete && len(seen) != len(changes) {
		return false
	}
	if len(seen) > len(changes) {
		return false
	}
	for i := range seen {
		if !slices.ContainsFunc(changes, func(c Change) bool { return c.Deleted == seen[i].Deleted && c.KV == seen[i].KV }) {
			return false
		}
	}
	return true
}
