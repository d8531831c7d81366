package auth

// The hash compares replicas, it doesn't protect against an adversary: FNV-1a
// over fields, each behind its length, and SplitMix64's finalizer between them.

const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

func mix(h, v uint64) uint64 {
	h ^= v + 0x9e3779b97f4a7c15 + h<<6 + h>>2
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func mixBytes[T []byte | string](h uint64, s T) uint64 {
	f := fnvOffset
	for i := range len(s) {
		f = (f ^ uint64(s[i])) * fnvPrime
	}
	return mix(mix(h, uint64(len(s))), f)
}

func (u *User) hash() uint64 {
	h := mix(mixBytes(mixBytes(1, u.Name), u.Hash), u.Since)
	if u.NoPassword {
		h = mix(h, 1)
	}
	for _, r := range u.Roles {
		h = mixBytes(h, r)
	}
	return h
}

func (r *Role) hash() uint64 {
	h := mixBytes(2, r.Name)
	for _, p := range r.Permissions {
		h = mixBytes(mixBytes(mix(h, uint64(p.Access)), p.Key), p.End)
	}
	return h
}
