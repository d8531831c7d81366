package raft_test

import (
	"math/rand/v2"
	"testing"

	"github.com/holdfast-db/holdfast/internal/fuzz"
	"github.com/holdfast-db/holdfast/raft"
)

// FuzzCluster is TestRandom with its draws from the fuzzer: all messages are ones
// that members sent, in an order and with losses, crashes and changes of members
// that bytes decide.
func FuzzCluster(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(fuzz.Bytes(seed, 1000))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		source := fuzz.NewSource(b)
		w := drawWorld(rand.New(source), 0, map[string]int{})
		for steps := 0; len(source.Left) > 0 && w.failure == nil; steps++ {
			w.step()
			if steps%8 == 0 {
				w.fail(w.logMatching())
			}
			w.note()
		}
		w.heal()
		if w.failure != nil {
			t.Fatal(w.failure)
		}
	})
}

// FuzzMembership is FuzzCluster with little else than changes of members: the
// first byte of each pair chooses who asks or what moves, the second how far.
func FuzzMembership(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(fuzz.Bytes(seed, 400))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		source := fuzz.NewSource(b)
		cfg := defaultConfig()
		cfg.ElectionTicks, cfg.HeartbeatTicks = 3, 1
		c := newCluster(cfg, voters(1+int(source.Uint64()>>56)%4, 1))
		c.quiet, c.applyBytes = true, 20
		w := &world{cluster: c, rnd: rand.New(source), marks: map[string]int{}, asked: map[raft.ReadID]raft.Index{}}
		for len(source.Left) > 0 && w.failure == nil {
			w.changeMembers()
			w.note()
		}
		w.heal()
		if w.failure != nil {
			t.Fatal(w.failure)
		}
	})
}

func (w *world) changeMembers() {
	m := w.pick()
	switch k := w.rnd.IntN(16); {
	case m.node == nil:
		w.start(m)
	case k < 4:
		w.change(m)
		w.run(m)
	case k < 9:
		for range 1 + w.rnd.IntN(8) {
			w.someMessage()
		}
	case k < 11:
		w.tickAll(1 + w.rnd.IntN(5))
	case k < 12:
		w.stabilize()
	case k < 13:
		w.crash(m)
	case k < 14:
		_ = m.node.Transfer(w.pick().id)
		w.run(m)
	case k < 15:
		w.partition()
	default:
		clear(w.cut)
	}
}
