package sim

// Faults of processes and machines.

// kill ends a process; what it had not synced is still in the page cache.
func (f *faultPlanner) kill() bool { return f.killNode(f.someNode()) }

func (f *faultPlanner) killLeader() bool { return f.killNode(f.w.leader()) }

func (f *faultPlanner) killNode(n *Node) bool {
	if n == nil {
		return false
	}
	a := Action{Verb: "kill", Who: is(n.id), For: f.outage()}
	if !f.d.percent(20) {
		return f.w.perform(a)
	}
	// Then the machine goes too, before anything was synced again.
	a.For = 0
	f.w.perform(a)
	return f.w.perform(Action{Verb: "crash", Who: is(n.id), For: f.outage()})
}

// power takes a machine's power, between two of its steps or while its next
// write to the log waits for the sync.
func (f *faultPlanner) power() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	a := Action{Verb: "crash", Who: is(n.id), For: f.outage()}
	if f.d.percent(40) && !n.armed() {
		a.Word = "torn"
	}
	return f.w.perform(a)
}

// torn takes it inside one of the next disk operations, so that writes are cut
// short: this is where torn tails come from.
func (f *faultPlanner) torn() bool {
	n := f.someNode()
	if n == nil || n.armed() {
		return false
	}
	if !f.d.percent(f.w.plan.Disk.TornPercent) {
		return f.power()
	}
	a := Action{Verb: "crash", Who: is(n.id), For: f.outage(), Word: "op", Count: 1 + f.d.Int64N(6)}
	if f.d.percent(80) {
		a.Word, a.Count = "sync", 1+f.d.Int64N(3)
	}
	return f.w.perform(a)
}

// powerAll takes it from all machines at once.
func (f *faultPlanner) powerAll() bool {
	for _, n := range f.w.live() {
		f.w.perform(Action{Verb: "crash", Who: is(n.id), For: f.outage()})
	}
	return true
}

// storm restarts one member again and again, also inside its recovery.
func (f *faultPlanner) storm() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	f.stormOf(n, 2+f.d.IntN(4))
	return true
}

// stormOf brings it down; a little later it starts, and again later comes the
// next blow. The last one is followed by an outage as any other.
func (f *faultPlanner) stormOf(n *Node, left int) {
	if n.removed || !f.running {
		return
	}
	if left == 0 {
		f.w.perform(Action{Verb: "start", Who: is(n.id)})
		return
	}
	blow := Action{Verb: "crash", Who: is(n.id)}
	if n.up && f.d.percent(50) {
		blow.Verb = "kill"
	}
	f.w.perform(blow)
	again := Action{Verb: "start", Who: is(n.id)}
	if f.d.percent(50) {
		again.Word, again.Count, again.For = "op", 1+f.d.Int64N(12), f.outage()
	}
	f.w.strikeAfter(f.d.between(0, 20*millisecond), func() {
		if f.running {
			f.w.perform(again)
		}
	})
	f.w.strikeAfter(f.d.between(21*millisecond, 80*millisecond), func() { f.stormOf(n, left-1) })
}

// pause stops all of a process while time goes on (SIGSTOP, a long collection).
func (f *faultPlanner) pause() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	return f.w.perform(Action{Verb: "pause", Who: is(n.id), Micros: f.outage()})
}

// stallActor stops one of the three: a scheduler owes nobody fairness. A leader
// whose state lags behind its log must not answer from it, and a member whose
// core has missed ticks that its other actors have seen may lead later.
func (f *faultPlanner) stallActor() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	a := Action{Verb: "stall", Who: is(n.id), Word: actorNames[f.d.IntN(3)], Micros: f.outage() / 2}
	if l := f.w.leader(); l != nil && f.d.percent(30) {
		a.Who, a.Word = is(l.id), "apply"
	}
	if a.Word == "core" && f.d.percent(60) {
		f.w.strikeAfter(a.Micros+f.d.between(0, 300*millisecond), func() {
			if l := f.w.leader(); f.running && l != nil && l != n {
				f.w.perform(Action{Verb: "transfer", Who: is(l.id), Peer: is(n.id)})
			}
		})
	}
	return f.w.perform(a)
}

// longPause is a stop that outlasts every timeout: seconds to minutes.
func (f *faultPlanner) longPause() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{Verb: "pause", Who: is(n.id), Micros: f.d.between(1, 60) * pick(f.d, 100*millisecond, second, 5*second)})
}

// cleanStop is an orderly restart.
func (f *faultPlanner) cleanStop() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{Verb: "stop", Who: is(n.id), For: f.outage()})
}

// twin is a mistake of an operator, or of a supervisor that restarts too soon.
func (f *faultPlanner) twin() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{Verb: "twin", Who: is(n.id)})
}

// wrongClock lets one clock run fast or slow for a while.
func (f *faultPlanner) wrongClock() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{
		Verb: "clock", Who: is(n.id), Word: pick(f.d, "fast", "slow"), Count: f.d.between(1, f.w.plan.ClockPPM), For: f.outage(),
	})
}

// freezeClock stops one clock, more often the leader's: it can't notice that its
// time is over.
func (f *faultPlanner) freezeClock() bool {
	n := f.someNode()
	if l := f.w.leader(); l != nil && f.d.percent(60) {
		n = l
	}
	return n != nil && f.w.perform(Action{Verb: "freeze", Who: is(n.id), For: f.outage()})
}

// staleLeader cuts the leader off for so long that the others elect another,
// leaves it half of the clients, and when it is back lets frames of its time
// arrive again: whatever it answers must not be older than what the others have
// answered meanwhile.
func (f *faultPlanner) staleLeader() bool {
	n := f.w.leader()
	if n == nil || len(f.w.nodes) < 3 {
		return false
	}
	timeout := int64(f.w.plan.Raft.ElectionTicks) * f.w.plan.Raft.TickMicros
	length := f.d.between(timeout, 6*timeout)
	replays := Action{Verb: "replay", Who: is(n.id), Count: f.d.between(5, 60)}
	f.w.perform(Action{Verb: "lure", Who: is(n.id)})
	if !f.w.perform(Action{Verb: "isolate", Who: is(n.id), For: length}) {
		return false
	}
	for _, at := range []int64{length + f.d.between(1, 2*millisecond), length + f.d.between(1, timeout)} {
		f.w.strikeAfter(at, func() {
			if f.running {
				f.w.perform(replays)
			}
		})
	}
	return true
}
