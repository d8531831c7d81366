package mvcc

import (
	"hash/crc32"
)

// Compact forgets what can only be seen at revisions below rev. It takes effect
// at once: such revisions can't be read any more. Reads at rev itself stay
// valid. The work of freeing memory is CompactStep's. Errors: ErrCompacted if
// rev is not above the last compaction (of a store without one: if it is
// negative; 0 passes, as in etcd, and forgets nothing), ErrFutureRevision if it
// is above the present revision.
func (s *Store) Compact(rev int64) error {
	if rev <= s.compacted {
		return ErrCompacted
	}
	if rev > s.rev {
		return ErrFutureRevision
	}
	s.compactor.queue = append(s.compactor.queue, compaction{prev: s.compacted, at: rev})
	s.compacted = rev
	s.reclaimed = s.log.deadAt(rev, s.dead)
	s.state.compact(rev)
	s.view = nil
	return nil
}

// Compacting tells that CompactStep has work.
func (s *Store) Compacting() bool { return len(s.compactor.queue) > 0 }

// compaction is one call of Compact; prev is the compacted revision before.
type compaction struct {
	prev, at int64
}

// compactor does the physical work of compactions, oldest first, in three
// phases, each in slices:
//
//	hash    the records as they are, for HashKV at this compaction's revision
//	sweep   drop dead versions from the index, by walking the records in
//	        [prev, at]: each has killed what came before it
//	rewrite merge chunks that are less than half live
//
// The sweep walks changes, not keys: its cost is what happened since the last
// compaction. Versions of revision ≤ prev that are alive lie untouched.
type compactor struct {
	queue  []compaction
	phase  phase
	cursor cursor // hash, sweep
	hash   kvHash
	merge  merge // rewrite
}

type phase uint8

const (
	phaseBegin phase = iota
	phaseHash
	phaseSweep
	phaseRewrite
)

// CompactStep does a slice of the work that Compact left, looking at about
// budget keys or records, and tells whether all is done that can be: events
// that a hub has still to publish are kept. Call it between batches; clients
// can't see the difference.
func (s *Store) CompactStep(budget int) (done bool) {
	for left := max(budget, 1); left > 0 && s.ready(); {
		c := s.compactor.queue[0]
		switch s.compactor.phase {
		case phaseBegin:
			s.compactor.hash = newKVHash()
			s.enter(phaseHash, 0)
		case phaseHash:
			left = s.hashStep(c, left)
		case phaseSweep:
			left = s.sweepStep(c, left)
		case phaseRewrite:
			left = s.rewriteStep(left)
		}
	}
	return !s.ready()
}

// ready tells that the oldest compaction may be worked on.
func (s *Store) ready() bool {
	return s.Compacting() && (s.published == nil || s.compactor.queue[0].at <= s.published())
}

// enter starts a phase that reads history from revision from on.
func (s *Store) enter(p phase, from int64) {
	s.compactor.phase, s.compactor.cursor = p, s.log.extent().seek(from)
}

// hashStep feeds HashKV's cached answer for this compaction.
func (s *Store) hashStep(c compaction, left int) int {
	k := &s.compactor
	for ; left > 0; left-- {
		r, _, ok := k.cursor.next()
		if !ok || r.rev.Main > c.at {
			s.addHash(CompactionHash{Revision: c.at, CompactRevision: c.prev, Hash: k.hash.sum})
			s.enter(phaseSweep, c.prev)
			return left
		}
		if r.rev.Main > c.prev || s.hashedOld(&r, c) {
			k.hash.add(&r)
		}
	}
	return 0
}

// hashedOld tells whether a record at or below the previous compaction is in
// the hash: if it is still there, no tombstone at that compaction, and kept by
// this one. (etcd keeps all of them if a compaction keeps nothing at all. None
// does: what happened at its revision is a put that it keeps or a tombstone
// that it keeps. HashKV, which leaves out the tombstone, does need the rule.)
func (s *Store) hashedOld(r *record, c compaction) bool {
	it := s.tree.get(r.key)
	if it == nil || r.tombstone() {
		return false
	}
	i := it.find(r.rev)
	return i >= 0 && (i+1 == it.count() || it.nth(i+1).main > c.at)
}

// hashesMax is how many compactions HashKV answers exactly.
const hashesMax = 10

// CompactionHash is HashKV's answer for the exact revision of a compaction.
type CompactionHash struct {
	Revision        int64
	CompactRevision int64 // of the compaction before, -1 if none
	Hash            uint32
}

// addHash remembers h; views share the old list, so it is copied.
func (s *Store) addHash(h CompactionHash) {
	old := s.hashes
	if len(old) == hashesMax {
		old = old[1:]
	}
	s.hashes = append(append(make([]CompactionHash, 0, len(old)+1), old...), h)
	s.view = nil
}

// sweepStep drops from the index what the records in [prev, at] have killed.
// prev itself is in it for the tombstones that the last compaction had to keep.
func (s *Store) sweepStep(c compaction, left int) int {
	k := &s.compactor
	for left > 0 {
		r, _, ok := k.cursor.next()
		if !ok || r.rev.Main > c.at {
			k.phase, k.merge = phaseRewrite, merge{}
			return left
		}
		left -= 1 + s.trim(r.key, c.at)
	}
	return max(left, 0)
}

// trim drops the versions of key that a compaction at rev doesn't keep. It
// returns what it cost beyond the lookup, in keys.
func (s *Store) trim(key []byte, rev int64) int {
	it := s.tree.get(key)
	if it == nil {
		return 0
	}
	n := it.kept(rev)
	if n == 0 {
		return 0
	}
	for i := range n {
		v := it.nth(i)
		v.at.live -= v.encodedBytes()
	}
	if n == it.count() {
		s.tree.delete(key)
	} else {
		s.tree.set(it.from(n))
	}
	s.view = nil
	return it.count() / versionsPerKey
}

// versionsPerKey is how many versions of one key may be copied for the price
// of looking at a key.
const versionsPerKey = 64

// finish ends the oldest compaction of the queue.
func (s *Store) finish() {
	k := &s.compactor
	*k = compactor{queue: k.queue[1:]}
	if len(k.queue) == 0 {
		k.queue = nil
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
