package sim

import (
	"bytes"
	"sort"

	"github.com/holdfast-db/holdfast/mvcc"
)

// model is the simulator's own key-value store: the etcd API guarantees in the
// most naive way that is still fast enough. It borrows mvcc's request types
// and no line of its code, keeps every version for ever, and remembers the
// compact revision only to know what a replica may refuse.
type model struct {
	index   uint64 // of the entry that is applied
	rev     int64  // the empty store stands at 1
	compact int64  // -1: never, so that compacting at 0 works once, as in etcd
	// compacted are all revisions that it was compacted at.
	compacted []int64
	keys      map[string][]version
	sorted    []string // all keys ever put, in order
	changes   []change // all changes ever, in order of revision
	values    map[string]int
	leases    map[int64]*modelLease
	auth      authModel
}

// version is one state of a key since a revision.
type version struct {
	main, sub int64
	deleted   bool
	kv        mvcc.KeyValue
}

// change is one event, as a watcher without filters sees it.
type change struct {
	main    int64
	deleted bool
	kv      mvcc.KeyValue // of a delete: key and mod revision only
	prev    *mvcc.KeyValue
	// prevMain is the revision of prev, to know when it was compacted away.
	prevMain int64
}

type modelLease struct {
	id, ttl int64
	keys    map[string]bool
	// remaining is the last checkpoint, since the entry before which none counts.
	remaining int64
	since     uint64
}

func newModel() *model {
	return &model{rev: 1, compact: -1, keys: map[string][]version{}, values: map[string]int{}, leases: map[int64]*modelLease{}, auth: newAuthModel()}
}

// at returns the state of a key at a revision, nil if it did not exist.
func (m *model) at(key string, rev int64) *mvcc.KeyValue {
	vs := m.keys[key]
	i := sort.Search(len(vs), func(i int) bool { return vs[i].main > rev })
	if i == 0 || vs[i-1].deleted {
		return nil
	}
	return &vs[i-1].kv
}

// span returns the keys ever put in [key, end), by etcd's rules for end.
func (m *model) span(key, end []byte) []string {
	if len(end) == 0 {
		if _, ok := m.keys[string(key)]; ok {
			return []string{string(key)}
		}
		return nil
	}
	lo := sort.SearchStrings(m.sorted, string(key))
	hi := len(m.sorted)
	if !(len(end) == 1 && end[0] == 0) {
		hi = sort.SearchStrings(m.sorted, string(end))
	}
	if bytes.Equal(key, []byte{0}) && len(end) == 1 && end[0] == 0 {
		lo = 0
	}
	if hi < lo {
		return nil
	}
	return m.sorted[lo:hi]
}

// inSpan tells whether a key lies in [key, end).
func inSpan(k, key, end []byte) bool {
	switch {
	case len(end) == 0:
		return bytes.Equal(k, key)
	case len(end) == 1 && end[0] == 0:
		return bytes.Compare(k, key) >= 0
	default:
		return bytes.Compare(k, key) >= 0 && bytes.Compare(k, end) < 0
	}
}

// rangeAt answers a range at a revision that exists and is not compacted.
func (m *model) rangeAt(q *mvcc.RangeRequest, rev int64) mvcc.RangeResult {
	var all []mvcc.KeyValue
	for _, k := range m.span(q.Key, q.End) {
		if kv := m.at(k, rev); kv != nil {
			all = append(all, *kv)
		}
	}
	r := mvcc.RangeResult{Count: int64(len(all))}
	if q.CountOnly {
		return r
	}
	if q.Limit > 0 && q.SortOrder == mvcc.SortNone && !filters(q) && int64(len(all)) > q.Limit+1 {
		all = all[:q.Limit+1] // etcd: without an order only these are fetched, and then sorted
	}
	all = filterKVs(all, q)
	sortKVs(all, q)
	if q.Limit > 0 && int64(len(all)) > q.Limit {
		all, r.More = all[:q.Limit], true
	}
	if q.KeysOnly {
		for i := range all {
			all[i].Value = nil
		}
	}
	r.KVs = all
	return r
}

func filters(q *mvcc.RangeRequest) bool {
	return q.MinModRevision != 0 || q.MaxModRevision != 0 || q.MinCreateRevision != 0 || q.MaxCreateRevision != 0
}

func filterKVs(kvs []mvcc.KeyValue, q *mvcc.RangeRequest) []mvcc.KeyValue {
	kept := kvs[:0]
	for _, kv := range kvs {
		switch {
		case q.MinModRevision > 0 && kv.ModRevision < q.MinModRevision:
		case q.MaxModRevision > 0 && kv.ModRevision > q.MaxModRevision:
		case q.MinCreateRevision > 0 && kv.CreateRevision < q.MinCreateRevision:
		case q.MaxCreateRevision > 0 && kv.CreateRevision > q.MaxCreateRevision:
		default:
			kept = append(kept, kv)
		}
	}
	return kept
}

func sortKVs(kvs []mvcc.KeyValue, q *mvcc.RangeRequest) {
	order := q.SortOrder
	if order == mvcc.SortNone {
		if q.SortTarget == mvcc.SortByKey {
			return
		}
		order = mvcc.SortAscend
	}
	less := func(a, b *mvcc.KeyValue) bool {
		switch q.SortTarget {
		case mvcc.SortByVersion:
			return a.Version < b.Version
		case mvcc.SortByCreate:
			return a.CreateRevision < b.CreateRevision
		case mvcc.SortByMod:
			return a.ModRevision < b.ModRevision
		case mvcc.SortByValue:
			return bytes.Compare(a.Value, b.Value) < 0
		default:
			return bytes.Compare(a.Key, b.Key) < 0
		}
	}
	sort.SliceStable(kvs, func(i, j int) bool {
		if order == mvcc.SortDescend {
			return less(&kvs[j], &kvs[i])
		}
		return less(&kvs[i], &kvs[j])
	})
}

// write is the revision in which a transaction's changes are made. Main moves
// only with the first change.
type write struct {
	m   *model
	sub int64
}

func (t *write) main() int64 { return t.m.rev + 1 }

// end makes the changes one revision.
func (t *write) end() {
	if t.sub > 0 {
		t.m.rev++
	}
}

func (t *write) put(q *mvcc.PutRequest) *mvcc.KeyValue {
	m, key := t.m, string(q.Key)
	prev := m.at(key, t.main())
	kv := mvcc.KeyValue{Key: []byte(key), Value: q.Value, CreateRevision: t.main(), ModRevision: t.main(), Version: 1, Lease: q.Lease}
	if prev != nil {
		kv.CreateRevision, kv.Version = prev.CreateRevision, prev.Version+1
		if q.IgnoreValue {
			kv.Value = prev.Value
		}
		if q.IgnoreLease {
			kv.Lease = prev.Lease
		}
		m.detach(prev.Lease, key)
	}
	if l := m.leases[kv.Lease]; l != nil {
		l.keys[key] = true
	}
	if !q.IgnoreValue {
		m.values[string(q.Value)]++
	}
	t.add(version{kv: kv}, prev)
	return prev
}

func (t *write) deleteRange(key, end []byte) []mvcc.KeyValue {
	var gone []mvcc.KeyValue
	for _, k := range t.m.span(key, end) {
		if prev := t.m.at(k, t.main()); prev != nil {
			gone = append(gone, *prev)
			t.delete(k, prev)
		}
	}
	return gone
}

func (t *write) delete(key string, prev *mvcc.KeyValue) {
	t.m.detach(prev.Lease, key)
	t.add(version{deleted: true, kv: mvcc.KeyValue{Key: []byte(key), ModRevision: t.main()}}, prev)
}

func (t *write) add(v version, prev *mvcc.KeyValue) {
	m, key := t.m, string(v.kv.Key)
	v.main, v.sub = t.main(), t.sub
	t.sub++
	if _, known := m.keys[key]; !known {
		i := sort.SearchStrings(m.sorted, key)
		m.sorted = append(m.sorted, "")
		copy(m.sorted[i+1:], m.sorted[i:])
		m.sorted[i] = key
	}
	m.keys[key] = append(m.keys[key], v)
	c := change{main: v.main, deleted: v.deleted, kv: v.kv}
	if prev != nil {
		p := *prev
		c.prev, c.prevMain = &p, p.ModRevision
	}
	m.changes = append(m.changes, c)
}

func (m *model) detach(lease int64, key string) {
	if l := m.leases[lease]; l != nil {
		delete(l.keys, key)
	}
}
