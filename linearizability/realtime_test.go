package linearizability

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Short forms for histories written by hand.
func put(client int, call, ret int64, key, value string, revision int64) Operation {
	return Operation{Client: client, Call: call, Return: ret, Request: Request{Kind: Put, Key: key, Value: value},
		Response: Response{Outcome: OK, Revision: revision}}
}

func get(client int, call, ret int64, key string, revision int64, kvs ...KeyValue) Operation {
	return Operation{Client: client, Call: call, Return: ret, Request: Request{Kind: Range, Key: key},
		Response: Response{Outcome: OK, Revision: revision, KVs: kvs, Count: int64(len(kvs))}}
}

func (op Operation) with(change func(*Operation)) Operation {
	change(&op)
	return op
}

func outcome(o Outcome, err string) func(*Operation) {
	return func(op *Operation) { op.Response = Response{Outcome: o, Error: err} }
}

func kv(key, value string, create, mod, version int64) KeyValue {
	return KeyValue{Key: key, Value: value, Create: create, Mod: mod, Version: version}
}

func serializable(op *Operation) { op.Request.Serializable = true }
func session(n int64) func(*Operation) {
	return func(op *Operation) { op.Session = n }
}
func atRev(n int64) func(*Operation) { return func(op *Operation) { op.Request.Revision = n } }

func compact(call, ret, at, revision int64) Operation {
	return Operation{Call: call, Return: ret, Request: Request{Kind: Compact, Revision: at}, Response: Response{Outcome: OK, Revision: revision}}
}

// remove is a delete of which nobody knows whether it happened.
func remove(client int, call int64, key, end string) Operation {
	return Operation{Client: client, Call: call, Return: Never, Request: Request{Kind: Delete, Key: key, End: end},
		Response: Response{Outcome: Ambiguous}}
}

func gone(key string, revision int64) Change {
	return Change{Deleted: true, KV: KeyValue{Key: key, Mod: revision}}
}

// TestByHand: small histories, each with the verdict of the checks that trust
// revisions ("" if it holds).
func TestByHand(t *testing.T) {
	a1, a2 := kv("a", "1", 2, 2, 1), kv("a", "2", 2, 3, 2)
	for _, c := range []struct {
		name, want string
		ops        []Operation
		log        []Change
	}{
		{"nothing", "", nil, nil},
		{"write, read", "", []Operation{put(1, 0, 1, "a", "1", 2), get(2, 2, 3, "a", 2, a1)}, nil},
		{"doc.go's example", "", []Operation{
			put(1, 0, 10, "a", "1", 2), put(2, 5, Never, "a", "2", 0).with(outcome(Ambiguous, "")),
			get(3, 12, 20, "a", 2, a1), get(1, 18, 25, "a", 3, a2)}, nil},
		{"doc.go's example, later", "is stale", []Operation{
			put(1, 0, 10, "a", "1", 2), put(2, 5, Never, "a", "2", 0).with(outcome(Ambiguous, "")),
			get(1, 18, 25, "a", 3, a2), get(3, 26, 30, "a", 2, a1)}, nil},
		{"overlapping reads may differ", "", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 5, 50, "a", "2", 3), get(2, 6, 20, "a", 3, a2), get(3, 7, 30, "a", 2, a1)}, nil},
		{"a later read may not", "is stale", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 5, 50, "a", "2", 3), get(2, 6, 20, "a", 3, a2), get(3, 21, 30, "a", 2, a1)}, nil},
		{"a stale serializable read may", "", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 5, 6, "a", "2", 3), get(3, 21, 30, "a", 2, a1).with(serializable)}, nil},
		{"but must equal its revision", "the answer is", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 5, 6, "a", "2", 3), get(3, 21, 30, "a", 2, a2).with(serializable)}, nil},
		{"and not go back in its session", "went back in time", []Operation{
			put(1, 0, 1, "a", "1", 2).with(session(7)), put(1, 5, 6, "a", "2", 3).with(session(7)),
			get(1, 21, 30, "a", 2, a1).with(serializable).with(session(7))}, nil},
		{"write ordered before an earlier one", "had not been asked for", []Operation{
			put(1, 0, 1, "a", "1", 3), put(2, 5, 6, "b", "1", 2)}, nil},
		{"read from the future", "had not been asked for", []Operation{
			put(1, 10, 20, "a", "1", 2), get(2, 0, 5, "a", 2, a1)}, nil},
		{"write before an ambiguous one that it follows", "had not been asked for", []Operation{
			put(1, 0, 5, "b", "1", 3), put(2, 10, Never, "a", "1", 0).with(outcome(Ambiguous, "")), get(3, 20, 30, "a", 3, a1)}, nil},
		{"two writes, one revision", "one revision for two writes", []Operation{
			put(1, 0, 10, "a", "1", 2), put(2, 0, 10, "b", "1", 2)}, nil},
		{"a write at the first revision", "older than the history", []Operation{put(1, 0, 1, "a", "1", 1)}, nil},
		{"value of nobody", "nobody asked for", []Operation{
			get(1, 0, 10, "a", 2, kv("a", "ghost", 2, 2, 1))}, nil},
		{"wrong create revision", "the answer is", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 5, 6, "a", "2", 3), get(2, 7, 8, "a", 3, kv("a", "2", 3, 3, 2))}, nil},
		{"a refused write was seen", "was refused, and happened", []Operation{
			put(1, 0, 1, "a", "1", 0).with(outcome(Failed, "too many requests")), get(2, 7, 8, "a", 2, a1)}, nil},
		{"acknowledged, and missing in the log", "did this", []Operation{put(1, 0, 1, "a", "1", 2), put(2, 2, Never, "b", "1", 0).with(outcome(Ambiguous, ""))},
			[]Change{{KV: kv("b", "1", 2, 2, 1)}}},
		{"applied twice", "happened a second time", []Operation{put(1, 0, 1, "a", "1", 2)},
			[]Change{{KV: a1}, {KV: kv("a", "1", 2, 3, 2)}}},
		{"an ambiguous one applied twice", "happened a second time", []Operation{put(1, 0, 1, "a", "1", 0).with(outcome(Ambiguous, ""))},
			[]Change{{KV: a1}, {KV: kv("a", "1", 2, 3, 2)}}},
		{"of two ambiguous deletes the wider one came first", "", []Operation{
			put(1, 0, 1, "a", "1", 2), remove(2, 3, "a", ""), remove(3, 4, "a", "c"), put(1, 5, 6, "a", "2", 4), put(1, 7, 8, "b", "1", 5)},
			[]Change{{KV: a1}, gone("a", 3), {KV: kv("a", "2", 4, 4, 1)}, {KV: kv("b", "1", 5, 5, 1)}, gone("a", 6)}},
		{"and of three, each takes the next one's place", "", []Operation{
			put(1, 0, 1, "a", "1", 2), remove(2, 3, "a", ""), remove(3, 4, "a", "c"), put(1, 5, 6, "a", "2", 4), put(1, 7, 8, "b", "1", 6),
			remove(4, 4, "a", "d"), put(1, 20, 21, "a", "3", 7), put(1, 22, 23, "c", "1", 8)},
			[]Change{{KV: a1}, gone("a", 3), {KV: kv("a", "2", 4, 4, 1)}, gone("a", 5), {KV: kv("b", "1", 6, 6, 1)}, {KV: kv("a", "3", 7, 7, 1)},
				{KV: kv("c", "1", 8, 8, 1)}, gone("a", 9)}},
		{"but one delete makes one revision", "happened a second time", []Operation{
			put(1, 0, 1, "a", "1", 2), remove(2, 3, "a", ""), put(1, 5, 6, "a", "2", 4), put(1, 7, 8, "b", "1", 5)},
			[]Change{{KV: a1}, gone("a", 3), {KV: kv("a", "2", 4, 4, 1)}, {KV: kv("b", "1", 5, 5, 1)}, gone("a", 6)}},
		{"and none before it was called", "had not been asked for", []Operation{
			put(1, 0, 1, "a", "1", 2), remove(3, 7, "a", "c"), put(1, 5, 6, "a", "2", 4)},
			[]Change{{KV: a1}, gone("a", 3), {KV: kv("a", "2", 4, 4, 1)}}},
		{"a revision nobody saw", "nobody saw revision 2", []Operation{
			put(1, 0, 1, "a", "1", 0).with(outcome(Ambiguous, "")), put(2, 2, 3, "b", "1", 3)}, nil},
		{"a hole in the log", "missing in the log", []Operation{put(2, 2, 3, "b", "1", 3)},
			[]Change{{KV: kv("b", "1", 3, 3, 1)}}},
		{"compacted, and it was", "", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 2, 3, "a", "2", 3), compact(4, 5, 3, 3),
			get(2, 6, 7, "a", 0).with(outcome(Failed, ErrorCompacted)).with(atRev(2))}, nil},
		{"compacted, and it was not", "nobody had asked", []Operation{
			put(1, 0, 1, "a", "1", 2), compact(4, 5, 2, 2),
			get(2, 6, 7, "a", 0).with(outcome(Failed, ErrorCompacted)).with(atRev(2))}, nil},
		{"read below a compaction", "had been compacted", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 2, 3, "a", "2", 3), compact(4, 5, 3, 3), get(2, 6, 7, "a", 3, a1).with(atRev(2))}, nil},
		{"old revision", "", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 2, 3, "a", "2", 3), get(2, 6, 7, "a", 3, a1).with(atRev(2))}, nil},
		{"old revision, new value", "the answer is", []Operation{
			put(1, 0, 1, "a", "1", 2), put(1, 2, 3, "a", "2", 3), get(2, 6, 7, "a", 3, a2).with(atRev(2))}, nil},
		{"future, and it was not", "was known before", []Operation{
			put(1, 0, 1, "a", "1", 2), get(2, 6, 7, "a", 0).with(outcome(Failed, ErrorFuture)).with(atRev(2))}, nil},
		{"future, while it is being made", "", []Operation{
			put(1, 0, 10, "a", "1", 2), get(2, 6, 7, "a", 0).with(outcome(Failed, ErrorFuture)).with(atRev(2))}, nil},
		{"header below the read", "above the store's own", []Operation{get(2, 6, 7, "a", 2).with(atRev(3))}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := Check(&History{Operations: c.ops, Log: c.log}, Options{})
			first := report.First()
			switch {
			case c.want == "" && first != nil:
				t.Errorf("%v", report.Err())
			case c.want != "" && (first == nil || !strings.Contains(first.Reason, c.want)):
				t.Errorf("got %v, want %q", first, c.want)
			}
		})
	}
}

// TestExpiry: a lease's end deletes all its keys, in one revision, and only
// where leases are in use.
func TestExpiry(t *testing.T) {
	leased := func(op *Operation) { op.Request.Lease = 5 }
	gone := func(key string, revision int64) Change {
		return Change{KV: KeyValue{Key: key, Mod: revision}, Deleted: true}
	}
	a, b := kv("a", "1", 2, 2, 1), kv("b", "1", 3, 3, 1)
	a.Lease, b.Lease = 5, 5
	ops := []Operation{put(1, 0, 1, "a", "1", 2).with(leased), put(1, 2, 3, "b", "1", 3).with(leased), get(1, 10, 11, "a", 4)}
	for name, c := range map[string]struct {
		log    []Change
		expire bool
		holds  bool
	}{
		"both at once":  {[]Change{{KV: a}, {KV: b}, gone("a", 4), gone("b", 4)}, true, true},
		"no leases":     {[]Change{{KV: a}, {KV: b}, gone("a", 4), gone("b", 4)}, false, false},
		"one forgotten": {[]Change{{KV: a}, {KV: b}, gone("a", 4)}, true, false},
		"one by one":    {[]Change{{KV: a}, {KV: b}, gone("a", 4), gone("b", 5)}, true, false},
	} {
		report := Check(&History{Operations: ops, Log: c.log}, Options{LeasesExpire: c.expire})
		if report.OK() != c.holds {
			t.Errorf("%s: %v", name, report.Err())
		}
	}
	revoke := Operation{Client: 2, Call: 5, Return: 6, Request: Request{Kind: Revoke, Lease: 5}, Response: Response{Outcome: OK, Revision: 3}}
	kept := append(ops[:2:2], revoke)
	if report := Check(&History{Operations: kept, Log: []Change{{KV: a}, {KV: b}}}, Options{}); report.OK() {
		t.Error("a revocation that deleted nothing holds")
	}
}

// TestWriteSkew: two transactions that each check what the other writes. Every
// key on its own is fine; the whole is not. The window finds it by itself.
func TestWriteSkew(t *testing.T) {
	txn := func(client int, check, write string, revision int64) Operation {
		return Operation{Client: client, Call: 0, Return: 10, Request: Request{Kind: Txn,
			Compares: []Compare{{Key: check, Target: TargetVersion}}, Then: []Request{{Kind: Put, Key: write, Value: "on"}},
		}, Response: Response{Outcome: OK, Revision: revision, Succeeded: true, Responses: []Response{{}}}}
	}
	h := &History{Operations: []Operation{txn(1, "a", "b", 2), txn(2, "b", "a", 3)}}
	options := Options{}
	options.setDefaults()
	if _, v := checkPerKey(h, &options); v.Failed() {
		t.Errorf("per key: %v", v)
	}
	if _, v := checkWitness(h, &options); v.Result != Violated {
		t.Errorf("witness: %v", v)
	}
	// A replay that is wrong in the same way must not deceive the window.
	replay := newReplay(h)
	replay.add([]Change{{KV: kv("b", "on", 2, 2, 1)}}, 0)
	replay.add([]Change{{KV: kv("a", "on", 3, 3, 1)}}, 1)
	if v := checkWindows(h, replay, &options, &Report{}); v.Result != Violated {
		t.Errorf("window: %v", v)
	}
}

// TestPerKeyTimeout: a search that is cut short is no pass.
func TestPerKeyTimeout(t *testing.T) {
	var ops []Operation
	for i := range 40 { // forty writes of one value, open for ever, and a read of nothing
		ops = append(ops, put(i, 0, Never, "a", string(rune('a'+i%3)), 0).with(outcome(Ambiguous, "")))
	}
	for i := range 40 {
		ops = append(ops, get(100+i, 1, 1000, "a", 2, kv("a", string(rune('a'+i%4)), 2, 2, 1)))
	}
	options := Options{PerKeyTimeout: 50 * time.Millisecond}
	options.setDefaults()
	_, v := checkPerKey(&History{Operations: ops}, &options)
	if v.Result != Unknown || (&Report{Verdicts: []Verdict{v}}).OK() {
		t.Errorf("got %v", v)
	}
}

// TestUnreadWrites: writes without an answer that nobody read are tried without
// first, and with all where something is explained by them only.
func TestUnreadWrites(t *testing.T) {
	deleted := func(call, count int64) Operation {
		return Operation{Client: 50, Call: call, Return: call + 1,
			Request: Request{Kind: Delete, Key: "a"}, Response: Response{Outcome: OK, Revision: 9, Deleted: count}}
	}
	unread := func(n int) (ops []Operation) {
		for i := range n {
			ops = append(ops, put(i, 0, Never, "a", fmt.Sprint("unread", i), 0).with(outcome(Ambiguous, "")))
		}
		return ops
	}
	for name, c := range map[string]struct {
		ops  []Operation
		want Result
	}{
		"not needed, though there are many": {append(unread(60), put(70, 1, 2, "a", "x", 2), deleted(3, 1), get(71, 5, 6, "a", 3), deleted(7, 0)), Holds},
		"one is needed":                     {append(unread(3), deleted(3, 1)), Holds},
		"none would do":                     {append(unread(1), deleted(3, 1), deleted(5, 1)), Violated},
	} {
		options := Options{PerKeyTimeout: 5 * time.Second}
		options.setDefaults()
		if _, v := checkPerKey(&History{Operations: c.ops}, &options); v.Result != c.want {
			t.Errorf("%s: %v, want %v", name, v, c.want)
		}
	}
}
