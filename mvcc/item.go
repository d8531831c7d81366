package mvcc

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// version points at one record: 24 bytes that stand for a KeyValue.
type version struct {
	at    *chunk
	main  int64
	keyAt uint32 // offset of the key in at.data
	meta  uint32 // key length, and the top bit for a tombstone
}

const tombstoneBit = 1 << 31

func newVersion(c *chunk, keyAt int, r *record) version {
	v := version{at: c, main: r.rev.Main, keyAt: uint32(keyAt), meta: uint32(len(r.key))}
	if r.tombstone() {
		v.meta |= tombstoneBit
	}
	return v
}

func (v *version) tombstone() bool { return v.meta&tombstoneBit != 0 }

func (v *version) keyBytes() int { return int(v.meta &^ tombstoneBit) }

// key aliases the chunk.
func (v *version) key() []byte {
	end := int(v.keyAt) + v.keyBytes()
	return v.at.data[v.keyAt:end:end]
}

// load decodes the record.
func (v *version) load() (r record) {
	v.at.readAt(int(v.keyAt), v.keyBytes(), &r)
	return r
}

// sub is the revision's second part, which is only in the record.
func (v *version) sub() int64 {
	p := int(v.keyAt) + v.keyBytes()
	_, n := binary.Uvarint(v.at.data[p:])
	sub, _ := binary.Uvarint(v.at.data[p+n:])
	return int64(sub)
}

func (v *version) revision() Revision { return Revision{Main: v.main, Sub: v.sub()} }

// less orders versions by revision.
func (v *version) less(o *version) bool {
	return v.main < o.main || v.main == o.main && v.sub() < o.sub()
}

// encodedBytes is the record's whole length in its chunk.
func (v *version) encodedBytes() int {
	var r record
	end := v.at.readAt(int(v.keyAt), v.keyBytes(), &r)
	var pre [binary.MaxVarintLen64]byte
	return end - int(v.keyAt) + binary.PutUvarint(pre[:], uint64(v.keyBytes()))
}

// item is a key in the index: the newest version inline, the older ones behind
// a pointer that most keys don't need.
//
// Invariants:
//  1. an item is never changed after it was put into a tree: a write installs
//     another one, whose older slice may share this one's backing array (whoever
//     holds this item sees its own, shorter length);
//  2. versions are in increasing revision, all of the same key;
//  3. two tombstones never follow each other, and the oldest version is a
//     tombstone only at the compacted revision, or below it as long as
//     physical compaction lags.
type item struct {
	version
	older *past
}

// past holds the versions before the newest.
type past struct {
	versions []version
}

// history returns the versions before the newest, oldest first.
func (it *item) history() []version {
	if it.older == nil {
		return nil
	}
	return it.older.versions
}

// with returns the item that has v as its newest version.
func (it *item) with(v version) *item {
	if it == nil {
		return &item{version: v}
	}
	return &item{version: v, older: &past{versions: append(it.history(), it.version)}}
}

// versionAt returns the version that a reader at revision rev sees, a tombstone
// included; false if the key was never written until then.
func (it *item) versionAt(rev int64) (version, bool) {
	if it.main <= rev {
		return it.version, true
	}
	old := it.history()
	i := sort.Search(len(old), func(i int) bool { return old[i].main > rev })
	if i == 0 {
		return version{}, false
	}
	return old[i-1], true
}

// liveAt tells whether the key exists at revision rev.
func (it *item) liveAt(rev int64) bool {
	v, ok := it.versionAt(rev)
	return ok && !v.tombstone()
}

// count is the number of versions.
func (it *item) count() int { return len(it.history()) + 1 }

// nth is the i-th oldest version.
func (it *item) nth(i int) version {
	if old := it.history(); i < len(old) {
		return old[i]
	}
	return it.version
}

// find returns the position of the version written at rev, or -1.
func (it *item) find(rev Revision) int {
	n := it.count()
	i := sort.Search(n, func(i int) bool { v := it.nth(i); return v.main >= rev.Main })
	for ; i < n; i++ {
		v := it.nth(i)
		if v.main != rev.Main {
			break
		}
		if v.sub() == rev.Sub {
			return i
		}
	}
	return -1
}

// kept returns the position of the first version that a compaction at rev
// keeps: the newest at or below rev, unless it is a tombstone below rev, and
// everything after it. It equals count() if nothing is kept.
func (it *item) kept(rev int64) int {
	old := it.history()
	i := sort.Search(len(old), func(i int) bool { return old[i].main > rev })
	if i == len(old) && it.main <= rev {
		i++
	}
	if i == 0 {
		return 0
	}
	if v := it.nth(i - 1); v.tombstone() && v.main < rev {
		return i
	}
	return i - 1
}

// from returns the item without its first n versions, copied: a re-sliced
// array would keep alive what compaction is to free.
func (it *item) from(n int) *item {
	old := it.history()
	if n >= len(old) {
		return &item{version: it.version}
	}
	return &item{version: it.version, older: &past{versions: append([]version(nil), old[n:]...)}}
}

// moved returns the item with its i-th version replaced by v.
func (it *item) moved(i int, v version) *item {
	old := it.history()
	if i == len(old) {
		return &item{version: v, older: it.older}
	}
	versions := append([]version(nil), old...)
	versions[i] = v
	return &item{version: it.version, older: &past{versions: versions}}
}

// span is the set of keys that key and range end name.
type span struct {
	lo, hi []byte
	single bool // just lo
	open   bool // every key from lo on
}

// spanOf reads a key and range end as etcd's Range does.
func spanOf(key, end []byte) span {
	switch {
	case len(end) == 0:
		return span{lo: key, single: true}
	case len(end) == 1 && end[0] == 0:
		return span{lo: key, open: true}
	}
	return span{lo: key, hi: end}
}

// empty tells that no key can be in s.
func (s span) empty() bool { return !s.single && !s.open && bytes.Compare(s.lo, s.hi) >= 0 }

// below tells that key is not beyond the end of s.
func (s span) below(key []byte) bool {
	if s.single {
		return bytes.Compare(key, s.lo) <= 0
	}
	return s.open || bytes.Compare(key, s.hi) < 0
}
