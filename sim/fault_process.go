package sim

// Faults of processes and machines.

// kill ends a process; what it had not synced is still in the page cache.
func (f *faultPlanner) kill() bool { return f.killNode(f.someNode()) }

func (f *faultPlanner) killLeader() bool { return f.killNode(f.w.leader()) }

func (f *faultPlanner) killNode(n *Node) bool {
	if n == nil {
		return false
	}
	f.w.trace.line(f.w.now, whatCrash, uint8(n.id), "killed")
	n.kill()
	f.tellClosed(n)
	if f.d.percent(20) {
		// Then the machine goes too, before anything was synced again.
		n.powerLoss()
	}
	f.restartLater(n)
	return true
}

// power takes a machine's power, between two of its steps or while its next
// write to the log waits for the sync.
func (f *faultPlanner) power() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	if f.d.percent(40) && !n.armed() {
		n.armSync(1)
		return true
	}
	f.w.trace.line(f.w.now, whatCrash, uint8(n.id), "power lost")
	n.powerLoss()
	f.restartLater(n)
	return true
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
	if f.d.percent(80) {
		n.armSync(1 + f.d.IntN(3))
	} else {
		n.armDisk(1 + f.d.IntN(6))
	}
	return true
}

// powerAll takes it from all machines at once.
func (f *faultPlanner) powerAll() bool {
	for _, n := range f.w.live() {
		n.powerLoss()
		f.restartLater(n)
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

func (f *faultPlanner) stormOf(n *Node, left int) {
	if left == 0 || n.removed || !f.running {
		if !n.up {
			f.restartLater(n)
		}
		return
	}
	if n.up && f.d.percent(50) {
		n.kill()
	} else {
		n.powerLoss()
	}
	life := n.life
	f.w.at(f.d.between(0, 20*millisecond), whatStart, uint8(n.id), func() {
		if n.life == life && !n.up && !n.removed && f.running {
			if f.d.percent(50) {
				n.armDisk(1 + f.d.IntN(12))
			}
			n.start()
		}
	})
	f.w.at(f.d.between(21*millisecond, 80*millisecond), whatFault, uint8(n.id), func() { f.stormOf(n, left-1) })
}

// pause stops all of a process while time goes on (SIGSTOP, a long collection).
func (f *faultPlanner) pause() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	n.pausedUntil = f.w.now + f.d.around(f.w.plan.OutageMean)
	return true
}

// stallActor stops one of the three: a scheduler owes nobody fairness.
func (f *faultPlanner) stallActor() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	n.stalledUntil[f.d.IntN(3)] = f.w.now + f.d.around(f.w.plan.OutageMean/2)
	return true
}
