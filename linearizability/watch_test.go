package linearizability

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// watchHistory is a store with some changes, and one watcher of [a, z).
func watchHistory() (*History, *Watch) {
	h := &History{Operations: []Operation{
		put(1, 0, 1, "a", "1", 2),
		put(1, 2, 3, "b", "1", 3),
		{Client: 1, Call: 4, Return: 5, Request: Request{Kind: Txn, Then: []Request{{Kind: Put, Key: "c", Value: "1"}, {Kind: Put, Key: "d", Value: "1"}}},
			Response: Response{Outcome: OK, Revision: 4, Succeeded: true, Responses: []Response{{}, {}}}},
		{Client: 1, Call: 6, Return: 7, Request: Request{Kind: Delete, Key: "a"}, Response: Response{Outcome: OK, Revision: 5, Deleted: 1}},
		put(1, 8, 9, "b", "2", 6),
	}}
	a, b := kv("a", "1", 2, 2, 1), kv("b", "1", 3, 3, 1)
	w := Watch{Key: "a", End: "z", Start: 2, PrevKV: true, MustReach: 6, Responses: []WatchResponse{
		{Time: 10, Revision: 2, Events: []Change{{KV: a}}},
		{Time: 11, Revision: 4, Events: []Change{{KV: b}, {KV: kv("c", "1", 4, 4, 1)}, {KV: kv("d", "1", 4, 4, 1)}}},
		{Time: 12, Revision: 4},
		{Time: 13, Revision: 5, Events: []Change{{KV: KeyValue{Key: "a", Mod: 5}, Deleted: true, Prev: &a}}},
		{Time: 14, Revision: 6, Events: []Change{{KV: kv("b", "2", 3, 6, 2), Prev: &b}}},
		{Time: 15, Revision: 6},
	}}
	h.Watches = []Watch{w}
	return h, &h.Watches[0]
}

// TestWatchProperties breaks a good record in every way the properties name.
func TestWatchProperties(t *testing.T) {
	swap := func(i, j int) func(*Watch) {
		return func(w *Watch) { w.Responses[i], w.Responses[j] = w.Responses[j], w.Responses[i] }
	}
	for _, c := range []struct {
		name, want string
		damage     func(*Watch)
	}{
		{"as it was", "", func(*Watch) {}},
		{"key not asked for", "W1 filter", func(w *Watch) { w.End = "b" }},
		{"puts not asked for", "W1 filter", func(w *Watch) { w.NoPuts = true }},
		{"deletes not asked for", "W1 filter", func(w *Watch) { w.NoDeletes = true }},
		{"responses swapped", "W5 reliable", swap(0, 1)},
		{"events swapped", "W2 ordered", func(w *Watch) { e := w.Responses[1].Events; e[1], e[2] = e[2], e[1] }},
		{"revisions fall", "W2 ordered", func(w *Watch) {
			w.Responses = append(w.Responses, WatchResponse{Time: 16, Revision: 6, Events: w.Responses[3].Events})
		}},
		{"event twice", "W3 unique", func(w *Watch) {
			w.Responses = slices.Insert(w.Responses, 5, WatchResponse{Time: 14, Revision: 6, Events: w.Responses[4].Events})
			w.Responses[5].Events[0].KV.Mod = 6
		}},
		{"event twice in a response", "W3 unique", func(w *Watch) { r := &w.Responses[4]; r.Events = append(r.Events, r.Events[0]) }},
		{"revision split", "W4 atomic", func(w *Watch) {
			e := w.Responses[1].Events
			w.Responses[1].Events = e[:2:2]
			w.Responses = slices.Insert(w.Responses, 2, WatchResponse{Time: 11, Revision: 4, Events: e[2:]})
		}},
		{"fragment asked for", "", func(w *Watch) {
			e := w.Responses[1].Events
			w.Fragment = true
			w.Responses[1].Events, w.Responses[1].Fragment = e[:2:2], true
			w.Responses = slices.Insert(w.Responses, 2, WatchResponse{Time: 11, Revision: 4, Events: e[2:]})
		}},
		{"fragment not asked for", "W4 atomic", func(w *Watch) { w.Responses[1].Fragment = true }},
		{"progress within a fragment", "W4 atomic", func(w *Watch) {
			e := w.Responses[1].Events
			w.Fragment = true
			w.Responses[1].Events, w.Responses[1].Fragment = e[:2:2], true
		}},
		{"gap", "W5 reliable", func(w *Watch) { w.Responses = slices.Delete(w.Responses, 0, 1) }},
		{"last event missing", "W7 bookmarkable", func(w *Watch) { w.Responses = slices.Delete(w.Responses, 4, 5) }},
		{"never came", "W5 reliable", func(w *Watch) { w.Responses = w.Responses[:4] }},
		{"need not have come", "", func(w *Watch) { w.Responses, w.MustReach = w.Responses[:4], 5 }},
		{"older than the start", "W6 resumable", func(w *Watch) { w.Start = 3 }},
		{"progress before the start", "W6 resumable", func(w *Watch) {
			w.Start, w.MustReach = 9, 0
			w.Responses = []WatchResponse{{Time: 10, Revision: 6}}
		}},
		{"start skipped", "W5 reliable", func(w *Watch) { w.Start = 3; w.Responses = w.Responses[3:] }},
		{"from now on", "", func(w *Watch) { w.Start, w.Created = 0, 4; w.Responses = w.Responses[3:] }},
		{"from now on, and before", "W6 resumable", func(w *Watch) { w.Start, w.Created = 0, 4; w.Responses = w.Responses[1:] }},
		{"progress too early", "W7 bookmarkable", func(w *Watch) { w.Responses[2].Revision = 5 }},
		{"progress falls", "W7 bookmarkable", func(w *Watch) { w.Responses[5].Revision = 5 }},
		{"header below the events", "its header has", func(w *Watch) { w.Responses[1].Revision = 3 }},
		{"prev_kv missing", "W8 prev_kv", func(w *Watch) { w.Responses[4].Events[0].Prev = nil }},
		{"prev_kv of another version", "W8 prev_kv", func(w *Watch) { w.Responses[4].Events[0].Prev.Version = 7 }},
		{"prev_kv of a new key", "W8 prev_kv", func(w *Watch) { w.Responses[0].Events[0].Prev = &KeyValue{Key: "a"} }},
		{"prev_kv not asked for", "W8 prev_kv", func(w *Watch) { w.PrevKV = false }},
		{"change shown as creation", "W9 is-create", func(w *Watch) { w.Responses[4].Events[0].KV.Create = 6 }},
		{"creation shown as change", "W9 is-create", func(w *Watch) { w.Responses[0].Events[0].KV.Create = 1 }},
		{"another value", "never happened", func(w *Watch) { w.Responses[0].Events[0].KV.Value = "x" }},
		{"another lease", "never happened", func(w *Watch) { w.Responses[0].Events[0].KV.Lease = 3 }},
		{"event of nobody", "never happened", func(w *Watch) { w.Responses[4].Events[0].KV.Key = "q" }},
		{"cancelled by the client", "", func(w *Watch) {
			w.Responses[2] = WatchResponse{Time: 12, Canceled: true}
			w.Responses = w.Responses[:3]
		}},
		{"more after the end", "after the watcher was cancelled", func(w *Watch) { w.Responses[2] = WatchResponse{Time: 12, Canceled: true} }},
		{"compacted, and it was not", "nobody had asked to compact", func(w *Watch) {
			w.Responses = []WatchResponse{{Time: 12, Canceled: true, Compacted: 5}}
		}},
		{"compacted", "", func(w *Watch) { w.Responses = []WatchResponse{{Time: 25, Canceled: true, Compacted: 4}} }},
		{"compacted below its needs", "though it needed only", func(w *Watch) {
			w.Start = 4
			w.Responses = []WatchResponse{{Time: 25, Canceled: true, Compacted: 4}}
		}},
		{"compacted before that was asked", "nobody had asked to compact", func(w *Watch) {
			w.Responses = []WatchResponse{{Time: 12, Canceled: true, Compacted: 4}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, w := watchHistory()
			if strings.Contains(c.name, "compacted") {
				h.Operations = append(h.Operations, compact(20, 21, 4, 6))
			}
			c.damage(w)
			// The log, so that what the watcher claims is not evidence.
			h.Log = logOf(h)
			report := Check(h, Options{})
			first := report.First()
			switch {
			case c.want == "" && first != nil:
				t.Errorf("%v", report.Err())
			case c.want != "" && (first == nil || first.Check != watchCheck || first.Watch != 0 || !strings.Contains(first.Reason, c.want)):
				t.Errorf("got %v, want %q", first, c.want)
			}
		})
	}
}

// logOf replays the operations alone.
func logOf(h *History) []Change {
	replay, err := Reconstruct(&History{Operations: h.Operations, Base: h.Base, BaseRevision: h.BaseRevision}, Options{})
	if err != nil {
		panic(err)
	}
	return slices.Clone(replay.From(0))
}

// TestWatchedInTime: an event must not come before its write was called, and a
// read after it must see it.
func TestWatchedInTime(t *testing.T) {
	h, w := watchHistory()
	w.Responses[4].Time = 7 // "b"="2" was called at 8
	if v := Check(h, Options{}).First(); v == nil || !strings.Contains(v.Reason, "had not been asked for") {
		t.Errorf("event from the future: %v", v)
	}
	h, w = watchHistory()
	h.Operations[4].Return = 100
	w.Responses = w.Responses[:5]
	h.Operations = append(h.Operations, get(2, 20, 21, "b", 5, kv("b", "1", 3, 3, 1)))
	if v := Check(h, Options{}).First(); v == nil || !strings.Contains(v.Reason, "known at 14") {
		t.Errorf("read that misses what a watcher saw: %v", v)
	}
}

// TestWatchMutationsRandom damages correct watchers of random runs.
func TestWatchMutationsRandom(t *testing.T) {
	for name, damage := range map[string]func(r []WatchResponse, i int) []WatchResponse{
		"drop":    func(r []WatchResponse, i int) []WatchResponse { return slices.Delete(r, i, i+1) },
		"repeat":  func(r []WatchResponse, i int) []WatchResponse { return slices.Insert(r, i, r[i]) },
		"reorder": func(r []WatchResponse, i int) []WatchResponse { r[i], r[i+1] = r[i+1], r[i]; return r },
	} {
		t.Run(name, func(t *testing.T) {
			hits := 0
			for seed := range uint64(10) {
				h := generate(seeded(seed), plan{operations: 300, clients: 4, keys: 4, watchers: 3})
				for i := range h.Watches {
					w := &h.Watches[i]
					at := slices.IndexFunc(w.Responses, func(r WatchResponse) bool { return len(r.Events) > 0 })
					if at < 0 || at+1 >= len(w.Responses) || len(w.Responses[at+1].Events) == 0 {
						continue
					}
					hits++
					w.Responses = damage(w.Responses, at)
					if report := Check(h, Options{Windows: -1}); report.OK() {
						t.Errorf("seed %d, watcher %d: not found", seed, i)
					}
					break
				}
			}
			if hits < 5 {
				t.Errorf("only %d watchers were long enough", hits)
			}
		})
	}
}

// TestReplay: what Reconstruct hands out.
func TestReplay(t *testing.T) {
	h, _ := watchHistory()
	replay, err := Reconstruct(h, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(replay.Base, replay.Last(), len(replay.At(4)), replay.At(1), replay.At(7), replay.Operation(5), replay.Operation(9), len(replay.From(5)))
	if got != "1 6 2 [] [] 3 -1 2" {
		t.Error(got)
	}
	if s := replay.StateAt(4); s.String() != `revision 4: a="1" b="1" c="1" d="1"` {
		t.Error(s)
	}
}
