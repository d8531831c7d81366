package mvcc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/google/btree"
	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// fakeItem is an item with one version.
func fakeItem(key []byte, main int64, tombstone bool) *item {
	r := record{key: key, rev: Revision{Main: main}, create: main, version: 1}
	if tombstone {
		r.version, r.create = 0, 0
	}
	c := newChunk(headMax+len(key), r.rev)
	v, _ := c.add(&r)
	return &item{version: v}
}

// entry is what the oracle, google/btree, knows of an item.
type entry struct {
	key       string
	main      int64
	tombstone bool
}

type twins struct {
	tree   tree
	oracle *btree.BTreeG[entry]
	keys   int
}

func (w *twins) draw(t *rapid.T) []byte {
	return binary.BigEndian.AppendUint16(nil, uint16(rapid.IntRange(0, w.keys).Draw(t, "key")))
}

func (w *twins) set(key []byte, main int64, tombstone bool) {
	w.tree.set(fakeItem(key, main, tombstone))
	w.oracle.ReplaceOrInsert(entry{string(key), main, tombstone})
}

func (w *twins) delete(key []byte) {
	w.tree.delete(key)
	w.oracle.Delete(entry{key: string(key)})
}

// compare looks at the whole tree and at a random range of it.
func (w *twins) compare(t *rapid.T) {
	if _, err := w.tree.root.check(nil, nil, true); err != nil {
		t.Fatal(err)
	}
	lo, hi := w.draw(t), w.draw(t)
	for _, s := range []span{{lo: lo, hi: hi}, {lo: lo, open: true}, {open: true}, {lo: lo, single: true}} {
		rev := rapid.Int64Range(0, 100).Draw(t, "rev")
		var want []entry
		var count int64
		w.oracle.AscendGreaterOrEqual(entry{key: string(s.lo)}, func(e entry) bool {
			if !s.below([]byte(e.key)) {
				return false
			}
			want = append(want, e)
			if e.main <= rev && !e.tombstone {
				count++
			}
			return true
		})
		var got []entry
		w.tree.ascend(s, func(it *item) bool {
			got = append(got, entry{string(it.key()), it.main, it.tombstone()})
			return true
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: got %v, want %v", s, got, want)
		}
		if n := w.tree.count(s, rev); n != count {
			t.Fatalf("%+v at %d: count %d, want %d", s, rev, n, count)
		}
	}
	if it := w.tree.get(lo); (it != nil) != w.oracle.Has(entry{key: string(lo)}) {
		t.Fatalf("get(%x): %v", lo, it)
	}
}

func newOracleTree() *btree.BTreeG[entry] {
	return btree.NewG(8, func(a, b entry) bool { return a.key < b.key })
}

// TestTree runs bulk and single changes on the tree and on google/btree; clones
// must stay as they were.
func TestTree(t *testing.T) { rapid.Check(t, treeModel) }

func FuzzTree(f *testing.F) { fuzz.Model(f, treeModel) }

func treeModel(t *rapid.T) {
	w := &twins{tree: newTree(), oracle: newOracleTree(), keys: rapid.SampledFrom([]int{50, 1000, 20000}).Draw(t, "keys")}
	var clones []*twins
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		from, n := rapid.IntRange(0, w.keys).Draw(t, "from"), rapid.SampledFrom([]int{1, 5, 100, 1000}).Draw(t, "n")
		stride := rapid.SampledFrom([]int{1, -1, 7, 331}).Draw(t, "stride")
		main, tombstone := rapid.Int64Range(1, 100).Draw(t, "main"), drawRarely(t)
		remove := rapid.Bool().Draw(t, "remove")
		for i := range n {
			k := ((from+i*stride)%w.keys + w.keys) % w.keys
			key := binary.BigEndian.AppendUint16(nil, uint16(k))
			if remove {
				w.delete(key)
			} else {
				w.set(key, main, tombstone)
			}
		}
		w.compare(t)
		if drawRarely(t) {
			clones = append(clones, &twins{tree: w.tree.clone(), oracle: w.oracle.Clone(), keys: w.keys})
		}
	}
	for _, c := range clones {
		c.compare(t)
	}
}

func drawRarely(t *rapid.T) bool { return rapid.IntRange(0, 3).Draw(t, "rarely") == 0 }

// TestTreeBuild: a bulk-built tree of every awkward size is whole, and can be
// changed.
func TestTreeBuild(t *testing.T) {
	sizes := []int{0, 1, 2, nodeMax - 1, nodeMax, nodeMax + 1, 2*nodeMax + 1, nodeMax * nodeMax, nodeMax*nodeMax + 1, nodeMax*nodeMax + nodeMax + 1, 10_000}
	for _, n := range sizes {
		var items []*item
		for i := range n {
			items = append(items, fakeItem(fmt.Appendf(nil, "%08d", i), int64(i+1), i%10 == 0))
		}
		tr := buildTree(items)
		if _, err := tr.root.check(nil, nil, true); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		tr.set(fakeItem([]byte("x"), 1, false))
		for i := range n {
			tr.delete(fmt.Appendf(nil, "%08d", i))
		}
		if _, err := tr.root.check(nil, nil, true); err != nil || tr.root.size() != 1 {
			t.Fatalf("%d after deletion: %v, %d left", n, err, tr.root.size())
		}
	}
}

// TestTreeFill: keys that come in order leave full leaves, not half-full ones.
func TestTreeFill(t *testing.T) {
	tr := newTree()
	const n = 20_000
	for i := range n {
		tr.set(fakeItem(fmt.Appendf(nil, "%08d", i), 1, false))
	}
	leaves := 0
	var walk func(*node)
	walk = func(n *node) {
		if n.leaf() {
			leaves++
		}
		for _, c := range n.children {
			walk(c)
		}
	}
	walk(tr.root)
	if full := n/nodeMax + 1; leaves > full+full/10 {
		t.Errorf("%d leaves for %d keys, %d would do", leaves, n, full)
	}
}

// TestWatchIndex compares the interval tree with looking at every range.
func TestWatchIndex(t *testing.T) { rapid.Check(t, watchIndexModel) }

func FuzzWatchIndex(f *testing.F) { fuzz.Model(f, watchIndexModel) }

func watchIndexModel(t *rapid.T) {
	x := newWatchIndex()
	var groups []*group
	key := func() []byte {
		return []byte(rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 0, 3, -1).Draw(t, "key"))
	}
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		if len(groups) > 0 && drawRarely(t) {
			i := rapid.IntRange(0, len(groups)-1).Draw(t, "gone")
			x.remove(groups[i])
			groups = slices.Delete(groups, i, i+1)
			continue
		}
		s := spanOf(key(), [][]byte{nil, {0}, key()}[rapid.IntRange(0, 2).Draw(t, "kind")])
		if g := x.join(s); !slices.Contains(groups, g) {
			groups = append(groups, g)
		} else if g != x.find(s) {
			t.Fatalf("two groups of %+v", s)
		}
	}
	for range 10 {
		k := key()
		seen := map[*group]int{}
		x.visit(k, func(g *group) { seen[g]++ })
		for _, g := range groups {
			want := 0
			if bytes.Compare(k, g.span.lo) >= 0 && g.span.below(k) {
				want = 1
			}
			if seen[g] != want {
				t.Fatalf("%q: %+v seen %d times, want %d", k, g.span, seen[g], want)
			}
			delete(seen, g)
		}
		if len(seen) != 0 {
			t.Fatalf("%q: removed groups seen", k)
		}
	}
}
