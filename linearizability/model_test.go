package linearizability

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestModel pins down what the model says, request by request: the oracle's
// own rules are checked against etcd's documentation, by hand.
func TestModel(t *testing.T) {
	s := NewState(1, nil)
	get := func(key string) Request { return Request{Kind: Range, Key: key} }
	a1 := kv("a", "1", 2, 2, 1)
	for _, c := range []struct {
		name    string
		request Request
		want    Response // without Outcome
	}{
		{"get nothing", get("a"), Response{Revision: 1}},
		{"delete nothing", Request{Kind: Delete, Key: "a"}, Response{Revision: 1}},
		{"put", Request{Kind: Put, Key: "a", Value: "1", PrevKV: true}, Response{Revision: 2}},
		{"get", get("a"), Response{Revision: 2, Count: 1, KVs: []KeyValue{a1}}},
		{"put again", Request{Kind: Put, Key: "a", Value: "2", PrevKV: true}, Response{Revision: 3, Prev: []KeyValue{a1}}},
		{"ignore value", Request{Kind: Put, Key: "a", IgnoreValue: true, Lease: 9}, Response{Revision: 4}},
		{"it kept it", get("a"), Response{Revision: 4, Count: 1, KVs: []KeyValue{{Key: "a", Value: "2", Create: 2, Mod: 4, Version: 3, Lease: 9}}}},
		{"ignore lease", Request{Kind: Put, Key: "a", Value: "3", IgnoreLease: true}, Response{Revision: 5}},
		{"count and limit", Request{Kind: Txn, Then: []Request{
			{Kind: Put, Key: "b", Value: "1"}, {Kind: Put, Key: "c", Value: "1"},
			{Kind: Range, Key: "a", End: "z", Limit: 2, KeysOnly: true}, {Kind: Range, Key: "b", End: "\x00", CountOnly: true},
			{Kind: Delete, Key: "a", PrevKV: true}, {Kind: Range, Key: "a", End: "b"},
		}}, Response{Revision: 6, Succeeded: true, Responses: []Response{{}, {},
			{Count: 3, More: true, KVs: []KeyValue{{Key: "a", Create: 2, Mod: 5, Version: 4, Lease: 9}, {Key: "b", Create: 6, Mod: 6, Version: 1}}},
			{Count: 2},
			{Deleted: 1, Prev: []KeyValue{{Key: "a", Value: "3", Create: 2, Mod: 5, Version: 4, Lease: 9}}}, {}}}},
		{"nested compares look before all writes", Request{Kind: Txn,
			Compares: []Compare{{Key: "a", Target: TargetVersion}, {Key: "b", End: "d", Target: TargetValue, Value: "1"}},
			Then: []Request{{Kind: Put, Key: "a", Value: "new"},
				{Kind: Txn, Compares: []Compare{{Key: "a", Target: TargetVersion, Relation: Greater}}, Then: []Request{get("b")}, Else: []Request{get("a")}}},
		}, Response{Revision: 7, Succeeded: true, Responses: []Response{{}, {Responses: []Response{
			{Count: 1, KVs: []KeyValue{kv("a", "new", 7, 7, 1)}}}}}}},
		{"a missing key has no value, not even another", Request{Kind: Txn,
			Compares: []Compare{{Key: "q", Target: TargetValue, Relation: NotEqual, Value: "x"}}}, Response{Revision: 7}},
		{"an empty range is a missing key", Request{Kind: Txn,
			Compares: []Compare{{Key: "x", End: "z", Target: TargetMod, Relation: Less, Number: 1}}}, Response{Revision: 7, Succeeded: true}},
		{"one key of a range does not hold", Request{Kind: Txn,
			Compares: []Compare{{Key: "a", End: "\x00", Target: TargetCreate, Relation: NotEqual, Number: 7}, {Key: "b", Target: TargetLease}}}, Response{Revision: 7}},
		{"delete range", Request{Kind: Delete, Key: "b", End: "\x00"}, Response{Revision: 8, Deleted: 2}},
		{"create again", Request{Kind: Put, Key: "b", Value: "2", Lease: 4}, Response{Revision: 9}},
		{"revoke", Request{Kind: Revoke, Lease: 4}, Response{Revision: 10}},
		{"what is left", Request{Kind: Range, Key: "\x00", End: "\x00"}, Response{Revision: 10, Count: 1, KVs: []KeyValue{kv("a", "new", 7, 7, 1)}}},
	} {
		before := s.Clone()
		got, changes, possible := s.Try(&c.request)
		if diff := cmp.Diff(before.KVs(), s.KVs()); diff != "" || before.Revision != s.Revision {
			t.Fatalf("%s: Try changed the state", c.name)
		}
		c.want.Outcome = OK
		if diff := cmp.Diff(c.want, got); diff != "" || !possible {
			t.Errorf("%s: %s", c.name, diff)
		}
		s.Commit(changes)
		if s.Revision != got.Revision {
			t.Fatalf("%s: state at %d, reply %d", c.name, s.Revision, got.Revision)
		}
	}
	if _, _, possible := s.Try(&Request{Kind: Put, Key: "none", IgnoreValue: true}); possible {
		t.Error("a value that is not there was kept")
	}
}
