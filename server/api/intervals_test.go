package api

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// TestSpansAgainstSets compares the interval arithmetic with plain sets over a
// small key space.
func TestSpansAgainstSets(t *testing.T) { rapid.Check(t, spansModel) }

func FuzzSpans(f *testing.F) { fuzz.Model(f, spansModel) }

func spansModel(t *rapid.T) {
	key := func(i int) []byte { return fmt.Appendf(nil, "%02d", i) }
	const keys = 20
	draw := func(name string) (spans, map[int]bool) {
		var s spans
		in := map[int]bool{}
		for range rapid.IntRange(0, 8).Draw(t, name) {
			from, to := rapid.IntRange(0, keys).Draw(t, "from"), rapid.IntRange(0, keys).Draw(t, "to")
			s = append(s, span{key(from), key(to)})
			for i := from; i < to; i++ {
				in[i] = true
			}
		}
		return s.normalize(), in
	}
	a, inA := draw("a")
	b, inB := draw("b")
	union := merge(a, b)
	for i := range keys {
		if got := union.contain(key(i)); got != (inA[i] || inB[i]) {
			t.Fatalf("%d in union: %v; a %q b %q union %q", i, got, a, b, union)
		}
	}
	for i := 1; i < len(union); i++ {
		if string(union[i-1].to) >= string(union[i].from) {
			t.Fatalf("union isn't disjoint: %q", union)
		}
	}
}
