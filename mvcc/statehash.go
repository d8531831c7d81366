package mvcc

import (
	"encoding/binary"
	"math/bits"
)

// stateHash is the fingerprint that replicas compare at equal applied index. It
// follows logical effects only, so it doesn't know how far physical compaction
// has come, and it costs two passes over a record at a write.
//
// chain folds in every effect in order: replicas that took different paths to
// equal keys differ for ever. live is the sum over the keys that exist; it can
// be computed again from the data, and a loaded store is checked against it.
type stateHash struct {
	chain uint64
	live  uint64
}

// write adds the effect of replacing prev, which may be zero, by r.
func (h *stateHash) write(r, prev *record) {
	sum := sumRecord(r)
	h.chain = mix(h.chain^sum, sum)
	if !r.tombstone() {
		h.live += sum
	}
	if prev.version > 0 {
		h.live -= sumRecord(prev)
	}
}

// compact adds the effect of forgetting history below rev.
func (h *stateHash) compact(rev int64) {
	h.chain = mix(h.chain^seedCompact, uint64(rev))
}

// sum combines the state's parts.
func (h *stateHash) sum(rev, compacted int64) uint64 {
	return mix(mix(h.chain, h.live), mix(uint64(rev), uint64(compacted)))
}

// Odd constants with mixed bits: the first digits of the fractions of √2, √3,
// √5 and √7 in hexadecimal.
const (
	seedA       = 0x6a09e667f3bcc909
	seedB       = 0xbb67ae8584caa73b
	seedC       = 0x3c6ef372fe94f82b
	seedCompact = 0xa54ff53a5f1d36f1
)

// mix folds two words into one through a 128-bit product. Unlike a plain
// product neither a zero word nor an equal pair loses the other's bits.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^seedA, b^seedB)
	return hi ^ lo ^ bits.RotateLeft64(a, 32) ^ seedC
}

// sumRecord hashes what is logical in a record. It is not a cryptographic
// hash: it finds faults, not forgeries.
func sumRecord(r *record) uint64 {
	h := mix(uint64(r.rev.Main), uint64(r.rev.Sub))
	h = mix(h, mix(uint64(r.create), uint64(r.version)))
	h = mix(h, uint64(r.lease))
	return sumBytes(sumBytes(h, r.key), r.value)
}

// sumBytes continues h with the length and the bytes of b.
func sumBytes(h uint64, b []byte) uint64 {
	h = mix(h, uint64(len(b)))
	for len(b) >= 8 {
		h = mix(h, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		h = mix(h, binary.LittleEndian.Uint64(last[:]))
	}
	return h
}

// Hash is the state hash: equal on replicas that applied the same commands,
// whatever physical compaction each has done.
func (s *Store) Hash() uint64 { return s.state.sum(s.rev, s.compacted) }
