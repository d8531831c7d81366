package mvcc_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sort"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/mvcc"
)

// change is one effect: a put, or a deletion if Version is 0.
type change struct {
	mvcc.KeyValue
	sub int64
}

func (c change) deleted() bool { return c.Version == 0 }

// oracle is the naive model: the list of everything that ever happened. It
// answers each question by going through the whole list, shares no code with
// the store and forgets nothing; compaction is a number. bucket is what etcd's
// database would hold, for its hash.
type oracle struct {
	rev       int64
	compacted int64
	log       []change
	leases    map[int64]bool

	bucket []change
	hashes []mvcc.CompactionHash
}

func newOracle() *oracle {
	return &oracle{rev: 1, compacted: -1, leases: map[int64]bool{}}
}

func (o *oracle) copy() *oracle {
	c := *o
	c.log = append([]change(nil), o.log...)
	c.bucket = append([]change(nil), o.bucket...)
	c.hashes = append([]mvcc.CompactionHash(nil), o.hashes...)
	return &c
}

// within tells that key is in the range, by etcd's definition.
func within(key, from, end []byte) bool {
	switch {
	case len(end) == 0:
		return bytes.Equal(key, from)
	case bytes.Equal(end, []byte{0}):
		return bytes.Compare(key, from) >= 0
	}
	return bytes.Compare(key, from) >= 0 && bytes.Compare(key, end) < 0
}

// at is the state at revision rev, sorted by key.
func (o *oracle) at(rev int64) []mvcc.KeyValue {
	m := map[string]mvcc.KeyValue{}
	for _, c := range o.log {
		if c.ModRevision > rev {
			break
		}
		if c.deleted() {
			delete(m, string(c.Key))
		} else {
			m[string(c.Key)] = c.KeyValue
		}
	}
	kvs := make([]mvcc.KeyValue, 0, len(m))
	for _, kv := range m {
		kvs = append(kvs, kv)
	}
	sort.Slice(kvs, func(i, j int) bool { return bytes.Compare(kvs[i].Key, kvs[j].Key) < 0 })
	return kvs
}

func (o *oracle) find(key, end []byte, rev int64) (found []mvcc.KeyValue) {
	for _, kv := range o.at(rev) {
		if within(kv.Key, key, end) {
			found = append(found, kv)
		}
	}
	return found
}

// writer is the oracle inside a transaction.
type writer struct {
	*oracle
	main, sub int64
}

func (o *oracle) begin() *writer { return &writer{oracle: o, main: o.rev + 1} }

func (w *writer) end() {
	if w.sub > 0 {
		w.rev = w.main
	}
}

func (w *writer) now() int64 {
	if w.sub > 0 {
		return w.main
	}
	return w.rev
}

func (w *writer) add(c change) {
	c.ModRevision, c.sub = w.main, w.sub
	w.sub++
	w.log = append(w.log, c)
	w.bucket = append(w.bucket, c)
}

func (o *oracle) checkPut(q *mvcc.PutRequest) (keyErr, leaseErr error) {
	if (q.IgnoreValue || q.IgnoreLease) && len(o.find(q.Key, nil, o.rev)) == 0 {
		keyErr = mvcc.ErrKeyNotFound
	}
	if q.Lease != 0 && !o.leases[q.Lease] {
		leaseErr = mvcc.ErrLeaseNotFound
	}
	return keyErr, leaseErr
}

func (w *writer) put(q *mvcc.PutRequest) *mvcc.PutResult {
	c := change{KeyValue: mvcc.KeyValue{Key: q.Key, Value: q.Value, Lease: q.Lease, Version: 1, CreateRevision: w.main}}
	res := &mvcc.PutResult{}
	if old := w.find(q.Key, nil, w.now()); len(old) == 1 {
		c.Version, c.CreateRevision = old[0].Version+1, old[0].CreateRevision
		if q.IgnoreValue {
			c.Value = old[0].Value
		}
		if q.IgnoreLease {
			c.Lease = old[0].Lease
		}
		if q.PrevKV {
			res.Prev = &old[0]
		}
	}
	w.add(c)
	res.Revision = w.now()
	return res
}

func (w *writer) delete(q *mvcc.DeleteRangeRequest) *mvcc.DeleteRangeResult {
	old := w.find(q.Key, q.End, w.now())
	for _, kv := range old {
		w.add(change{KeyValue: mvcc.KeyValue{Key: kv.Key}})
	}
	res := &mvcc.DeleteRangeResult{Deleted: int64(len(old)), Revision: w.now()}
	if q.PrevKV {
		res.Prev = old
	}
	return res
}

// rangeAt answers a range when present is the revision that it sees as now.
func (o *oracle) rangeAt(q *mvcc.RangeRequest, present int64) (*mvcc.RangeResult, error) {
	rev := q.Revision
	if rev > present {
		return nil, mvcc.ErrFutureRevision
	}
	if rev <= 0 {
		rev = present
	}
	if rev < o.compacted {
		return nil, mvcc.ErrCompacted
	}
	kvs := o.find(q.Key, q.End, rev)
	res := &mvcc.RangeResult{Count: int64(len(kvs)), Revision: present}
	if q.CountOnly {
		return res, nil
	}
	everything := q.MinModRevision != 0 || q.MaxModRevision != 0 || q.MinCreateRevision != 0 || q.MaxCreateRevision != 0 ||
		q.SortOrder == mvcc.SortDescend || q.SortOrder == mvcc.SortAscend && q.SortTarget != mvcc.SortByKey
	if !everything && q.Limit > 0 && int64(len(kvs)) > q.Limit+1 {
		kvs = kvs[:q.Limit+1]
	}
	var kept []mvcc.KeyValue
	for _, kv := range kvs {
		mod := (q.MinModRevision == 0 || kv.ModRevision >= q.MinModRevision) && (q.MaxModRevision == 0 || kv.ModRevision <= q.MaxModRevision)
		create := (q.MinCreateRevision == 0 || kv.CreateRevision >= q.MinCreateRevision) && (q.MaxCreateRevision == 0 || kv.CreateRevision <= q.MaxCreateRevision)
		if mod && create {
			kept = append(kept, kv)
		}
	}
	less := map[mvcc.SortTarget]func(a, b mvcc.KeyValue) bool{
		mvcc.SortByKey:     func(a, b mvcc.KeyValue) bool { return string(a.Key) < string(b.Key) },
		mvcc.SortByVersion: func(a, b mvcc.KeyValue) bool { return a.Version < b.Version },
		mvcc.SortByCreate:  func(a, b mvcc.KeyValue) bool { return a.CreateRevision < b.CreateRevision },
		mvcc.SortByMod:     func(a, b mvcc.KeyValue) bool { return a.ModRevision < b.ModRevision },
		mvcc.SortByValue:   func(a, b mvcc.KeyValue) bool { return string(a.Value) < string(b.Value) },
	}[q.SortTarget]
	sort.SliceStable(kept, func(i, j int) bool {
		if q.SortOrder == mvcc.SortDescend {
			i, j = j, i
		}
		return less(kept[i], kept[j])
	})
	if q.Limit > 0 && int64(len(kept)) > q.Limit {
		kept, res.More = kept[:q.Limit], true
	}
	for i := range kept {
		if q.KeysOnly {
			kept[i].Value = nil
		}
	}
	res.KVs = kept
	return res, nil
}

// txn runs a transaction, or returns the error of its first bad operation.
func (o *oracle) txn(q *mvcc.TxnRequest) (*mvcc.TxnResult, error) {
	before := o.copy()
	if err := before.checkTxn(q); err != nil {
		return nil, err
	}
	w := o.begin()
	res := w.run(q, before)
	w.end()
	res.Revision = o.rev
	return res, nil
}

func (o *oracle) branch(q *mvcc.TxnRequest) (bool, []mvcc.Op) {
	for _, c := range q.Compare {
		if !o.holds(c) {
			return false, q.Failure
		}
	}
	return true, q.Success
}

func (o *oracle) holds(c mvcc.Compare) bool {
	kvs := o.find(c.Key, c.End, o.rev)
	if len(kvs) == 0 {
		if c.Target == mvcc.CompareValue {
			return false
		}
		kvs = []mvcc.KeyValue{{}}
	}
	for _, kv := range kvs {
		var order int
		number := map[mvcc.CompareTarget]int64{mvcc.CompareVersion: kv.Version, mvcc.CompareCreate: kv.CreateRevision,
			mvcc.CompareMod: kv.ModRevision, mvcc.CompareLease: kv.Lease}[c.Target]
		switch {
		case c.Target == mvcc.CompareValue:
			order = bytes.Compare(kv.Value, c.Value)
		case number < c.Number:
			order = -1
		case number > c.Number:
			order = 1
		}
		ok := map[mvcc.CompareOp]bool{mvcc.CompareEqual: order == 0, mvcc.CompareGreater: order > 0, mvcc.CompareLess: order < 0,
			mvcc.CompareNotEqual: order != 0, mvcc.CompareUnknown: true}[c.Op]
		if !ok {
			return false
		}
	}
	return true
}

func (o *oracle) checkTxn(q *mvcc.TxnRequest) error {
	_, ops := o.branch(q)
	for _, op := range ops {
		var err error
		switch {
		case op.Range != nil:
			if rev := op.Range.Revision; rev != 0 && rev > o.rev {
				err = mvcc.ErrFutureRevision
			} else if rev != 0 && rev < o.compacted {
				err = mvcc.ErrCompacted
			}
		case op.Put != nil:
			key, lease := o.checkPut(op.Put)
			if err = lease; err == nil {
				err = key
			}
		case op.Txn != nil:
			err = o.checkTxn(op.Txn)
		case op.Delete == nil:
			err = mvcc.ErrKeyNotFound
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run executes the branch that before chooses.
func (w *writer) run(q *mvcc.TxnRequest, before *oracle) *mvcc.TxnResult {
	ok, ops := before.branch(q)
	res := &mvcc.TxnResult{Succeeded: ok}
	for _, op := range ops {
		var out mvcc.OpResult
		switch {
		case op.Range != nil:
			out.Range, _ = w.rangeAt(op.Range, w.now())
		case op.Put != nil:
			out.Put = w.put(op.Put)
		case op.Delete != nil:
			out.Delete = w.delete(op.Delete)
		case op.Txn != nil:
			out.Txn = w.run(op.Txn, before)
		}
		res.Ops = append(res.Ops, out)
	}
	return res
}

// newest is the last change of every key up to rev.
func (o *oracle) newest(rev int64) map[string]change {
	m := map[string]change{}
	for _, c := range o.log {
		if c.ModRevision <= rev {
			m[string(c.Key)] = c
		}
	}
	return m
}

type spot struct{ main, sub int64 }

// keep is what etcd's index says a compaction at rev would keep; with its
// tombstones at rev, as a compaction counts them, or without, as HashKV does.
func (o *oracle) keep(rev int64, tombstones bool) map[spot]bool {
	m := map[spot]bool{}
	for _, c := range o.newest(rev) {
		if !c.deleted() || tombstones && c.ModRevision == rev {
			m[spot{c.ModRevision, c.sub}] = true
		}
	}
	return m
}

func (o *oracle) compact(rev int64) error {
	switch {
	case rev <= o.compacted:
		return mvcc.ErrCompacted
	case rev > o.rev:
		return mvcc.ErrFutureRevision
	}
	keep := o.keep(rev, true)
	o.hashes = append(o.hashes, mvcc.CompactionHash{Revision: rev, CompactRevision: o.compacted,
		Hash: o.hashBucket(rev, keep)})
	if len(o.hashes) > 10 {
		o.hashes = o.hashes[1:]
	}
	var bucket []change
	for _, c := range o.bucket {
		if c.ModRevision > rev || keep[spot{c.ModRevision, c.sub}] {
			bucket = append(bucket, c)
		}
	}
	o.bucket, o.compacted = bucket, rev
	return nil
}

// hashBucket is etcd's loop over its table.
func (o *oracle) hashBucket(rev int64, keep map[spot]bool) uint32 {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	h.Write([]byte("key"))
	for _, c := range o.bucket {
		switch {
		case c.ModRevision > rev,
			c.ModRevision <= o.compacted && len(keep) > 0 && !keep[spot{c.ModRevision, c.sub}],
			c.ModRevision == o.compacted && c.deleted():
			continue
		}
		k := binary.BigEndian.AppendUint64(nil, uint64(c.ModRevision))
		k = binary.BigEndian.AppendUint64(append(k, '_'), uint64(c.sub))
		pb := &mvccpb.KeyValue{Key: c.Key}
		if c.deleted() {
			k = append(k, 't')
		} else {
			pb = &mvccpb.KeyValue{Key: c.Key, CreateRevision: c.CreateRevision, ModRevision: c.ModRevision,
				Version: c.Version, Value: c.Value, Lease: c.Lease}
		}
		v, err := proto.MarshalOptions{Deterministic: true}.Marshal(pb)
		if err != nil {
			panic(err)
		}
		h.Write(k)
		h.Write(v)
	}
	return h.Sum32()
}

// hashKV answers as if no compaction had left its own hash.
func (o *oracle) hashKV(rev int64) (hash uint32, compactRev, hashRev int64, err error) {
	switch {
	case rev > 0 && rev < o.compacted:
		return 0, 0, 0, mvcc.ErrCompacted
	case rev > o.rev:
		return 0, 0, 0, mvcc.ErrFutureRevision
	case rev == 0:
		rev = o.rev
	}
	return o.hashBucket(rev, o.keep(rev, false)), o.compacted, rev, nil
}

// bytes is the quota: what etcd would hold, but for tombstones that compaction
// has reached.
func (o *oracle) bytes() (n int64) {
	for _, c := range o.bucket {
		if !c.deleted() || c.ModRevision > o.compacted {
			n += int64(len(c.Key)+len(c.Value)) + 64
		}
	}
	return n
}
