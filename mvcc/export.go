package mvcc

import "slices"

// SnapshotMeta describes an exported store; the loader checks all of it.
type SnapshotMeta struct {
	Revision        int64
	CompactRevision int64 // -1: never compacted
	Keys            uint64
	Records         uint64
	Chain           uint64 // the state hash's memory of all effects
	Live            uint64 // the state hash over the keys that exist
}

// Record is one version of one key in a snapshot. Records come in increasing
// revision, which is the order of history, so that a loader writes each once
// and to its place; Rank says which key of the sorted index it belongs to, so
// that the loader compares nothing either.
type Record struct {
	Rank           uint64 // position of the key among all exported ones, from 0
	Key, Value     []byte // aliases of the store's bytes: don't modify
	Revision       Revision
	CreateRevision int64
	Version        int64 // 0: a tombstone, which has neither value nor lease
	Lease          int64
}

// Exporter hands out what a snapshot must hold: every version that compaction
// at the view's compacted revision keeps, wherever physical compaction is. So
// equal states export equal records.
type Exporter struct {
	meta SnapshotMeta
	refs []ref
	next int
}

type ref struct {
	version
	rank uint64
}

// Exporter prepares an export: it walks the index and sorts what it found,
// which takes about as long as sorting that many numbers and 32 bytes a record.
func (v *View) Exporter() *Exporter {
	e := &Exporter{}
	v.tree.ascend(span{open: true}, func(it *item) bool {
		first := 0
		if v.compacted >= 0 {
			first = it.kept(v.compacted)
		}
		for i := first; i < it.count(); i++ {
			e.refs = append(e.refs, ref{version: it.nth(i), rank: e.meta.Keys})
		}
		if first < it.count() {
			e.meta.Keys++
		}
		return true
	})
	slices.SortFunc(e.refs, func(a, b ref) int {
		if a.less(&b.version) {
			return -1
		}
		return 1 // no two records have the same revision
	})
	e.meta.Revision, e.meta.CompactRevision = v.rev, v.compacted
	e.meta.Records = uint64(len(e.refs))
	e.meta.Chain, e.meta.Live = v.state.chain, v.state.live
	return e
}

// Meta describes what Next will return.
func (e *Exporter) Meta() SnapshotMeta { return e.meta }

// Next returns the next record; false after the last.
func (e *Exporter) Next() (Record, bool) {
	if e.next == len(e.refs) {
		return Record{}, false
	}
	from := &e.refs[e.next]
	e.next++
	r := from.load()
	return Record{Rank: from.rank, Key: r.key, Value: r.value, Revision: r.rev,
		CreateRevision: r.create, Version: r.version, Lease: r.lease}, true
}

// Export calls f for every record; an error of f ends it.
func (v *View) Export(f func(Record) error) error {
	e := v.Exporter()
	for {
		r, ok := e.Next()
		if !ok {
			return nil
		}
		if err := f(r); err != nil {
			return err
		}
	}
}
