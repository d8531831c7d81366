package mvcc

import (
	"bytes"
	"sort"
)

// nodeMax is the most items or children of a node, nodeMin the fewest that it
// is left with before it is merged with a neighbour if they fit together.
// With nodeMax+1 pointers, which a node holds just before it is split, a full
// array is one 512-byte block to the allocator.
const (
	nodeMax = 63
	nodeMin = nodeMax / 4
)

// edition marks the nodes that one writer made since it last handed out a
// clone: only those may it change in place.
type edition struct{ _ byte }

// tree is the index: a copy-on-write B+ tree of items ordered by key, with the
// number of live keys kept below each node.
//
// A clone is two words. It shares all nodes with its original; the writer
// copies a node, and so the path to it, the first time it changes it after a
// clone was taken. Clones are for reading.
//
// Invariants of a node:
//  1. a leaf has items in increasing key, an inner node children and, between
//     each two of them, a key: not above any key right of it, above every key
//     left of it. These keys are copies: an alias would keep a dead chunk;
//  2. all leaves are at one depth; no node but the root is empty;
//  3. live counts the items below whose newest version is not a tombstone;
//  4. no version below has a main revision above newest.
type tree struct {
	root *node
	own  *edition
}

type node struct {
	own      *edition
	items    []*item
	children []*node
	keys     [][]byte
	live     int64
	newest   int64
}

func newTree() tree {
	own := new(edition)
	return tree{root: &node{own: own}, own: own}
}

// clone returns the tree as it is; t goes on with copying what it changes.
func (t *tree) clone() tree {
	t.own = new(edition)
	return tree{root: t.root}
}

func (n *node) leaf() bool { return n.children == nil }

// mutable returns n itself or a copy that own may change.
func (n *node) mutable(own *edition) *node {
	if n.own == own {
		return n
	}
	c := &node{own: own, live: n.live, newest: n.newest}
	if n.leaf() {
		c.items = append(make([]*item, 0, nodeMax+1), n.items...)
		return c
	}
	c.children = append(make([]*node, 0, nodeMax+1), n.children...)
	c.keys = append(make([][]byte, 0, nodeMax), n.keys...)
	return c
}

// slot finds key among the items of a leaf.
func (n *node) slot(key []byte) (int, bool) {
	lo, hi := 0, len(n.items)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(n.items[mid].key(), key); {
		case c == 0:
			return mid, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// child is the position of the child that may hold key.
func (n *node) child(key []byte) int {
	return sort.Search(len(n.keys), func(i int) bool { return bytes.Compare(n.keys[i], key) > 0 })
}

// get returns the item of key, nil if there is none.
func (t *tree) get(key []byte) *item {
	n := t.root
	for !n.leaf() {
		n = n.children[n.child(key)]
	}
	if i, ok := n.slot(key); ok {
		return n.items[i]
	}
	return nil
}

// set puts it in the place of the item with the same key, or adds it.
func (t *tree) set(it *item) {
	t.root = t.root.mutable(t.own)
	if right, key := t.root.set(it, t.own); right != nil {
		left := t.root
		t.root = &node{own: t.own, children: append(make([]*node, 0, nodeMax+1), left, right),
			keys: append(make([][]byte, 0, nodeMax), key)}
		t.root.sum()
	}
}

// set returns the new right neighbour and its smallest key if n was split.
func (n *node) set(it *item, own *edition) (*node, []byte) {
	if n.leaf() {
		return n.setItem(it, own)
	}
	i := n.child(it.key())
	child := n.children[i].mutable(own)
	n.children[i] = child
	before := child.live
	right, key := child.set(it, own)
	n.newest = max(n.newest, it.main)
	n.live += child.live - before
	if right == nil {
		return nil, nil
	}
	n.live += right.live
	n.children = insertAt(n.children, i+1, right)
	n.keys = insertAt(n.keys, i, key)
	if len(n.children) <= nodeMax {
		return nil, nil
	}
	return n.splitInner(own, i+1 == len(n.children)-1)
}

func (n *node) setItem(it *item, own *edition) (*node, []byte) {
	key := it.key()
	i, found := n.slot(key)
	n.newest = max(n.newest, it.main)
	n.live += liveCount(it)
	if found {
		n.live -= liveCount(n.items[i])
		n.items[i] = it
		return nil, nil
	}
	n.items = insertAt(n.items, i, it)
	if len(n.items) <= nodeMax {
		return nil, nil
	}
	// Keys that come in order would leave every leaf half empty if it were
	// split in the middle: split where they come.
	at := len(n.items) / 2
	if i == len(n.items)-1 {
		at = i
	}
	right := &node{own: own, items: append(make([]*item, 0, nodeMax+1), n.items[at:]...)}
	clear(n.items[at:])
	n.items = n.items[:at]
	n.sum()
	right.sum()
	return right, bytes.Clone(right.items[0].key())
}

func (n *node) splitInner(own *edition, atEnd bool) (*node, []byte) {
	at := len(n.children) / 2
	if atEnd {
		at = len(n.children) - 2
	}
	right := &node{own: own,
		children: append(make([]*node, 0, nodeMax+1), n.children[at:]...),
		keys:     append(make([][]byte, 0, nodeMax), n.keys[at:]...)}
	key := n.keys[at-1]
	clear(n.children[at:])
	clear(n.keys[at-1:])
	n.children, n.keys = n.children[:at], n.keys[:at-1]
	n.sum()
	right.sum()
	return right, key
}

// sum recomputes live and newest from what is directly below.
func (n *node) sum() {
	n.live, n.newest = 0, 0
	for _, it := range n.items {
		n.live += liveCount(it)
		n.newest = max(n.newest, it.main)
	}
	for _, c := range n.children {
		n.live += c.live
		n.newest = max(n.newest, c.newest)
	}
}

func liveCount(it *item) int64 {
	if it.tombstone() {
		return 0
	}
	return 1
}

// delete removes the item of key, if there is one.
func (t *tree) delete(key []byte) {
	if t.get(key) == nil {
		return
	}
	t.root = t.root.mutable(t.own)
	t.root.delete(key, t.own)
	for !t.root.leaf() && len(t.root.children) == 1 {
		t.root = t.root.children[0]
	}
}

// delete removes key, which is there.
func (n *node) delete(key []byte, own *edition) {
	if n.leaf() {
		i, _ := n.slot(key)
		n.live -= liveCount(n.items[i])
		n.items = removeAt(n.items, i)
		return
	}
	i := n.child(key)
	child := n.children[i].mutable(own)
	n.children[i] = child
	before := child.live
	child.delete(key, own)
	n.live += child.live - before
	if child.size() < nodeMin {
		n.shrink(i, own)
	}
}

func (n *node) size() int { return len(n.items) + len(n.children) }

// shrink removes child i if it is empty and joins it with a neighbour if both
// fit into one node with room to spare. A node is otherwise left small: keys
// are deleted by compaction in bulk, so an even fill isn't worth its moves.
func (n *node) shrink(i int, own *edition) {
	if n.children[i].size() == 0 {
		n.children = removeAt(n.children, i)
		if len(n.keys) > 0 {
			n.keys = removeAt(n.keys, max(i-1, 0))
		}
		return
	}
	for _, l := range [2]int{i, i - 1} {
		if l >= 0 && l+1 < len(n.children) && n.children[l].size()+n.children[l+1].size() <= nodeMax*3/4 {
			n.join(l, own)
			return
		}
	}
}

// join moves what is in child l+1 into child l.
func (n *node) join(l int, own *edition) {
	left, right := n.children[l].mutable(own), n.children[l+1]
	n.children[l] = left
	if left.leaf() {
		left.items = append(left.items, right.items...)
	} else {
		left.keys = append(append(left.keys, n.keys[l]), right.keys...)
		left.children = append(left.children, right.children...)
	}
	left.sum()
	n.children = removeAt(n.children, l+1)
	n.keys = removeAt(n.keys, l)
}

// ascend calls f for the items of s in key order until it returns false.
func (t *tree) ascend(s span, f func(*item) bool) {
	if s.single {
		if it := t.get(s.lo); it != nil {
			f(it)
		}
		return
	}
	if !s.empty() {
		t.root.ascend(s, true, f)
	}
}

// ascend visits n; bounded tells that n may hold keys below s.lo.
func (n *node) ascend(s span, bounded bool, f func(*item) bool) bool {
	i := 0
	if n.leaf() {
		if bounded {
			i, _ = n.slot(s.lo)
		}
		for _, it := range n.items[i:] {
			if !s.below(it.key()) || !f(it) {
				return false
			}
		}
		return true
	}
	if bounded {
		i = n.child(s.lo)
	}
	for ; i < len(n.children); i++ {
		if !n.children[i].ascend(s, bounded, f) {
			return false
		}
		bounded = false
	}
	return true
}

// count returns how many keys of s exist at revision rev. A subtree that is
// wholly in s and didn't change after rev is answered by its root, so that a
// count at the present costs one path at either end.
func (t *tree) count(s span, rev int64) int64 {
	if s.single {
		if it := t.get(s.lo); it != nil && it.liveAt(rev) {
			return 1
		}
		return 0
	}
	if s.empty() {
		return 0
	}
	return t.root.count(s, rev, true, !s.open)
}

// count visits n; low and high tell that n may hold keys below or beyond s.
func (n *node) count(s span, rev int64, low, high bool) (total int64) {
	if !low && !high && n.newest <= rev {
		return n.live
	}
	if n.leaf() {
		return n.countItems(s, rev, low, high)
	}
	first, last := 0, len(n.children)-1
	if low {
		first = n.child(s.lo)
	}
	if high {
		last = n.child(s.hi)
	}
	for i := first; i <= last; i++ {
		total += n.children[i].count(s, rev, low && i == first, high && i == last)
	}
	return total
}

func (n *node) countItems(s span, rev int64, low, high bool) (total int64) {
	first, last := 0, len(n.items)
	if low {
		first, _ = n.slot(s.lo)
	}
	if high {
		last, _ = n.slot(s.hi)
	}
	for i := first; i < last; i++ {
		if n.items[i].liveAt(rev) {
			total++
		}
	}
	return total
}

// buildTree returns a tree of items that are in strictly increasing key order,
// with full nodes.
func buildTree(items []*item) tree {
	t := newTree()
	if len(items) == 0 {
		return t
	}
	var level []*node
	var firsts [][]byte
	for len(items) > 0 {
		k := min(nodeMax, len(items))
		n := &node{own: t.own, items: append(make([]*item, 0, nodeMax+1), items[:k]...)}
		n.sum()
		level, firsts, items = append(level, n), append(firsts, bytes.Clone(items[0].key())), items[k:]
	}
	for len(level) > 1 {
		level, firsts = buildLevel(t.own, level, firsts)
	}
	t.root = level[0]
	return t
}

// buildLevel puts inner nodes above level; firsts are the smallest keys.
func buildLevel(own *edition, level []*node, firsts [][]byte) (up []*node, upFirsts [][]byte) {
	for i := 0; i < len(level); {
		k := min(nodeMax, len(level)-i)
		if rest := len(level) - i - k; rest == 1 {
			k-- // leave no inner node with a single child
		}
		n := &node{own: own,
			children: append(make([]*node, 0, nodeMax+1), level[i:i+k]...),
			keys:     append(make([][]byte, 0, nodeMax), firsts[i+1:i+k]...)}
		n.sum()
		up, upFirsts = append(up, n), append(upFirsts, firsts[i])
		i += k
	}
	return up, upFirsts
}

func insertAt[T any](s []T, i int, x T) []T {
	var zero T
	s = append(s, zero)
	copy(s[i+1:], s[i:])
	s[i] = x
	return s
}

func removeAt[T any](s []T, i int) []T {
	var zero T
	copy(s[i:], s[i+1:])
	s[len(s)-1] = zero
	return s[:len(s)-1]
}
