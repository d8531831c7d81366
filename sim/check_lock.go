package sim

import (
	"slices"
	"sort"
)

// lockBook is K1, seen with the clients' eyes: what the lockers were told. The
// writes that a lock guards, in the order of their revisions, never go back to
// an earlier holder, and every fence has one holder.
type lockBook struct {
	w       *World
	holders map[int64]int // client by fence
	fences  []int64       // of all holders, sorted
	writes  []guardedWrite
}

// guardedWrite is an acknowledged one; writes are sorted by revision.
type guardedWrite struct {
	client          int
	fence, revision int64
}

func (b *lockBook) acquired(c *client, fence int64) {
	if b.holders == nil {
		b.w, b.holders = c.w, map[int64]int{}
	}
	if other, taken := b.holders[fence]; taken {
		b.w.unsafe("K1 a lock has one holder", 0, "c%d and c%d were both given the lock at revision %d", other, c.id, fence)
	}
	b.holders[fence] = c.id
	i, _ := slices.BinarySearch(b.fences, fence)
	b.fences = slices.Insert(b.fences, i, fence)
	for _, g := range b.writes {
		if g.fence < fence && fence < g.revision {
			b.w.unsafe("K1 guarded writes never interleave", 0, "c%d was given the lock at revision %d; c%d, who had it from %d, wrote at %d",
				c.id, fence, g.client, g.fence, g.revision)
		}
	}
}

// wrote takes a guarded write that was acknowledged to its holder.
func (b *lockBook) wrote(c *client, fence, revision int64) {
	i := sort.Search(len(b.writes), func(i int) bool { return b.writes[i].revision >= revision })
	b.writes = append(b.writes, guardedWrite{})
	copy(b.writes[i+1:], b.writes[i:])
	b.writes[i] = guardedWrite{client: c.id, fence: fence, revision: revision}
	for _, j := range [...]int{i - 1, i} {
		if j < 0 || j+1 >= len(b.writes) {
			continue
		}
		if a, z := b.writes[j], b.writes[j+1]; a.fence > z.fence || a.revision == z.revision {
			b.w.unsafe("K1 guarded writes never interleave", 0, "c%d wrote at revision %d holding the lock of %d, after c%d at %d with the lock of %d",
				z.client, z.revision, z.fence, a.client, a.revision, a.fence)
		}
	}
	// Of those who hold it later, somebody may not have written anything yet.
	if i, _ := slices.BinarySearch(b.fences, fence+1); i < len(b.fences) && b.fences[i] < revision {
		next := b.fences[i]
		b.w.unsafe("K1 guarded writes never interleave", 0, "c%d wrote at revision %d holding the lock of %d, but c%d had it from %d",
			c.id, revision, fence, b.holders[next], next)
	}
	if fence >= revision {
		b.w.unsafe("K1 guarded writes never interleave", 0, "c%d wrote at revision %d under a lock of %d", c.id, revision, fence)
	}
}
