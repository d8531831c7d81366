package sim

import "github.com/holdfast-db/holdfast/raft"

// A process that is killed between a write and its sync leaves bytes that are
// read back and yet not durable: they lie in the page cache, until the power
// goes, too.
var killVerbs = []verb{
	{"killsync", []param{pWho, pMicros, pCount("sync"), pFor}, doKillSync,
		"its process is killed while the N-th next write to its log waits for the sync; it starts again after the duration, and the machine loses its power the given time later"},
}

func doKillSync(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up || n.armed() {
		return false
	}
	again := *a
	n.cutShort = &again
	n.armSync(int(max(a.Count, 1)))
	return true
}

// killAtDisk ends the process in the middle of its disk operations, then lets it
// recover, and takes the power before recovery's work has aged.
func (n *Node) killAtDisk(where string) {
	w, a := n.w, n.cutShort
	n.cutShort = nil
	w.trace.line(w.now, whatCrash, uint8(n.id), "killed inside %s", where)
	w.count.add("kills inside a disk operation")
	n.kill()
	w.faults.tellClosed(n)
	restart := max(a.For, 1)
	w.faults.restartAfter(n, restart)
	life := n.life
	w.at(restart+a.Micros, whatCrash, uint8(n.id), func() {
		if !n.up || n.life != life+1 || w.phase > PhaseChaos {
			return
		}
		w.trace.line(w.now, whatCrash, uint8(n.id), "power lost after recovery")
		n.powerLoss()
		w.faults.restartLater(n)
	})
}

// killSync draws such a kill.
func (f *faultPlanner) killSync() bool {
	n := f.someNode()
	if n == nil || n.armed() {
		return false
	}
	return f.w.perform(Action{Verb: "killsync", Who: is(n.id), Count: 1 + f.d.Int64N(3),
		Micros: f.d.between(0, 8*millisecond), For: f.d.between(1, 10*millisecond)})
}

// pausedLeader makes a leader that doesn't know that it is none any more: its
// process stands still, with its clock, while the others, who can't reach it
// either, elect another; then it goes on, still alone, and has clients.
func (f *faultPlanner) pausedLeader() bool {
	n := f.w.leader()
	if n == nil || len(f.w.nodes) == 1 || !n.clientUp {
		return false
	}
	if f.d.percent(50) {
		// Reads are under way there when it stops, and others ask it what they
		// have written elsewhere meanwhile.
		f.w.perform(Action{Verb: "doubt", Who: is(n.id), For: 3 * second})
		f.whileReading(n, 1000, func() { f.pauseAlone(n) })
		return true
	}
	return f.pauseAlone(n)
}

// whileReading waits for a moment at which reads wait for the leader's quorum:
// then the answers come while it stands still.
func (f *faultPlanner) whileReading(n *Node, tries int, strike func()) {
	f.w.strikeAfter(f.d.between(50, 400), func() {
		switch {
		case !f.running || !n.up || n.last.role != raft.Leader:
		case tries == 0 || n.rep.Waiting().Reads > 0:
			strike()
		default:
			f.whileReading(n, tries-1, strike)
		}
	})
}

func (f *faultPlanner) pauseAlone(n *Node) bool {
	timeout := 2 * int64(f.w.plan.Raft.ElectionTicks) * f.w.plan.Raft.TickMicros
	still := f.d.between(timeout, 3*timeout)
	if !f.w.perform(Action{Verb: "pause", Who: is(n.id), Micros: still}) {
		return false
	}
	alone := f.d.between(0, 5*millisecond)
	a := Action{Verb: "isolate", Who: is(n.id), For: still + f.d.between(millisecond, timeout)}
	if f.d.percent(40) {
		// What its clients write there is still on the way to the disk when the
		// new leader overwrites it.
		f.w.perform(Action{Verb: "slowdisk", Who: is(n.id), Micros: f.d.between(timeout/2, 2*timeout), For: a.For})
	}
	f.w.strikeAfter(alone, func() {
		if f.running {
			f.w.perform(a)
		}
	})
	return true
}
