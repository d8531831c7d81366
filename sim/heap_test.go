package sim

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Events come in the order of time, and of their making at one instant.
func TestHeapOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h eventHeap
		var want []event
		for i, at := range rapid.SliceOfN(rapid.Int64Range(0, 9), 0, 60).Draw(t, "times") {
			e := event{at: at, seq: uint64(i)}
			h.push(e)
			want = append(want, e)
		}
		slices.SortStableFunc(want, func(a, b event) int { return int(a.at - b.at) })
		for i := range want {
			if got := h.pop(); got.at != want[i].at || got.seq != want[i].seq {
				t.Fatalf("event %d is %d/%d, want %d/%d", i, got.at, got.seq, want[i].at, want[i].seq)
			}
		}
	})
}
