package torture

import (
	"slices"
	"strings"
	"testing"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// soundRecord is a small round in which nothing is wrong: two members, a base of one key, a put, a transaction, a
// put whose answer was lost but which happened, a delete; one watcher of all keys and one of a single key.
func soundRecord() *record {
	base := lin.KeyValue{Key: "t/a", Value: "base", Create: 2, Mod: 2, Version: 1}
	a := lin.KeyValue{Key: "t/a", Value: "one", Create: 2, Mod: 3, Version: 2}
	b := lin.KeyValue{Key: "t/b", Value: "two", Create: 4, Mod: 4, Version: 1}
	c := lin.KeyValue{Key: "t/c", Value: "three", Create: 4, Mod: 4, Version: 1}
	lost := lin.KeyValue{Key: "t/b", Value: "lost", Create: 4, Mod: 5, Version: 2}
	log := []lin.Change{{KV: a}, {KV: b}, {KV: c}, {KV: lost}, {KV: lin.KeyValue{Key: "t/a", Mod: 6}, Deleted: true}}
	seen := slices.Clone(log)
	seen[0].Prev, seen[3].Prev, seen[4].Prev = &base, &b, &a
	ok := func(revision int64) lin.Response { return lin.Response{Outcome: lin.OK, Revision: revision} }
	deleted := ok(6)
	deleted.Deleted = 1
	txn := ok(4)
	txn.Succeeded, txn.Responses = true, []lin.Response{{Outcome: lin.OK}, {Outcome: lin.OK}}
	return &record{
		Base: []lin.KeyValue{base}, BaseRevision: 2, Last: 6,
		Operations: []lin.Operation{
			{Request: lin.Request{Kind: lin.Put, Key: "t/a", Value: "one"}, Response: ok(3)},
			{Request: lin.Request{Kind: lin.Txn, Then: []lin.Request{
				{Kind: lin.Put, Key: "t/b", Value: "two"}, {Kind: lin.Put, Key: "t/c", Value: "three"},
			}}, Response: txn},
			{Request: lin.Request{Kind: lin.Put, Key: "t/b", Value: "lost"}, Response: lin.Response{Outcome: lin.Ambiguous}},
			{Request: lin.Request{Kind: lin.Delete, Key: "t/a"}, Response: deleted},
		},
		Watchers: []*watcher{
			{key: "t/", end: "t0", streams: []stream{
				{Start: 3, Responses: []response{{Changes: slices.Clone(seen[:1])}}},
				{Start: 4, Responses: []response{{Changes: slices.Clone(seen[1:3])}, {Changes: slices.Clone(seen[3:])}}},
			}},
			{key: "t/b", streams: []stream{{Start: 3, Responses: []response{{Changes: []lin.Change{seen[1], seen[3]}}}}}},
		},
		Evidence: []evidence{
			{Member: "n1", Log: slices.Clone(log), State: []lin.KeyValue{lost, c}, Hash: 7},
			{Member: "n2", Log: slices.Clone(log), State: []lin.KeyValue{lost, c}, Hash: 7},
		},
	}
}

// bothLogs changes the log and keeps the members in agreement.
func bothLogs(r *record, change func([]lin.Change) []lin.Change) {
	for i := range r.Evidence {
		r.Evidence[i].Log = change(r.Evidence[i].Log)
	}
}

func TestChecks(t *testing.T) {
	cases := []struct {
		name  string
		wrong func(*record)
		fails string // the checks that must fail, in order
	}{
		{"sound", func(*record) {}, ""},
		{"acknowledged put lost", func(r *record) {
			bothLogs(r, func(l []lin.Change) []lin.Change { return l[1:] })
			for _, w := range r.Watchers[:1] {
				w.streams = w.streams[1:]
			}
		}, "acknowledged, watches"}, // and the value before the delete is another one
		{"acknowledged at another revision", func(r *record) { r.Operations[0].Response.Revision = 4 }, "acknowledged"},
		{"half a transaction", func(r *record) {
			bothLogs(r, func(l []lin.Change) []lin.Change { return slices.Delete(l, 2, 3) })
			r.Watchers[0].streams[1].Responses[0].Changes = r.Watchers[0].streams[1].Responses[0].Changes[:1]
			r.Evidence[0].State, r.Evidence[1].State = r.Evidence[0].State[:1], r.Evidence[1].State[:1]
		}, "acknowledged"},
		{"acknowledged delete that did nothing", func(r *record) { r.Operations[3].Request.Key = "t/c" }, "acknowledged"},
		{"refused put that happened", func(r *record) { r.Operations = slices.Delete(r.Operations, 2, 3) }, "nothing invented"},
		{"applied twice", func(r *record) { r.Evidence[0].Log[2].KV.Value, r.Evidence[1].Log[2].KV.Value = "two", "two" },
			"acknowledged, nothing invented, state, watches"},
		{"members differ in the log", func(r *record) { r.Evidence[1].Log[0].KV.Value = "other" }, "members"},
		{"a member's log ends early", func(r *record) { r.Evidence[1].Log = r.Evidence[1].Log[:4] }, "members"},
		{"members differ in the state", func(r *record) { r.Evidence[1].State = r.Evidence[1].State[:1] }, "members"},
		{"members differ in the hash", func(r *record) { r.Evidence[1].Hash = 8 }, "members"},
		{"state is not what the log says", func(r *record) { r.Evidence[0].State[1].Version, r.Evidence[1].State[1].Version = 9, 9 }, "state"},
		{"watcher missed an event", func(r *record) { r.Watchers[1].streams[0].Responses[0].Changes = nil }, "watches"},
		{"watcher saw an event twice", func(r *record) { r.Watchers[0].streams = append(r.Watchers[0].streams, r.Watchers[0].streams[1]) }, "watches"},
		{"watcher saw events out of order", func(r *record) {
			c := r.Watchers[0].streams[1].Responses
			c[0], c[1] = c[1], c[0]
		}, "watches"},
		{"watcher saw a wrong previous value", func(r *record) { r.Watchers[0].streams[0].Responses[0].Changes[0].Prev = nil }, "watches"},
		{"watcher saw a key that is not its own", func(r *record) { r.Watchers[1].key = "t/c" }, "watches"},
	}
	for _, c := range cases {
		r := soundRecord()
		c.wrong(r)
		var failed []string
		for _, check := range checks {
			if err := check.check(r); err != nil {
				failed = append(failed, check.name)
			}
		}
		if got := strings.Join(failed, ", "); got != c.fails {
			t.Errorf("%s: failed %q, want %q", c.name, got, c.fails)
		}
	}
}
