package state

// The state hash compares replicas, it doesn't protect against an adversary:
// a 64-bit multiply-and-shift mixer and FNV-1a over bytes are enough, and need
// no dependency.

const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

// mix folds v into h (the finalizer of SplitMix64).
func mix(h, v uint64) uint64 {
	h ^= v + 0x9e3779b97f4a7c15 + h<<6 + h>>2
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// mixBytes folds the length and the bytes of s into h.
func mixBytes[T []byte | string](h uint64, s T) uint64 {
	f := fnvOffset
	for i := range len(s) {
		f = (f ^ uint64(s[i])) * fnvPrime
	}
	return mix(mix(h, uint64(len(s))), f)
}

// Hash returns a hash of the whole replicated state: keys with their history,
// leases with their keys, users and roles, alarms, members and those removed, request windows.
// Replicas with equal applied index have equal hashes; it is blind to how far physical compaction
// is. Cost: a few microseconds, mostly for the windows.
func (s *State) Hash() uint64 {
	h := mix(s.store.Hash(), s.auth.Hash())
	h = s.leases.hash(h)
	for _, a := range s.alarms {
		h = mix(mix(h, a.Member), uint64(a.Kind))
	}
	if s.members.known {
		h = mix(h, 1)
	}
	for _, m := range s.members.rows {
		h = m.hash(h)
	}
	for _, id := range s.members.removed {
		h = mix(h, id)
	}
	return h
}
