package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// What can be done to processes and machines.
var processVerbs = []verb{
	{"kill", []param{pWho, pFor}, doKill, "the process ends; what it had not synced stays in the page cache; it starts again after the duration"},
	{"crash", []param{pWho, pAfter, pFor}, doCrash,
		"the machine loses its power: each un-synced write is kept, lost or torn. torn: during the next sync of its log; sync N: the N-th; op N: inside a later disk operation"},
	{"start", []param{pWho, pAfter, pFor}, doStart, "a machine that is down starts; torn, sync N, op N: and loses its power again on the way"},
	{"pause", []param{pWho, pMicros}, doPause, "the process stands still while time goes on (SIGSTOP)"},
	{"stall", []param{pWho, pWord(false, actorNames[:]...), pMicros}, doStall, "one of the member's three actors stands still"},
	{"campaign", []param{pWho}, doCampaign, "the member asks for votes as if its election timeout had passed"},
}

func doKill(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up {
		return false
	}
	n.kill()
	w.faults.tellClosed(n)
	w.faults.restartAfter(n, a.For)
	return true
}

func doCrash(w *World, a *Action) bool {
	n := w.who(a.Who)
	switch {
	case n == nil || n.life == 0 || n.removed:
		return false
	case a.Word == "":
		n.powerLoss()
		w.faults.restartAfter(n, a.For)
		return true
	case !n.up || n.armed():
		return false
	}
	n.arm(a)
	return true
}

// arm lets the power go at the disk operation that the action names.
func (n *Node) arm(a *Action) {
	n.outage = a.For
	switch a.Word {
	case "torn":
		n.armSync(1)
	case "sync":
		n.armSync(int(max(a.Count, 1)))
	case "op":
		n.armDisk(int(a.Count))
	}
}

func doStart(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || n.up || n.removed || n.broken || n.life == 0 {
		return false
	}
	n.arm(a)
	n.start()
	return true
}

func doPause(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up {
		return false
	}
	n.pausedUntil = w.now + a.Micros
	return true
}

func doStall(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up {
		return false
	}
	for i, name := range actorNames {
		if name == a.Word {
			n.stalledUntil[i] = w.now + a.Micros
		}
	}
	return true
}

func doCampaign(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up || n.last.role == raft.Leader {
		return false
	}
	raftOf(n.rep).Campaign()
	// A hint about itself means nothing, but it gives the core a turn, in which
	// the requests for votes leave.
	n.enqueue(replica.PeerUnreachableEvent{Peer: n.id})
	return true
}
