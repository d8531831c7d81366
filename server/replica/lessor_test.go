package replica

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// The heap of deadlines agrees with a plain map.
func TestLessorMatchesMap(t *testing.T) { rapid.Check(t, lessorModel) }

func FuzzLessor(f *testing.F) { fuzz.Model(f, lessorModel) }

func lessorModel(t *rapid.T) {
	var l lessor
	l.lead(3)
	model, ending, now := map[int64]uint64{}, map[int64]bool{}, uint64(0)
	id := rapid.Int64Range(1, 8)
	t.Repeat(map[string]func(*rapid.T){
		"set": func(t *rapid.T) {
			i, tick := id.Draw(t, "id"), rapid.Uint64Range(0, 40).Draw(t, "tick")
			l.set(i, tick)
			model[i] = tick
		},
		"extend": func(t *rapid.T) {
			i, tick := id.Draw(t, "id"), rapid.Uint64Range(0, 40).Draw(t, "tick")
			l.extend(i, tick)
			model[i] = max(model[i], tick)
		},
		"remove": func(t *rapid.T) {
			i := id.Draw(t, "id")
			l.remove(i)
			delete(model, i)
			delete(ending, i)
		},
		"expire": func(t *rapid.T) {
			now += rapid.Uint64Range(0, 10).Draw(t, "ticks")
			var got, want []int64
			for i, ok := l.expired(now, 5); ok; i, ok = l.expired(now, 5) {
				got = append(got, i)
			}
			for i, tick := range model {
				if tick <= now {
					want, model[i], ending[i] = append(want, i), now+5, true
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("expired %v, want %v", got, want)
			}
		},
		"": func(t *rapid.T) {
			for i, tick := range model {
				left, ok := l.remaining(i, now)
				want := max(tick, now) - now
				if ending[i] {
					want = 0
				}
				if !ok || left != want || l.ending(i) != ending[i] {
					t.Fatalf("remaining(%d) = %d, %v; want %d", i, left, ok, want)
				}
			}
			if len(l.queue) != len(model) {
				t.Fatalf("%d deadlines, want %d", len(l.queue), len(model))
			}
		},
	})
}

// A lease whose revocation was decided can't be kept alive any more.
func TestLessorEnding(t *testing.T) {
	var l lessor
	l.lead(1)
	l.set(7, 10)
	if l.ending(7) {
		t.Error("ending before its deadline")
	}
	if id, ok := l.expired(10, 5); !ok || id != 7 {
		t.Fatalf("expired %d %v", id, ok)
	}
	if left, ok := l.remaining(7, 10); !ok || left != 0 || !l.ending(7) {
		t.Errorf("%d ticks left, %v, ending %v", left, ok, l.ending(7))
	}
	l.remove(7)
	l.set(7, 20) // granted again
	if l.ending(7) {
		t.Error("a new lease of that id is ending")
	}
}
