package mvcc_test

import (
	"errors"
	"fmt"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
	"github.com/holdfast-db/holdfast/mvcc"
)

// leaseBook is a lessor for tests: which keys hang on which lease.
type leaseBook struct {
	exists map[int64]bool
	keys   map[string]int64
}

func newLeaseBook(ids map[int64]bool) *leaseBook {
	return &leaseBook{exists: ids, keys: map[string]int64{}}
}

func (b *leaseBook) Exists(id int64) bool { return b.exists[id] }

func (b *leaseBook) Attach(id int64, key []byte) {
	if old := b.keys[string(key)]; old != 0 {
		panic(fmt.Sprintf("%q attached to %d while on %d", key, id, old))
	}
	b.keys[string(key)] = id
}

func (b *leaseBook) Detach(id int64, key []byte) {
	if old := b.keys[string(key)]; old != id {
		panic(fmt.Sprintf("%q detached from %d while on %d", key, id, old))
	}
	delete(b.keys, string(key))
}

// machine drives a store, a replica of it that never does physical compaction,
// and the oracle with the same random commands, and compares all they say.
type machine struct {
	store, replica *mvcc.Store
	leases         *leaseBook
	replicaLeases  *leaseBook
	o              *oracle
	views          []oldView
	hub            *hubModel
}

// oldView is a view with what it must go on to show.
type oldView struct {
	v *mvcc.View
	o *oracle
	// compacting: the hashes of compactions may still be on their way.
	compacting bool
}

var smallChunks = mvcc.Options{ChunkBytes: 300}

func newMachine() *machine {
	m := &machine{store: mvcc.NewStore(smallChunks), replica: mvcc.NewStore(mvcc.Options{}), o: newOracle()}
	m.o.leases = map[int64]bool{leaseIDs[0]: true, leaseIDs[1]: true}
	m.leases, m.replicaLeases = newLeaseBook(m.o.leases), newLeaseBook(m.o.leases)
	m.hub = newHubModel(m.store, m.o)
	return m
}

// same fails unless the store, the replica and the oracle said the same.
func same(t *rapid.T, what any, store, replica, want any, errs ...error) {
	t.Helper()
	for _, err := range errs[1:] {
		if !errors.Is(errs[0], err) || !errors.Is(err, errs[0]) {
			t.Fatalf("%v: errors %v", what, errs)
		}
	}
	if errs[0] != nil {
		return
	}
	if a, b, c := show(store), show(replica), show(want); a != c || b != c {
		t.Fatalf("%v:\nstore   %s\nreplica %s\nwant    %s", what, a, b, c)
	}
}

func (m *machine) put(t *rapid.T) {
	q := drawPut(t)
	got, err := m.store.Put(q, m.leases)
	rep, err2 := m.replica.Put(q, m.replicaLeases)
	var want *mvcc.PutResult
	key, wantErr := m.o.checkPut(q)
	if wantErr == nil {
		wantErr = key
	}
	if wantErr == nil {
		w := m.o.begin()
		want = w.put(q)
		w.end()
	}
	same(t, q, got, rep, want, wantErr, err, err2)
}

func (m *machine) delete(t *rapid.T) {
	q := drawDelete(t)
	got, err := m.store.DeleteRange(q, m.leases)
	rep, err2 := m.replica.DeleteRange(q, m.replicaLeases)
	w := m.o.begin()
	want := w.delete(q)
	w.end()
	same(t, q, got, rep, want, nil, err, err2)
}

// revoke ends a lease as server/state does: its keys, sorted, in one revision.
func (m *machine) revoke(t *rapid.T) {
	id := leaseIDs[rapid.IntRange(0, 1).Draw(t, "lease")]
	var keys [][]byte
	for key, lease := range m.leases.keys {
		if lease == id {
			keys = append(keys, []byte(key))
		}
	}
	sort.Slice(keys, func(i, j int) bool { return string(keys[i]) < string(keys[j]) })
	keys = append(keys, []byte("not there"))
	got, rep := m.store.DeleteKeys(keys, m.leases), m.replica.DeleteKeys(keys, m.replicaLeases)
	w := m.o.begin()
	for _, key := range keys {
		w.delete(&mvcc.DeleteRangeRequest{Key: key})
	}
	w.end()
	same(t, "revoke", got, rep, m.o.rev, nil)
}

func (m *machine) txn(t *rapid.T) {
	q := drawTxn(t, m.o, 2, &written{})
	got, err := m.store.Txn(q, m.leases)
	rep, err2 := m.replica.Txn(q, m.replicaLeases)
	want, wantErr := m.o.txn(q)
	same(t, fmt.Sprintf("%+v", q), got, rep, want, wantErr, err, err2)
}

func (m *machine) readRange(t *rapid.T) {
	q := drawRange(t, m.o)
	got, err := m.store.Range(q)
	rep, err2 := m.replica.View().Range(q)
	want, wantErr := m.o.rangeAt(q, m.o.rev)
	same(t, fmt.Sprintf("%+v", q), got, rep, want, wantErr, err, err2)
}

func (m *machine) readTxn(t *rapid.T) {
	q := &mvcc.TxnRequest{Compare: []mvcc.Compare{drawCompare(t, m.o)},
		Success: []mvcc.Op{{Range: drawRange(t, m.o)}, {Txn: &mvcc.TxnRequest{Success: []mvcc.Op{{Range: drawRange(t, m.o)}}}}},
		Failure: []mvcc.Op{{Range: drawRange(t, m.o)}}}
	got, err := m.store.View().ReadTxn(q)
	rep, err2 := m.replica.Txn(q, nil)
	want, wantErr := m.o.txn(q)
	same(t, fmt.Sprintf("%+v", q), got, rep, want, wantErr, err, err2)
}

func (m *machine) compact(t *rapid.T) {
	rev := drawRevision(t, m.o)
	m.hub.beforeCompact()
	err, err2 := m.store.Compact(rev), m.replica.Compact(rev)
	same(t, fmt.Sprint("compact ", rev), nil, nil, nil, m.o.compact(rev), err, err2)
}

func (m *machine) compactStep(t *rapid.T) {
	budget := rapid.SampledFrom([]int{1, 3, 10, 1000}).Draw(t, "budget")
	if m.store.CompactStep(budget) && m.hub.published == m.o.rev && m.store.Compacting() {
		t.Fatalf("a compaction doesn't end")
	}
}

// look takes a view, or looks at an old one again.
func (m *machine) look(t *rapid.T) {
	if len(m.views) < 4 {
		m.views = append(m.views, oldView{m.store.View(), m.o.copy(), m.store.Compacting()})
		return
	}
	i := rapid.IntRange(0, len(m.views)-1).Draw(t, "view")
	old := m.views[i]
	if drawBool(t, "drop") {
		m.views = append(m.views[:i], m.views[i+1:]...)
	}
	q := drawRange(t, old.o)
	got, err := old.v.Range(q)
	want, wantErr := old.o.rangeAt(q, old.o.rev)
	same(t, fmt.Sprintf("view of %d: %+v", old.o.rev, q), got, got, want, wantErr, err)
	checkHashKV(t, old)
}

func (m *machine) hashKV(t *rapid.T) {
	checkHashKV(t, oldView{m.store.View(), m.o, m.store.Compacting()})
}

// checkHashKV compares the view's hash at a random revision with the oracle's.
func checkHashKV(t *rapid.T, old oldView) {
	rev := drawRevision(t, old.o)
	type answer struct {
		hash              uint32
		compactRev, ofRev int64
		err               error
	}
	var got, want answer
	got.hash, got.compactRev, got.ofRev, got.err = old.v.HashKV(rev)
	want.hash, want.compactRev, want.ofRev, want.err = old.o.hashKV(rev)
	for _, h := range old.o.hashes {
		exact := answer{h.Hash, h.CompactRevision, h.Revision, nil}
		if h.Revision == rev && (!old.compacting || got == exact) {
			want = exact
		}
	}
	if got != want {
		t.Fatalf("HashKV(%d) with %d compacted: got %v, want %v", rev, old.o.compacted, got, want)
	}
}

// reload replaces the store by one that was exported and loaded again, as a
// snapshot does to a member that lags.
func (m *machine) reload(t *rapid.T) {
	v := m.store.View()
	var recs, reps []mvcc.Record
	collect := func(to *[]mvcc.Record) func(mvcc.Record) error {
		return func(r mvcc.Record) error { *to = append(*to, r); return nil }
	}
	if err := errors.Join(v.Export(collect(&recs)), m.replica.View().Export(collect(&reps))); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(recs) != fmt.Sprint(reps) {
		t.Fatalf("equal states export differently:\n%v\n%v", recs, reps)
	}
	l, err := mvcc.NewLoader(v.Exporter().Meta(), smallChunks)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recs {
		if err := l.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	store, err := l.Finish()
	if err != nil {
		t.Fatal(err)
	}
	m.store, m.o.hashes = store, nil
	m.hub.reset(store)
}

// check compares what can be compared after every step.
func (m *machine) check(t *rapid.T) {
	s, r, o := m.store, m.replica, m.o
	if err := s.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
	if s.Revision() != o.rev || s.CompactRevision() != o.compacted || int(s.Keys()) != len(o.at(o.rev)) || s.Bytes() != o.bytes() {
		t.Fatalf("revision %d compacted %d keys %d bytes %d, want %d %d %d %d", s.Revision(), s.CompactRevision(), s.Keys(), s.Bytes(),
			o.rev, o.compacted, len(o.at(o.rev)), o.bytes())
	}
	if s.Hash() != r.Hash() || s.Bytes() != r.Bytes() || s.BytesInUse() != r.BytesInUse() || s.Keys() != r.Keys() {
		t.Fatalf("replicas differ: hash %x %x, bytes %d %d, in use %d %d, keys %d %d", s.Hash(), r.Hash(), s.Bytes(), r.Bytes(),
			s.BytesInUse(), r.BytesInUse(), s.Keys(), r.Keys())
	}
	var use int64
	want := map[string]int64{}
	for _, kv := range o.at(o.rev) {
		use += int64(len(kv.Key)+len(kv.Value)) + 64
		if kv.Lease != 0 {
			want[string(kv.Key)] = kv.Lease
		}
	}
	if s.BytesInUse() != use {
		t.Fatalf("bytes in use %d, want %d", s.BytesInUse(), use)
	}
	if fmt.Sprint(m.leases.keys) != fmt.Sprint(want) {
		t.Fatalf("leases hold %v, want %v", m.leases.keys, want)
	}
}

// TestModel runs random commands on a store, a lazy replica and the oracle.
func TestModel(t *testing.T) { rapid.Check(t, storeModel) }

func FuzzModel(f *testing.F) { fuzz.Model(f, storeModel) }

func storeModel(t *rapid.T) {
	m := newMachine()
	actions := m.actions()
	n := rapid.IntRange(20, 400).Draw(t, "steps")
	for range n {
		rapid.SampledFrom(actions).Draw(t, "action").run(t)
		m.check(t)
	}
	m.hub.settle(t)
}

type action struct {
	name string
	run  func(*rapid.T)
}

func (a action) String() string { return a.name }

// actions lists what the machine does, each as often as its weight.
func (m *machine) actions() (all []action) {
	for _, a := range []struct {
		weight int
		action
	}{
		{8, action{"put", m.put}},
		{4, action{"txn", m.txn}},
		{2, action{"delete", m.delete}},
		{1, action{"revoke", m.revoke}},
		{3, action{"range", m.readRange}},
		{2, action{"read txn", m.readTxn}},
		{2, action{"compact", m.compact}},
		{4, action{"compact step", m.compactStep}},
		{2, action{"view", m.look}},
		{2, action{"hashkv", m.hashKV}},
		{1, action{"reload", m.reload}},
		{3, action{"watch", m.hub.create}},
		{1, action{"cancel", m.hub.cancel}},
		{2, action{"open or close", m.hub.openClose}},
		{3, action{"grant", m.hub.grant}},
		{4, action{"publish", m.hub.publish}},
		{4, action{"catch up", m.hub.step}},
		{1, action{"request progress", m.hub.requestProgress}},
		{1, action{"tick", m.hub.tick}},
		{1, action{"settle", m.hub.settle}},
	} {
		for range a.weight {
			all = append(all, a.action)
		}
	}
	return all
}
