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

// pending holds the operations that may have made a revision without anybody
// having been told: ambiguous writes, and ends of leases.
type pending struct {
	h      *History
	byKey  map[string][]int // operations on one key, by call
	wide   []int            // on several
	placed map[int]bool
}

func newPending(h *History) *pending {
	p := &pending{h: h, byKey: map[string][]int{}, placed: map[int]bool{}}
	var open []int
	for i := range h.Operations {
		op := &h.Operations[i]
		revoked := op.Request.Kind == Revoke && op.Response.Outcome == OK
		if op.Response.Outcome == Ambiguous && op.Request.Kind != Range || revoked {
			open = append(open, i)
		}
	}
	// Of operations that do the same, the earliest call goes first: it leaves
	// the later ones for revisions that came later.
	slices.SortStableFunc(open, func(a, b int) int { return cmp.Compare(h.Operations[a].Call, h.Operations[b].Call) })
	for _, i := range open {
		if r := &h.Operations[i].Request; (r.Kind == Put || r.Kind == Delete) && r.End == "" {
			p.byKey[r.Key] = append(p.byKey[r.Key], i)
		} else {
			p.wide = append(p.wide, i)
		}
	}
	return p
}

// candidates are the operations not yet placed that might change the key, the
// earliest call first, on one key or on several alike.
func (p *pending) candidates(key string) []int {
	all := append(slices.Clone(p.byKey[key]), p.wide...)
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(p.h.Operations[a].Call, p.h.Operations[b].Call) })
	return all
}

// place takes an operation out: it has happened.
func (p *pending) place(i int) {
	p.placed[i] = true
	is := func(j int) bool { return j == i }
	r := &p.h.Operations[i].Request
	p.byKey[r.Key] = slices.DeleteFunc(p.byKey[r.Key], is)
	p.wide = slices.DeleteFunc(p.wide, is)
}
