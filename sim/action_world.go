package sim

// What is done to the world as a whole.
var worldVerbs = []verb{
	{"heal", nil, doHeal, "every fault ends, and the network loses nothing any more; what is down starts"},
	{"end", nil, func(*World, *Action) bool { return true }, "nothing more is done: the checks of the end begin, which a script without this line does after its last one"},
	{"lure", []param{pWho}, doLure, "half of the clients talk to this member next"},
	{"doubt", []param{pWho, pFor}, doDoubt, "for the duration, whatever is written anywhere is read back at once from this member"},
	{"leave", []param{pWho, pWord(false, "down", "cut", "deaf")}, doLeave,
		"the member stays broken for good, and the end's checks do without it: down, cut off, or deaf but still heard"},
}

func doHeal(w *World, _ *Action) bool {
	f := w.faults
	f.running = false
	for _, r := range f.heals {
		f.mend(r)
	}
	f.heals = nil
	w.net.heal()
	for _, n := range w.nodes {
		n.clientUp = !n.broken && n.wipes == 0
		n.wakeUp()
		n.repairDisk()
		if n.stuck() {
			n.kill()
		}
		n.scrub()
		if !n.up && !n.removed && !n.broken && n.life > 0 {
			n.start()
		}
	}
	return true
}

func doLeave(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || n.removed {
		return false
	}
	n.broken, n.clientUp = true, false
	w.count.add("members left broken")
	if a.Word == "down" {
		n.powerLoss()
		return true
	}
	w.faults.cutOff(n, a.Word == "deaf")
	w.load.connectionsLost(n)
	return true
}

func doDoubt(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || w.load == nil || a.For == 0 {
		return false
	}
	w.load.doubted, w.load.doubtedUntil = n.id, w.now+a.For
	return true
}

func doLure(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || w.load == nil {
		return false
	}
	for i, c := range w.load.clients {
		if i%2 == 0 {
			c.node = n.id
		}
	}
	return true
}
