package mvcc

import "fmt"

// Options configures a Store.
type Options struct {
	// ChunkBytes is the size of a full-grown history chunk; 0: 256 KiB.
	// Simulations set it small so that chunks end, die and are rewritten.
	ChunkBytes int
}

// Store is the multi-version key-value state. It has one owner, the apply
// actor: none of its methods may run concurrently with another. Everything
// that others may read, they read from a View.
//
// Invariants:
//  1. rev ≥ 1, and every revision in (compacted, rev] can be read;
//  2. what a client can see (values, revisions, counts, events, both hashes)
//     is a function of the commands applied, never of how far physical
//     compaction has come;
//  3. nothing reachable from a published View is ever changed.
type Store struct {
	tree tree
	log  history
	rev  int64
	// compacted is the last compaction's revision, -1 if there was none.
	compacted int64

	changes int64 // of the transaction in progress: the next sub-revision
	state   stateHash

	written   int64 // Σ quota of every record ever kept here
	dead      int64 // Σ record.dead, also of records that are gone
	reclaimed int64 // dead at the compacted revision

	compactor compactor
	hashes    []CompactionHash // the last ten, oldest first; replaced, not changed

	view *View // as published last; nil after a change

	// published, if there is a hub, is how far live watchers have been served:
	// physical compaction doesn't pass it.
	published func() int64
}

// NewStore returns an empty store at revision 1.
func NewStore(o Options) *Store {
	s := &Store{tree: newTree(), rev: 1, compacted: -1}
	s.log.chunkBytes = o.chunkBytes()
	return s
}

func (o Options) chunkBytes() int {
	if o.ChunkBytes <= 0 {
		return chunkBytes
	}
	return o.ChunkBytes
}

// Revision is the store's present revision.
func (s *Store) Revision() int64 { return s.rev }

// CompactRevision is the revision of the last compaction, the lowest that can
// be read; -1 if there was none.
func (s *Store) CompactRevision() int64 { return s.compacted }

// Bytes is the logical size of all versions that compaction at the compacted
// revision leaves (keys, values and a fixed overhead for each version): what the
// quota is about. Deleting adds a tombstone, only compaction gives back. It is
// the same on every replica at the same applied index.
func (s *Store) Bytes() int64 { return s.written - s.reclaimed }

// BytesInUse is the logical size of what can be read at the present: Bytes as a
// compaction now would leave it.
func (s *Store) BytesInUse() int64 { return s.written - s.dead }

// Keys is the number of keys that exist.
func (s *Store) Keys() int64 { return s.tree.root.live }

// Put sets one key. Errors: ErrLeaseNotFound, ErrKeyNotFound; then nothing
// changed.
func (s *Store) Put(req *PutRequest, leases Leases) (*PutResult, error) {
	if err := checkLease(req, leases); err != nil {
		return nil, err
	}
	if err := s.reader().checkIgnore(req); err != nil {
		return nil, err
	}
	res := s.put(req, leases)
	s.commit()
	return res, nil
}

// DeleteRange deletes the keys that exist in a range; if there is none the
// revision stays.
func (s *Store) DeleteRange(req *DeleteRangeRequest, leases Leases) (*DeleteRangeResult, error) {
	res := s.deleteRange(req, leases)
	s.commit()
	return res, nil
}

// DeleteKeys deletes those of keys that exist, in one revision and in the order
// given: what the end of a lease does, with its keys sorted. It returns the
// revision afterwards.
func (s *Store) DeleteKeys(keys [][]byte, leases Leases) int64 {
	for _, key := range keys {
		if it := s.tree.get(key); it != nil && !it.tombstone() {
			s.bury(it, leases)
		}
	}
	s.commit()
	return s.rev
}

// Range reads the store as it is. Errors: ErrCompacted, ErrFutureRevision.
func (s *Store) Range(req *RangeRequest) (*RangeResult, error) {
	return s.reader().rangeKeys(req)
}

// reader sees what the owner sees, in a transaction also its writes so far.
func (s *Store) reader() reader {
	return reader{tree: &s.tree, rev: s.writing(), compacted: s.compacted}
}

// writing is the revision that reads see: the one in progress, if something
// was written in it.
func (s *Store) writing() int64 {
	if s.changes > 0 {
		return s.rev + 1
	}
	return s.rev
}

// commit ends a transaction; its writes, if any, become the next revision.
func (s *Store) commit() {
	s.rev = s.writing()
	s.changes = 0
}

// put writes one version of req.Key; the checks have passed.
func (s *Store) put(req *PutRequest, leases Leases) *PutResult {
	it := s.tree.get(req.Key)
	r := record{key: req.Key, value: req.Value, lease: req.Lease, version: 1}
	var prev record
	if it != nil && !it.tombstone() {
		prev = it.load()
		r.create, r.version = prev.create, prev.version+1
		if req.IgnoreValue {
			r.value = prev.value
		}
		if req.IgnoreLease {
			r.lease = prev.lease
		}
	}
	s.write(it, &r, &prev)
	moveLease(leases, r.key, prev.lease, r.lease)
	res := &PutResult{Revision: s.writing()}
	if req.PrevKV && prev.version > 0 {
		kv := prev.kv()
		res.Prev = &kv
	}
	return res
}

// deleteRange buries every key of the range that exists.
func (s *Store) deleteRange(req *DeleteRangeRequest, leases Leases) *DeleteRangeResult {
	var victims []*item
	s.tree.ascend(spanOf(req.Key, req.End), func(it *item) bool {
		if !it.tombstone() {
			victims = append(victims, it)
		}
		return true
	})
	res := &DeleteRangeResult{Deleted: int64(len(victims))}
	for _, it := range victims {
		prev := s.bury(it, leases)
		if req.PrevKV {
			res.Prev = append(res.Prev, prev.kv())
		}
	}
	res.Revision = s.writing()
	return res
}

// bury writes a tombstone for a key that exists and returns what it was.
func (s *Store) bury(it *item, leases Leases) record {
	prev := it.load()
	s.write(it, &record{key: prev.key}, &prev)
	moveLease(leases, prev.key, prev.lease, 0)
	return prev
}

// write appends r as the newest version of the key of it (nil: a new key). prev
// is the version that exists, or zero. The revision and, for a new key, the
// create revision are filled in here.
func (s *Store) write(it *item, r, prev *record) {
	r.rev = Revision{Main: s.rev + 1, Sub: s.changes}
	if r.version == 1 {
		r.create = r.rev.Main
	}
	if prev.version > 0 {
		r.dead = prev.quota()
	}
	if r.tombstone() {
		r.dead += r.quota()
	}
	s.tree.set(it.with(s.log.append(r, s.dead)))
	s.changes++
	s.written += r.quota()
	s.dead += r.dead
	s.state.write(r, prev)
	s.view = nil
}

// moveLease tells leases that key went from one to another; 0 is none.
func moveLease(leases Leases, key []byte, from, to int64) {
	if from == to {
		return
	}
	if leases == nil {
		panic(fmt.Sprintf("mvcc: key %q moves from lease %d to %d without leases", key, from, to))
	}
	if from != 0 {
		leases.Detach(from, key)
	}
	if to != 0 {
		leases.Attach(to, key)
	}
}

// checkLease tells that the lease a put names is there.
func checkLease(req *PutRequest, leases Leases) error {
	if req.Lease != 0 && (leases == nil || !leases.Exists(req.Lease)) {
		return ErrLeaseNotFound
	}
	return nil
}
