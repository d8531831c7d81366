package mvcc

import (
	"encoding/binary"
	"fmt"
	"math"
)

// chunkBytes is the size of a full-grown chunk. Small enough that rewriting
// one is a slice of work, large enough that a store of a million keys has about
// a thousand of them; both sizes are whole pages to the allocator.
const (
	chunkBytes    = 256 << 10
	chunkBytesMin = 4 << 10
)

// chunk is a piece of history: records in revision order in one byte array
// without pointers, so that the garbage collector never looks inside. The same
// bytes serve the index (a version points at its record) and history.
//
// Invariants:
//  1. bytes [0, used) hold whole records in strictly increasing revision;
//  2. a byte once written is never changed, and data is never reallocated;
//  3. live is the encoded size of the records that the writer's index holds.
//
// data and first are fixed at creation and may be read by any goroutine that
// was handed the chunk. The rest belongs to the writer; used is fixed, and so
// readable, once a later chunk exists (a view knows its own end of the last).
//
// A record:
//
//	+--------------+-----+------+-----+---------+--------------+---------
//	| key length   | key | main | sub | version | main−create, | dead
//	| uvarint      |     | uv.  | uv. | uvarint | lease zigzag | uvarint
//	+--------------+-----+------+-----+---------+--------------+---------
//	---------------------------+
//	 value length uv. | value  |
//	---------------------------+
//
// A tombstone has version 0 and ends after dead; the create distance, lease and
// value are there for puts only. dead is the logical size that this change made
// collectable: the version it replaced, and itself if it is a tombstone.
type chunk struct {
	data  []byte
	first Revision

	used      int
	live      int
	last      Revision
	deadAfter int64 // Store.dead as it was after the last record
}

// record is a decoded record. Key and value alias the chunk.
type record struct {
	key, value []byte
	rev        Revision
	create     int64
	version    int64 // 0: tombstone
	lease      int64
	dead       int64
}

func (r *record) tombstone() bool { return r.version == 0 }

// kv presents a put as clients see it.
func (r *record) kv() KeyValue {
	return KeyValue{Key: r.key, Value: r.value, CreateRevision: r.create,
		ModRevision: r.rev.Main, Version: r.version, Lease: r.lease}
}

// quota is what the record counts towards Store.Bytes.
func (r *record) quota() int64 { return quotaOf(len(r.key), len(r.value)) }

// versionOverhead is the bookkeeping of one version, in bytes: record header,
// index item, its share of a tree node.
const versionOverhead = 64

func quotaOf(keyBytes, valueBytes int) int64 {
	return int64(keyBytes) + int64(valueBytes) + versionOverhead
}

// headMax bounds all of a record but key and value: eight varints.
const headMax = 8 * binary.MaxVarintLen64

// appendTail encodes what follows the key, without the value.
func (r *record) appendTail(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.rev.Main))
	b = binary.AppendUvarint(b, uint64(r.rev.Sub))
	b = binary.AppendUvarint(b, uint64(r.version))
	if !r.tombstone() {
		b = binary.AppendUvarint(b, uint64(r.rev.Main-r.create))
		b = binary.AppendVarint(b, r.lease)
	}
	b = binary.AppendUvarint(b, uint64(r.dead))
	if !r.tombstone() {
		b = binary.AppendUvarint(b, uint64(len(r.value)))
	}
	return b
}

// add copies the record to the end of the chunk and returns where it is; false
// if it doesn't fit.
func (c *chunk) add(r *record) (version, bool) {
	var head [headMax]byte
	pre := binary.AppendUvarint(head[:0], uint64(len(r.key)))
	tail := r.appendTail(pre[len(pre):])
	size := len(pre) + len(r.key) + len(tail) + len(r.value)
	if c.used+size > len(c.data) {
		return version{}, false
	}
	v := newVersion(c, c.used+len(pre), r)
	p := c.used
	p += copy(c.data[p:], pre)
	p += copy(c.data[p:], r.key)
	p += copy(c.data[p:], tail)
	copy(c.data[p:], r.value)
	c.used += size
	c.live += size
	c.last = r.rev
	return v, true
}

// read decodes the record at offset off and returns the offset after it.
// The bytes are our own: a malformed record is a broken promise.
func (c *chunk) read(off int) (r record, v version, next int) {
	keyBytes, n := binary.Uvarint(c.data[off:])
	keyAt := off + n
	if n <= 0 || keyBytes > uint64(len(c.data)-keyAt) {
		panic(fmt.Sprintf("mvcc: chunk of %v broken at %d of %d", c.first, off, c.used))
	}
	next = c.readAt(keyAt, int(keyBytes), &r)
	return r, newVersion(c, keyAt, &r), next
}

// readAt decodes the record whose key is at keyAt and returns the offset
// after it.
func (c *chunk) readAt(keyAt, keyBytes int, r *record) int {
	p := keyAt + keyBytes
	r.key = c.data[keyAt:p:p]
	uv := func() uint64 {
		x, n := binary.Uvarint(c.data[p:])
		p += n
		return x
	}
	r.rev.Main = int64(uv())
	r.rev.Sub = int64(uv())
	r.version = int64(uv())
	if r.version == 0 {
		r.create, r.lease, r.value = 0, 0, nil
		r.dead = int64(uv())
		return p
	}
	r.create = r.rev.Main - int64(uv())
	lease, n := binary.Varint(c.data[p:])
	p += n
	r.lease = lease
	r.dead = int64(uv())
	valueBytes := int(uv())
	end := p + valueBytes
	r.value = c.data[p:end:end]
	return end
}

// newChunk returns an empty chunk of size bytes whose first record will be at
// revision first.
func newChunk(size int, first Revision) *chunk {
	if size > math.MaxUint32 {
		panic(fmt.Sprintf("mvcc: chunk of %d bytes", size))
	}
	return &chunk{data: make([]byte, size), first: first}
}
