package sim

import (
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

// Of three members one is down and two are linked through the third, which lacks
// what was committed last: by links alone it must lead, and it can't.
func TestElectable(t *testing.T) {
	newest := func(w *World) (ahead, hub *Node) {
		for _, n := range w.live() {
			if ahead == nil || n.ahead(ahead) {
				ahead = n
			}
			if hub == nil || hub.ahead(n) {
				hub = n
			}
		}
		return ahead, hub
	}
	w := newWorld(Options{Seed: 1, Nodes: 5})
	w.build()
	w.runUntil(2*second, nil)
	lagging := w.node(w.leader().id%5 + 1)
	w.perform(Action{Verb: "isolate", Who: is(lagging.id)})
	w.runUntil(w.now+second, nil)
	ahead, hub := newest(w)
	if hub != lagging || !ahead.ahead(hub) {
		t.Fatalf("n%d is not behind n%d", hub.id, ahead.id)
	}
	w.perform(Action{Verb: "heal"})
	var others []*Node
	for _, n := range w.live() {
		if n != hub {
			others = append(others, n)
		}
	}
	for _, n := range others[:2] {
		n.kill()
		n.broken = true
	}
	if !w.electable() {
		t.Error("three whole members with all links can't elect")
	}
	a, b := others[2], others[3]
	w.faults.cut([][2]raft.NodeID{{a.id, b.id}, {b.id, a.id}})
	if w.electable() {
		t.Errorf("n%d reaches n%d and n%d, and is to lead though its log ends before theirs", hub.id, a.id, b.id)
	}
}

// A clean stop that meets a sync which never returns is ended from outside; the
// member comes back with all that it had.
func TestStopMeetsHungSync(t *testing.T) {
	w := lived(t, 1)
	// A batch that no mark proves yet: the stop will write one.
	n, last := w.node(2), w.node(2).shadow.last()
	if !w.runUntil(w.now+10*second, func() bool { return n.up && n.shadow.last() > last }) {
		t.Fatal("n2 appends nothing")
	}
	for _, a := range []Action{{Verb: "hangsync", Who: is(2), For: 10 * second}, {Verb: "stop", Who: is(2), For: 100 * millisecond}} {
		if !w.perform(a) {
			t.Fatalf("%v was not done", a)
		}
	}
	if w.count["clean stops that hang"] != 1 {
		t.Errorf("the stop did not hang")
	}
	w.runUntil(w.now+second, nil)
	if !n.up {
		t.Errorf("n2 is not up again")
	}
}

// Once the faults have ended no frame takes longer than elections can bear; until
// then some do.
func TestTailEndsWithTheFaults(t *testing.T) {
	w := newWorld(Options{Seed: 1, Nodes: 3})
	w.build()
	n := w.net
	n.knobs.DelayShape, n.knobs.DelayMean = delayHeavyTail, 2000
	timeout := int64(w.plan.Raft.ElectionTicks) * w.plan.Raft.TickMicros
	longest := func() (most int64) {
		for range 100_000 {
			most = max(most, n.travel())
		}
		return most
	}
	if most := longest(); most < timeout/2 {
		t.Errorf("at most %d µs in the chaos, election timeout %d", most, timeout)
	}
	n.heal()
	if most := longest(); most > timeout/2 {
		t.Errorf("%d µs after it, election timeout %d", most, timeout)
	}
}
