package replica

import (
	"testing"

	"github.com/holdfast-db/holdfast/internal/fuzz"
	"github.com/holdfast-db/holdfast/server/state"
	"pgregory.net/rapid"
)

// The ring behaves like a map with an ordered lower bound.
func TestPendingMatchesMap(t *testing.T) { rapid.Check(t, pendingModel) }

func FuzzPending(f *testing.F) { fuzz.Model(f, pendingModel) }

func pendingModel(t *rapid.T) {
	p := newPending()
	model := map[uint64]*Request{}
	seq, now := uint64(0), uint64(0)
	t.Repeat(map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			seq += uint64(rapid.IntRange(1, 3).Draw(t, "gap"))
			r := &Request{id: state.RequestID{Seq: seq}, deadline: now + 10}
			p.add(r)
			model[seq] = r
		},
		"take": func(t *rapid.T) {
			s := rapid.Uint64Range(0, seq+2).Draw(t, "seq")
			if got := p.take(s); got != model[s] {
				t.Fatalf("take(%d) = %v, want %v", s, got, model[s])
			}
			delete(model, s)
		},
		"tick": func(t *rapid.T) {
			now += uint64(rapid.IntRange(0, 12).Draw(t, "ticks"))
			for r := p.expired(now); r != nil; r = p.expired(now) {
				if model[r.id.Seq] != r || r.deadline > now {
					t.Fatalf("expired %d wrongly", r.id.Seq)
				}
				delete(model, r.id.Seq)
			}
			for s, r := range model {
				if r.deadline <= now {
					t.Fatalf("%d should have expired", s)
				}
			}
		},
		"": func(t *rapid.T) {
			lowest := p.high
			for s := range model {
				lowest = min(lowest, s)
			}
			if p.low != lowest {
				t.Fatalf("low = %d, want %d", p.low, lowest)
			}
		},
	})
}
