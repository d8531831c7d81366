package sim

// What is done to the world as a whole.
var worldVerbs = []verb{
	{"heal", nil, doHeal, "every fault ends, and the network loses nothing any more; what is down starts"},
	{"end", nil, func(*World, *Action) bool { return true }, "nothing more is done: the checks of the end begin, which a script without this line does after its last one"},
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
	w.net.perfect = true
	for _, n := range w.nodes {
		n.pausedUntil, n.stalledUntil, n.clientUp = 0, [3]int64{}, !n.broken && n.wipes == 0
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
