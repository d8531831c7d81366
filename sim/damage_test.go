package sim

import (
	"fmt"
	"testing"
)

// lived is a world of three members with some history, all disks sound.
func lived(t *testing.T, seed uint64) *World {
	t.Helper()
	w := newWorld(Options{Seed: seed, Nodes: 3})
	w.build()
	w.runUntil(3*second, nil)
	if len(w.oracle.log) == 0 {
		t.Fatal("nothing was committed in three seconds")
	}
	return w
}

// Every way to damage a disk leaves a member that notices at its next start and
// stays down, or that has lost nothing; the other two go on.
func TestDamageIsNoticed(t *testing.T) {
	verbs := []Action{
		{Verb: "lose", Word: "segment"}, {Verb: "lose", Word: "super"}, {Verb: "shorten", Word: "segment"},
		{Verb: "shorten", Word: "super"}, {Verb: "misplace", Peer: is(2)}, {Verb: "misplace", Peer: is(3)},
	}
	for _, class := range rotClasses {
		for _, how := range []string{"bit", "zeros", "garbage", "block"} {
			verbs = append(verbs, Action{Verb: "rot", Word: class, How: how})
		}
	}
	struck, stopped := 0, 0
	const worlds = 2
	for i := range worlds * len(verbs) {
		a, seed := verbs[i/worlds], uint64(i%5)+1
		t.Run(fmt.Sprintf("%s %s %s seed %d", a.Verb, a.Word, a.How, seed), func(t *testing.T) {
			w := lived(t, seed)
			a.Who, a.Count = is(2), int64(i*13)
			if !w.perform(a) {
				t.Skip("nothing of that class there yet")
			}
			struck++
			n := w.node(2)
			n.kill()
			n.start()
			if !n.up && !n.broken {
				t.Errorf("neither up nor given up")
			}
			if n.broken {
				stopped++
			}
			if !w.runUntil(w.now+20*second, func() bool { return w.leader() != nil }) {
				t.Errorf("the rest has no leader")
			}
		})
	}
	if struck < worlds*len(verbs)/2 || stopped < 10*worlds {
		t.Errorf("%d of %d deeds found something, %d members stopped", struck, worlds*len(verbs), stopped)
	}
}

// A wiped member has no vote and no part in a quorum, and is replaced.
func TestWipedMemberDoesNotCount(t *testing.T) {
	w := lived(t, 1)
	w.faults.running, w.plan.ReplaceDamaged = true, true
	if !w.perform(Action{Verb: "wipe", Who: is(2), For: 100 * millisecond}) {
		t.Fatal("not wiped")
	}
	n := w.node(2)
	w.runUntil(w.now+10*second, func() bool { return w.count["damaged members replaced"] > 0 })
	if w.count["damaged members replaced"] != 1 || !n.removed && n.up && n.last.commit > 0 {
		t.Errorf("replaced %d, the wiped one: %+v", w.count["damaged members replaced"], n.last)
	}
	if _, still := w.oracle.config.Find(2); still {
		t.Errorf("still a member: %v", w.oracle.config)
	}
}

// The budget: never more than a minority, and none while a change is under way.
func TestAtlas(t *testing.T) {
	w := lived(t, 1)
	f := w.faults
	if !f.affords(w.node(1)) {
		t.Fatal("three sound members can't spare one")
	}
	w.node(3).damaged = true
	if f.affords(w.node(1)) {
		t.Error("two of three may be damaged")
	}
	if f.sound(Action{Verb: "remove", Who: is(2)}) {
		t.Error("a sound member may go while another is damaged")
	}
	if !f.sound(Action{Verb: "remove", Who: is(3)}) {
		t.Error("the damaged member may not go")
	}
	w.node(3).damaged = false
	w.asked = w.now
	if f.affords(w.node(1)) {
		t.Error("damage in the middle of a change")
	}
}

// A wipe is not drawn where nobody could tell the empty disk from the old one.
func TestWipeNeedsMemory(t *testing.T) {
	wipe := func(w *World, id int) bool {
		return w.perform(Action{Verb: "wipe", Who: is(w.nodes[id-1].id), For: 100 * millisecond})
	}
	w := lived(t, 1)
	if !wipe(w, 2) {
		t.Error("two of three know who the second one was")
	}
	if wipe(w, 3) {
		t.Error("the second and the third, both empty, would begin anew together")
	}
	w = lived(t, 1)
	w.node(1).shadow.init() // it never got the entry that binds the incarnations
	if wipe(w, 2) {
		t.Error("the first doesn't know who the second one was, and would vote with it")
	}
	alone := newWorld(Options{Seed: 1, Nodes: 1})
	alone.build()
	alone.runUntil(3*second, nil)
	if wipe(alone, 1) {
		t.Error("who began alone begins alone again")
	}
}
