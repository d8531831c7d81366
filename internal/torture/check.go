package torture

import (
	"fmt"
	"slices"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// record is all that a round left behind to be judged.
type record struct {
	Base         []lin.KeyValue
	BaseRevision int64
	Last         int64
	Operations   []lin.Operation
	Watchers     []*watcher
	Evidence     []evidence
}

// The checks of this file know nothing of models and orders. They are short so that one can see that they are right,
// and they share no code with package linearizability, which judges the same record by other means.
var checks = []struct {
	name  string
	check func(*record) error
}{
	{"acknowledged", checkAcknowledged},
	{"nothing invented", checkNothingInvented},
	{"members", checkMembers},
	{"state", checkState},
	{"watches", checkWatchers},
}

// checkAcknowledged: what a client was told stands in the log, at the revision that it was told.
func checkAcknowledged(r *record) error {
	at := map[int64][]lin.Change{}
	for _, c := range r.Evidence[0].Log {
		at[c.KV.Mod] = append(at[c.KV.Mod], c)
	}
	for _, op := range r.Operations {
		if op.Response.Outcome != lin.OK {
			continue
		}
		for _, want := range promised(op) {
			if !slices.ContainsFunc(at[op.Response.Revision], func(c lin.Change) bool {
				return c.KV.Key == want.KV.Key && c.Deleted == want.Deleted && c.KV.Value == want.KV.Value
			}) {
				return fmt.Errorf("client %d was told by %s at revision %d of %v; the log has %v there",
					op.Client, op.Member, op.Response.Revision, want, at[op.Response.Revision])
			}
		}
	}
	return nil
}

// promised lists the changes that an acknowledged operation claims to have made.
func promised(op lin.Operation) []lin.Change {
	if op.Request.Kind != lin.Txn {
		return promise(op.Request, op.Response)
	}
	branch := op.Request.Else
	if op.Response.Succeeded {
		branch = op.Request.Then
	}
	var out []lin.Change
	for i, inner := range branch {
		out = append(out, promise(inner, op.Response.Responses[i])...)
	}
	return out
}

func promise(r lin.Request, response lin.Response) []lin.Change {
	switch {
	case r.Kind == lin.Put:
		return []lin.Change{{KV: lin.KeyValue{Key: r.Key, Value: r.Value}}}
	case r.Kind == lin.Delete && response.Deleted > 0: // of one key: writers delete no ranges
		return []lin.Change{{KV: lin.KeyValue{Key: r.Key}, Deleted: true}}
	}
	return nil
}

// checkNothingInvented: values are unique, so a value that stands twice was applied twice, and one that nobody
// sent, or that was refused for good, came from nowhere.
func checkNothingInvented(r *record) error {
	sent := map[string]bool{}
	for _, op := range r.Operations {
		for _, request := range slices.Concat([]lin.Request{op.Request}, op.Request.Then, op.Request.Else) {
			if request.Kind == lin.Put {
				sent[request.Value] = true
			}
		}
	}
	seen := map[string]int64{}
	for _, c := range r.Evidence[0].Log {
		if c.Deleted {
			continue
		}
		if !sent[c.KV.Value] {
			return fmt.Errorf("revision %d put %s=%s, which nobody asked for or which was refused", c.KV.Mod, c.KV.Key, c.KV.Value)
		}
		if first, twice := seen[c.KV.Value]; twice {
			return fmt.Errorf("%s was applied twice: at revisions %d and %d", c.KV.Value, first, c.KV.Mod)
		}
		seen[c.KV.Value] = c.KV.Mod
	}
	return nil
}

// checkMembers: every member tells the same story, and hashes to the same number.
func checkMembers(r *record) error {
	first := r.Evidence[0]
	for _, other := range r.Evidence[1:] {
		if i := firstDifference(first.Log, other.Log); i >= 0 {
			return fmt.Errorf("change %d of the log: %s has %v, %s has %v", i, first.Member, at(first.Log, i), other.Member, at(other.Log, i))
		}
		if !slices.Equal(first.State, other.State) {
			return fmt.Errorf("%s and %s hold different keys at revision %d", first.Member, other.Member, r.Last)
		}
		if first.Hash != other.Hash {
			return fmt.Errorf("HashKV at %d: %s %d, %s %d", r.Last, first.Member, first.Hash, other.Member, other.Hash)
		}
	}
	return nil
}

// checkState: what is stored is what the log leads to from the base.
func checkState(r *record) error {
	m := newMirror(r.Base)
	for _, c := range r.Evidence[0].Log {
		m.apply(c)
	}
	if want := m.sorted(); !slices.Equal(want, r.Evidence[0].State) {
		return fmt.Errorf("replaying the log gives %d keys, the store holds %d, or their versions differ", len(want), len(r.Evidence[0].State))
	}
	return nil
}

// checkWatchers: each watcher saw all changes of its keys, each once, in order, with the value before.
func checkWatchers(r *record) error {
	m := newMirror(r.Base)
	var all []lin.Change
	for _, c := range r.Evidence[0].Log {
		c.Prev = m.apply(c)
		all = append(all, c)
	}
	for i, w := range r.Watchers {
		want := slices.DeleteFunc(slices.Clone(all), func(c lin.Change) bool { return !w.covers(c.KV.Key) })
		got := w.changes()
		if n := firstDifference(want, got); n >= 0 {
			return fmt.Errorf("watcher %d of [%q, %q), event %d of %d: saw %v, want %v", i, w.key, w.end, n, len(want), at(got, n), at(want, n))
		}
	}
	return nil
}

func (w *watcher) covers(key string) bool {
	if w.end == "" {
		return key == w.key
	}
	return key >= w.key && key < w.end
}

// changes is all that the watcher saw, over all its streams.
func (w *watcher) changes() (out []lin.Change) {
	for _, s := range w.streams {
		for _, r := range s.Responses {
			out = append(out, r.Changes...)
		}
	}
	return out
}

// firstDifference is the index of the first change that differs, −1 if none does.
func firstDifference(a, b []lin.Change) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || !sameChange(a[i], b[i]) {
			return i
		}
	}
	return -1
}

func sameChange(a, b lin.Change) bool {
	if a.KV != b.KV || a.Deleted != b.Deleted || (a.Prev == nil) != (b.Prev == nil) {
		return false
	}
	return a.Prev == nil || *a.Prev == *b.Prev
}

func at(log []lin.Change, i int) any {
	if i >= len(log) {
		return "nothing"
	}
	return log[i]
}
