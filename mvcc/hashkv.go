package mvcc

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// kvHash is etcd's HashKV in the making: CRC-32C of "key", the name of etcd's
// table, and then of every record in revision order:
//
//	+---------------+---+--------------+-----------+---------------------+
//	| main 8 bytes  | _ | sub 8 bytes  | t: only a | mvccpb.KeyValue in  |
//	| big-endian    |   | big-endian   | tombstone | protobuf            |
//	+---------------+---+--------------+-----------+---------------------+
type kvHash struct {
	sum uint32
	buf []byte
}

func newKVHash() kvHash {
	return kvHash{sum: crc32.Update(0, castagnoli, []byte("key"))}
}

// add appends one record.
func (h *kvHash) add(r *record) {
	b := binary.BigEndian.AppendUint64(h.buf[:0], uint64(r.rev.Main))
	b = append(b, '_')
	b = binary.BigEndian.AppendUint64(b, uint64(r.rev.Sub))
	if r.tombstone() {
		b = append(b, 't')
	}
	h.buf = appendKeyValue(b, r)
	h.sum = crc32.Update(h.sum, castagnoli, h.buf)
}

// appendKeyValue encodes mvccpb.KeyValue {key=1 create_revision=2
// mod_revision=3 version=4 value=5 lease=6} as protobuf does: fields in order,
// zero ones left out. A tombstone has a key only.
func appendKeyValue(b []byte, r *record) []byte {
	b = appendBytes(b, 1, r.key)
	if r.tombstone() {
		return b
	}
	b = appendInt(b, 2, r.create)
	b = appendInt(b, 3, r.rev.Main)
	b = appendInt(b, 4, r.version)
	b = appendBytes(b, 5, r.value)
	return appendInt(b, 6, r.lease)
}

func appendInt(b []byte, field byte, x int64) []byte {
	if x == 0 {
		return b
	}
	return binary.AppendUvarint(append(b, field<<3), uint64(x))
}

func appendBytes(b []byte, field byte, x []byte) []byte {
	if len(x) == 0 {
		return b
	}
	b = binary.AppendUvarint(append(b, field<<3|2), uint64(len(x)))
	return append(b, x...)
}

// HashKV is etcd's hash of all revisions up to rev (0: the present), with the
// compacted revision that it was taken at, -1 if there was none, and the
// revision it is of. At the exact revision of one of the last ten compactions
// it is the hash from just before that compaction, with the compacted revision
// of then. It reads everything: milliseconds for ten thousand keys. Errors:
// ErrCompacted, ErrFutureRevision.
func (v *View) HashKV(rev int64) (hash uint32, compactRev, hashRev int64, err error) {
	for _, h := range v.hashes {
		if h.Revision == rev {
			return h.Hash, h.CompactRevision, h.Revision, nil
		}
	}
	switch {
	case rev > v.rev:
		return 0, 0, 0, ErrFutureRevision
	case rev > 0 && rev < v.compacted:
		return 0, 0, 0, ErrCompacted
	case rev == 0:
		rev = v.rev
	}
	h := newKVHash()
	for _, old := range v.hashedOld(rev) {
		r := old.load()
		h.add(&r)
	}
	v.eachAfter(v.compacted, rev, h.add)
	return h.sum, v.compacted, rev, nil
}

// hashedOld returns, in revision order, the versions at or below the compacted
// revision that belong to the hash at rev: those that compaction keeps, and of
// them only what a compaction at rev would keep too, unless that would keep
// nothing at all. A tombstone at the compacted revision is never in it.
func (v *View) hashedOld(rev int64) []version {
	if v.compacted < 0 || rev < v.compacted {
		return nil
	}
	all := span{open: true}
	keepAny := false
	v.tree.ascend(all, func(it *item) bool {
		keepAny = it.liveAt(rev)
		return !keepAny
	})
	var old []version
	v.tree.ascend(all, func(it *item) bool {
		base, ok := it.versionAt(v.compacted)
		if !ok || base.tombstone() {
			return true
		}
		if now, _ := it.versionAt(rev); !keepAny || now == base {
			old = append(old, base)
		}
		return true
	})
	sortVersions(old)
	return old
}

// eachAfter calls f for the records of main revisions in (from, to].
func (v *View) eachAfter(from, to int64, f func(*record)) {
	c := v.log.seek(from + 1)
	for {
		r, _, ok := c.next()
		if !ok || r.rev.Main > to {
			return
		}
		f(&r)
	}
}

// sortVersions orders versions of any keys by revision.
func sortVersions(vs []version) {
	slices.SortFunc(vs, func(a, b version) int {
		switch {
		case a.less(&b):
			return -1
		case b.less(&a):
			return 1
		}
		return 0
	})
}
