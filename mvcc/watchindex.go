package mvcc

import "bytes"

// watchIndex finds the watchers of a key. Watchers of the same key or range
// form a group; groups of single keys are in a map, groups of ranges in an
// interval tree: a search tree ordered by start, then end, in which every node
// knows the largest end below it, so that a search leaves out what ends before
// the key. The tree is balanced as a treap whose priorities are hashes of the
// range, so that its shape depends on the set of ranges only.
type watchIndex struct {
	single map[string]*group
	ranges *group
}

// group is the watchers of one key or range.
type group struct {
	span     span
	watchers []*watcher
	behind   int   // how many of them are behind
	hits     []int // the events of the pass that is going on, in Hub.hits
	parts    [variants][]part
	built    [variants]bool

	// Range groups only: the tree.
	left, right *group
	priority    uint64
	maxHi       []byte // largest end in the subtree,
	maxOpen     bool   // unless one is open
}

func newWatchIndex() watchIndex { return watchIndex{single: map[string]*group{}} }

// join returns the group of s, made if need be. It keeps no alias of s.
func (x *watchIndex) join(s span) *group {
	g := x.find(s)
	if g != nil {
		return g
	}
	g = &group{span: span{lo: bytes.Clone(s.lo), hi: bytes.Clone(s.hi), single: s.single, open: s.open}}
	if s.single {
		x.single[string(s.lo)] = g
		return g
	}
	g.priority = sumBytes(sumBytes(seedA, s.lo), s.hi)
	x.ranges = x.ranges.insert(g)
	return g
}

func (x *watchIndex) find(s span) *group {
	if s.single {
		return x.single[string(s.lo)]
	}
	for g := x.ranges; g != nil; {
		switch c := s.compare(g.span); {
		case c == 0:
			return g
		case c < 0:
			g = g.left
		default:
			g = g.right
		}
	}
	return nil
}

// remove drops a group that has no watchers left.
func (x *watchIndex) remove(g *group) {
	if g.span.single {
		delete(x.single, string(g.span.lo))
		return
	}
	x.ranges = x.ranges.remove(g.span)
}

// visit calls f for every group that key belongs to: the single key first, then
// ranges by start and end.
func (x *watchIndex) visit(key []byte, f func(*group)) {
	if g := x.single[string(key)]; g != nil {
		f(g)
	}
	x.ranges.visit(key, f)
}

// compare orders ranges by start, then end, an open one last.
func (s span) compare(o span) int {
	if c := bytes.Compare(s.lo, o.lo); c != 0 {
		return c
	}
	switch {
	case s.open && o.open:
		return 0
	case s.open:
		return 1
	case o.open:
		return -1
	}
	return bytes.Compare(s.hi, o.hi)
}

// visit skips subtrees that end at or before key, and those right of a start
// beyond it.
func (g *group) visit(key []byte, f func(*group)) {
	if g == nil || !g.maxOpen && bytes.Compare(g.maxHi, key) <= 0 {
		return
	}
	g.left.visit(key, f)
	if bytes.Compare(g.span.lo, key) > 0 {
		return
	}
	if g.span.below(key) {
		f(g)
	}
	g.right.visit(key, f)
}

// update recomputes the largest end.
func (g *group) update() {
	g.maxHi, g.maxOpen = g.span.hi, g.span.open
	for _, c := range [2]*group{g.left, g.right} {
		if c == nil {
			continue
		}
		g.maxOpen = g.maxOpen || c.maxOpen
		if bytes.Compare(c.maxHi, g.maxHi) > 0 {
			g.maxHi = c.maxHi
		}
	}
}

// insert adds n, whose span isn't in the tree, and returns the new root.
func (g *group) insert(n *group) *group {
	if g == nil {
		n.update()
		return n
	}
	if n.priority > g.priority {
		n.left, n.right = g.split(n.span)
		n.update()
		return n
	}
	if n.span.compare(g.span) < 0 {
		g.left = g.left.insert(n)
	} else {
		g.right = g.right.insert(n)
	}
	g.update()
	return g
}

// split parts the tree into what is below s and what is above.
func (g *group) split(s span) (below, above *group) {
	if g == nil {
		return nil, nil
	}
	if g.span.compare(s) < 0 {
		g.right, above = g.right.split(s)
		g.update()
		return g, above
	}
	below, g.left = g.left.split(s)
	g.update()
	return below, g
}

// remove takes the node of s out and returns the new root.
func (g *group) remove(s span) *group {
	if g == nil {
		return nil
	}
	switch c := s.compare(g.span); {
	case c < 0:
		g.left = g.left.remove(s)
	case c > 0:
		g.right = g.right.remove(s)
	default:
		return joinTreaps(g.left, g.right)
	}
	g.update()
	return g
}

// joinTreaps makes one tree of two, all of l below all of r.
func joinTreaps(l, r *group) *group {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	case l.priority > r.priority:
		l.right = joinTreaps(l.right, r)
		l.update()
		return l
	}
	r.left = joinTreaps(l, r.left)
	r.update()
	return r
}
