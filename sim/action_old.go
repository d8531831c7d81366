package sim

import (
	"slices"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/wal"
)

// Machines whose disk is exchanged for an older copy of itself: somebody brings
// back last night's image of a virtual machine. What it has voted and acknowledged
// since is gone, and nothing on the disk tells.
var oldDiskVerbs = []verb{
	{"clone", []param{pWho}, doClone, "somebody takes a copy of the member's disk, as it is at that moment; it replaces an earlier copy"},
	{"restore", []param{pWho, pFor}, doRestore,
		"the machine is switched off, gets the copy of its disk that was taken before, and starts after the duration; done only if every other member has on its own disk what tells the copy from the disk"},
}

// copied is a disk at an earlier moment, and what it held.
type copied struct {
	at     int64
	fs     *disk.Mem
	shadow shadow
	// configs may be what a process on it believes to be the configuration.
	configs []raft.Configuration
}

func doClone(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil || n.damaged {
		return false
	}
	held := n.shadow.clone()
	held.inflight = slices.Clone(n.shadow.inflight)
	n.copied = &copied{at: w.now, fs: n.fs.Clone(), shadow: held, configs: []raft.Configuration{w.oracle.config, n.config0}}
	return true
}

// doRestore: like a wiped disk, one that is older than its promises must be known
// as such to all who might count them. Who has heard of nothing that the copy lacks
// can't know, and nobody can tell him (raft.PeerMark); so that is where the atlas
// ends.
func doRestore(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil || n.damaged || n.copied == nil || !w.remembered(n) {
		return false
	}
	n.kill()
	w.faults.tellClosed(n)
	if n.wiped == nil {
		held := n.shadow.clone()
		n.wiped = &held
	}
	n.fs, n.shadow = n.copied.fs.Crash(w.diskDraw.Rand, disk.CrashOptions{}), n.copied.shadow
	n.wire()
	n.spoil()
	n.wipes++
	n.old, n.copied, n.clientUp, w.restored = oldUnborn, nil, false, true
	w.count.add("disks exchanged for an older copy")
	w.faults.restartAfter(n, max(1, a.For))
	return true
}

// oldness is how far a member with an old disk has come.
type oldness uint8

const (
	oldNot    oldness = iota
	oldUnborn         // its disk is old, no process has run on it yet
	oldRuns           // one has
)

// startOld is asked at each start. An old disk gets one: started again and again,
// heard by nobody, its count of starts would climb past what the others remember
// (they condemn it for good only once they have heard two lives of one count, or a
// position that is too low).
func (n *Node) startOld() bool {
	switch n.old {
	case oldRuns:
		n.giveUpOn()
		return false
	case oldUnborn:
		n.old = oldRuns
	}
	return true
}

// unstopped tells whether some member runs, or may, with an old disk.
func (w *World) unstopped() bool {
	return slices.ContainsFunc(w.nodes, func(n *Node) bool { return n.old != oldNot && !n.broken && !n.removed })
}

// remembered tells whether each other member, whatever happens to it, will know
// that a process on the copy has forgotten something. A lone voter asks nobody.
func (w *World) remembered(n *Node) bool {
	report, err := wal.Verify(n.copied.fs.Clone(), dataDir)
	if err != nil {
		return false
	}
	for _, c := range append(n.copied.configs, w.oracle.config, report.Super.Active.Config) {
		if w.suffices(n, &c) {
			return false
		}
	}
	for _, m := range w.oracle.config.Members {
		o := w.node(m.ID)
		if o == n || o.broken || o.wipes > 0 {
			continue
		}
		if !o.remembers(n, report.Super) {
			return false
		}
	}
	return true
}

// suffices tells whether a member with that configuration, today's or its copy's,
// needs nobody who remembers to become leader: as a sole voter, say.
func (w *World) suffices(n *Node, c *raft.Configuration) bool {
	voters, _ := w.faults.count(*c)
	return voters > 0 && w.quorum(c, func(o *Node) bool {
		_, still := w.oracle.config.Find(o.id)
		return o == n || o.wipes > 0 || !still
	})
}

// remembers looks at what is durable on this member's disk.
func (n *Node) remembers(other *Node, super wal.SuperRow) bool {
	fs := n.fs.Clone()
	fs.Kill()
	report, err := wal.Verify(fs.Crash(n.w.diskDraw.Rand, disk.CrashOptions{DropAll: true}), dataDir)
	if err != nil {
		return false
	}
	i := slices.IndexFunc(report.Super.Peers, func(p wal.PeerMark) bool {
		return p.ID == other.id && p.Incarnation == super.Incarnation
	})
	if i < 0 {
		return false
	}
	p := report.Super.Peers[i]
	if p.Nonce == 0 || p.Boot > super.Boot {
		return true
	}
	for _, o := range other.copied.shadow.outcomes(n.w.plan.Replica.Sync == "always") {
		if !(o.hard.Term < p.Term || o.hard.Term == p.Term && o.last() < p.Match) {
			return false
		}
	}
	return true
}

// checkOld is S1 for an exchanged disk: when all hear each other again, its
// member has been told and has stopped.
func (w *World) checkOld() {
	for _, n := range w.nodes {
		if n.old != oldNot && n.up && !n.removed {
			w.unsafe("S1 an old disk is found", uint8(n.id), "it runs on a copy of its disk that is older than its promises: %s, was %s", n.shadow.text(), n.wiped.text())
		}
	}
}

// checkDisowned is S1 while faults last: who was told that it has forgotten hears
// nothing any more, while it waits for its end.
func (n *Node) checkDisowned(events []raft.Event) {
	for _, ev := range events {
		if ev.Kind != raft.EventDisowned {
			continue
		}
		if n.disowned == n.life {
			n.w.unsafe("S1 an old disk is found", uint8(n.id), "n%d tells it again that it has forgotten, and it listens", ev.Peer)
		}
		n.disowned = n.life
	}
}

// restoreDisk takes a copy of somebody's disk, or brings one back that is old
// enough to have been overtaken.
func (f *faultPlanner) restoreDisk() bool {
	n := f.patient()
	switch {
	case n == nil || f.w.unstopped():
		return false
	case n.copied == nil || f.d.percent(15):
		return f.w.perform(Action{Verb: "clone", Who: is(n.id)})
	}
	if f.d.percent(50) {
		f.restoreAmongSlow(n)
		return true
	}
	return f.w.perform(Action{Verb: "restore", Who: is(n.id), For: f.outage()})
}

// restoreAmongSlow does so while the others' logs stand still, and their cores
// don't: then what the member has acknowledged is yet to be committed when it is
// found to have forgotten it.
func (f *faultPlanner) restoreAmongSlow(n *Node) {
	soon := f.d.between(20*millisecond, 200*millisecond)
	restore := Action{Verb: "restore", Who: is(n.id), For: f.d.between(millisecond, 20*millisecond)}
	for _, o := range f.w.live() {
		if o != n {
			f.w.perform(Action{Verb: "stall", Who: is(o.id), Word: "log", Micros: soon + f.d.between(0, 400*millisecond)})
		}
	}
	f.w.strikeAfter(soon, func() {
		if f.running && !n.damaged && (f.w.plan.BeyondBudget || f.affords(n)) && !f.w.unstopped() {
			f.w.perform(restore)
		}
	})
}
