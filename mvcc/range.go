package mvcc

import (
	"bytes"
	"cmp"
	"slices"
)

// reader answers reads from one tree. It serves the owner, within transactions
// too, and views alike.
type reader struct {
	tree      *tree
	rev       int64 // the present, also of a transaction in progress
	compacted int64
}

// revision resolves the revision of a request: ≤ 0 is the present.
func (r reader) revision(rev int64) (int64, error) {
	switch {
	case rev > r.rev:
		return 0, ErrFutureRevision
	case rev <= 0:
		return r.rev, nil
	case rev < r.compacted:
		return 0, ErrCompacted
	}
	return rev, nil
}

// rangeKeys answers a RangeRequest.
func (r reader) rangeKeys(req *RangeRequest) (*RangeResult, error) {
	rev, err := r.revision(req.Revision)
	if err != nil {
		return nil, err
	}
	s := spanOf(req.Key, req.End)
	res := &RangeResult{Revision: r.rev}
	if req.CountOnly {
		res.Count = r.tree.count(s, rev)
		return res, nil
	}
	limit := req.fetchLimit()
	res.KVs = r.collect(s, rev, limit)
	res.Count = int64(len(res.KVs))
	if limit > 0 && res.Count == limit {
		res.Count = r.tree.count(s, rev) // the rest is only counted
	}
	res.KVs = slices.DeleteFunc(res.KVs, req.filtered)
	req.sort(res.KVs)
	if req.Limit > 0 && int64(len(res.KVs)) > req.Limit {
		res.KVs, res.More = res.KVs[:req.Limit], true
	}
	if req.KeysOnly {
		for i := range res.KVs {
			res.KVs[i].Value = nil
		}
	}
	return res, nil
}

// collect reads the keys of s that exist at rev, in key order, at most limit
// if that is positive.
func (r reader) collect(s span, rev, limit int64) []KeyValue {
	var kvs []KeyValue
	r.tree.ascend(s, func(it *item) bool {
		if v, ok := it.versionAt(rev); ok && !v.tombstone() {
			rec := v.load()
			kvs = append(kvs, rec.kv())
		}
		return limit <= 0 || int64(len(kvs)) < limit
	})
	return kvs
}

// Reads is how many keys the request may read, 0 for all of its range: more than
// it answers with if they are sorted or filtered.
func (q *RangeRequest) Reads() int64 { return q.fetchLimit() }

// fetchLimit is how many keys have to be read: one more than asked for tells
// whether there are more, but an order or a filter must see all of them. A sort
// target without an order is no order to etcd here: it sorts the first keys.
func (q *RangeRequest) fetchLimit() int64 {
	ordered := q.SortOrder == SortNone || q.SortOrder == SortAscend && q.SortTarget == SortByKey
	filters := q.MinModRevision != 0 || q.MaxModRevision != 0 ||
		q.MinCreateRevision != 0 || q.MaxCreateRevision != 0
	switch {
	case q.Limit <= 0 || !ordered || filters:
		return 0
	case q.Limit == 1<<63-1:
		return q.Limit
	}
	return q.Limit + 1
}

// filtered tells that kv is outside the revision bounds.
func (q *RangeRequest) filtered(kv KeyValue) bool {
	return q.MaxModRevision != 0 && kv.ModRevision > q.MaxModRevision ||
		q.MinModRevision != 0 && kv.ModRevision < q.MinModRevision ||
		q.MaxCreateRevision != 0 && kv.CreateRevision > q.MaxCreateRevision ||
		q.MinCreateRevision != 0 && kv.CreateRevision < q.MinCreateRevision
}

// sort orders keys that come in key order. Ties stay in key order, so that the
// answer is one; etcd leaves them to its sort.
func (q *RangeRequest) sort(kvs []KeyValue) {
	if q.SortTarget == SortByKey {
		if q.SortOrder == SortDescend {
			slices.Reverse(kvs)
		}
		return
	}
	compare := q.SortTarget.compare
	if q.SortOrder == SortDescend {
		compare = func(a, b KeyValue) int { return q.SortTarget.compare(b, a) }
	}
	slices.SortStableFunc(kvs, compare)
}

// compare orders by the target.
func (t SortTarget) compare(a, b KeyValue) int {
	switch t {
	case SortByVersion:
		return cmp.Compare(a.Version, b.Version)
	case SortByCreate:
		return cmp.Compare(a.CreateRevision, b.CreateRevision)
	case SortByMod:
		return cmp.Compare(a.ModRevision, b.ModRevision)
	case SortByValue:
		return bytes.Compare(a.Value, b.Value)
	}
	return bytes.Compare(a.Key, b.Key)
}

// checkIgnore tells that what a put wants to keep is there.
func (r reader) checkIgnore(req *PutRequest) error {
	if !req.IgnoreValue && !req.IgnoreLease {
		return nil
	}
	if it := r.tree.get(req.Key); it == nil || it.tombstone() {
		return ErrKeyNotFound
	}
	return nil
}
