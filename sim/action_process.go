package sim

import (
	"errors"
	"math"

	"github.com/holdfast-db/holdfast/internal/disk"
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
	{"stop", []param{pWho, pFor}, doStop, "the process ends as it should: jobs are finished, the log is closed; it starts again after the duration"},
	{"twin", []param{pWho}, doTwin, "somebody starts a second process on the member's directory; it must be refused"},
	{"clock", []param{pWho, pWord(false, "fast", "slow"), pCount("ppm"), pFor}, doClock, "the member's clock runs fast or slow by so many parts per million"},
	{"freeze", []param{pWho, pFor}, doFreeze, "the member's clock stands still, and nothing else does"},
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
	n.sleepUntil(&n.pausedUntil, a.Micros)
	return true
}

func doStall(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up {
		return false
	}
	for i, name := range actorNames {
		if name == a.Word {
			n.sleepUntil(&n.stalledUntil[i], a.Micros)
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

func doStop(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up || n.disk.hung {
		return false
	}
	err := n.closeCleanly()
	if n.diskStopped() {
		n.crashAtDisk("a clean stop")
		return true
	}
	if n.disk.hung {
		// The stop waits for a sync that never returns, until somebody ends the
		// process. Nothing else goes on in it, so that may be at once.
		w.count.add("clean stops that hang")
	} else if err != nil && !n.excused(err) {
		w.fail(Crashed, "S1 a member stops cleanly", uint8(n.id), "%v", err)
	}
	w.count.add("clean stops")
	n.kill()
	w.faults.tellClosed(n)
	w.faults.restartAfter(n, a.For)
	return true
}

// closeCleanly ends a process as the server does: the log's jobs are run to
// their end, then it is sealed.
func (n *Node) closeCleanly() error {
	var out replica.Output
	for _, r := range n.jobs {
		if r.job.Owner != replica.ToLog {
			continue
		}
		for !r.over && r.err == nil {
			r.over, r.err = r.job.Step()
		}
		n.rep.Log.Step(replica.JobDoneEvent{Job: r.job, Err: r.err}, &out)
	}
	return errors.Join(out.Fatal, n.rep.Close())
}

func doTwin(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up {
		return false
	}
	_, err := replica.Open(n.config())
	switch {
	case n.diskStopped():
		n.crashAtDisk("another process's start")
	case err == nil:
		w.unsafe("S1 one process a directory", uint8(n.id), "a second process was let in")
	case !errors.Is(err, disk.ErrLocked) && !n.excused(err):
		w.fail(Crashed, "S1 one process a directory", uint8(n.id), "refused for another reason: %v", err)
	}
	w.count.add("second processes refused")
	return true
}

func doClock(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || a.Count == 0 || a.Count > w.plan.ClockPPM || n.fast != 0 {
		return false
	}
	n.fast = int(a.Count)
	if a.Word == "slow" {
		n.fast = -n.fast
	}
	w.faults.lastFor(a.For, func() { n.fast = 0 })
	return true
}

func doFreeze(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up {
		return false
	}
	n.frozenUntil = max(n.frozenUntil, w.now+a.For)
	if a.For == 0 {
		n.frozenUntil = math.MaxInt64
	}
	w.faults.lastFor(0, func() { n.frozenUntil = 0 })
	return true
}
