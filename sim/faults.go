package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// faultKind names a way to break things.
type faultKind uint8

const (
	faultKill faultKind = iota
	faultPower
	faultTorn
	faultKillLeader
	faultPowerAll
	faultStorm
	faultPause
	faultStallActor
	faultPartition
	faultIsolateLeader
	faultOneWay
	faultBridge
	faultRing
	faultFlap
	faultSlowLink
	faultClientCut
	faultTransfer
	faultMembers
	faultResetLinks
	faultDiskError
	faultSyncError
	faultDiskFull
	faultReadOnly
	faultSlowDisk
	faultHungSync
	faultBitRot
	faultMisplace
	faultLoseFile
	faultShorten
	faultLoseWrite
	faultMisread
	faultWipe
	faultBurstLoss
	faultThrottle
	faultSwizzle
	faultResetConnections
	faultReplay
	faultMisroute
	faultLongPause
	faultCleanStop
	faultTwin
	faultClock
	faultFreeze
	faultStaleLeader
	faultResize
	faultRemoveReceiver
	faultLameLearner
	faultChangeCrash
	faultKillSync
	faultPausedLeader
	faultOldDisk
	faultOvertaken
	faultLateOrder
	faultKinds // count
)

// fault is one row of the table: its odds of being on in a run, the range of
// its mean interval, and what it does.
type fault struct {
	name             string
	percent          int
	meanMin, meanMax int64
	strike           func(*faultPlanner) bool // false: nothing to do it to
}

var faultTable [faultKinds]fault

func init() {
	faultTable = [faultKinds]fault{
		faultKill:          {"kill", 60, 800 * millisecond, 3 * second, (*faultPlanner).kill},
		faultPower:         {"power", 60, 800 * millisecond, 3 * second, (*faultPlanner).power},
		faultTorn:          {"torn", 85, 400 * millisecond, 1500 * millisecond, (*faultPlanner).torn},
		faultKillLeader:    {"kill-leader", 50, second, 3 * second, (*faultPlanner).killLeader},
		faultPowerAll:      {"power-all", 35, 2 * second, 6 * second, (*faultPlanner).powerAll},
		faultStorm:         {"restart-storm", 20, 3 * second, 8 * second, (*faultPlanner).storm},
		faultPause:         {"pause", 40, second, 4 * second, (*faultPlanner).pause},
		faultStallActor:    {"stall-actor", 30, second, 4 * second, (*faultPlanner).stallActor},
		faultPartition:     {"partition", 60, 800 * millisecond, 3 * second, (*faultPlanner).partition},
		faultIsolateLeader: {"isolate-leader", 50, second, 4 * second, (*faultPlanner).isolateLeader},
		faultOneWay:        {"one-way", 50, 800 * millisecond, 4 * second, (*faultPlanner).oneWay},
		faultBridge:        {"bridge", 25, 2 * second, 5 * second, (*faultPlanner).bridge},
		faultRing:          {"ring", 20, 2 * second, 5 * second, (*faultPlanner).ring},
		faultFlap:          {"flap", 30, second, 4 * second, (*faultPlanner).flap},
		faultSlowLink:      {"slow-link", 40, second, 4 * second, (*faultPlanner).slowLink},
		faultClientCut:     {"client-cut", 30, second, 4 * second, (*faultPlanner).clientCut},
		faultTransfer:      {"transfer", 55, 600 * millisecond, 3 * second, (*faultPlanner).transfer},
		faultMembers:       {"members", 55, 400 * millisecond, 2 * second, (*faultPlanner).members},
		faultResetLinks:    {"reset-links", 30, second, 4 * second, (*faultPlanner).resetLinks},
		faultDiskError:     {"disk-error", 30, 800 * millisecond, 4 * second, (*faultPlanner).diskError},
		faultSyncError:     {"sync-error", 30, 800 * millisecond, 4 * second, (*faultPlanner).syncError},
		faultDiskFull:      {"disk-full", 25, second, 4 * second, (*faultPlanner).diskFull},
		faultReadOnly:      {"read-only", 15, 2 * second, 6 * second, (*faultPlanner).readOnly},
		faultSlowDisk:      {"slow-disk", 25, second, 4 * second, (*faultPlanner).slowDisk},
		faultHungSync:      {"hung-sync", 20, 2 * second, 6 * second, (*faultPlanner).hungSync},
		faultBitRot:        {"bit-rot", 25, second, 4 * second, (*faultPlanner).bitRot},
		faultMisplace:      {"misplaced-write", 15, second, 4 * second, (*faultPlanner).misplace},
		faultLoseFile:      {"lost-file", 15, second, 4 * second, (*faultPlanner).loseFile},
		faultShorten:       {"shortened-file", 15, second, 4 * second, (*faultPlanner).shortenFile},
		faultLoseWrite:     {"lost-write", 20, second, 4 * second, (*faultPlanner).loseWrite},
		faultMisread:       {"misread", 15, second, 4 * second, (*faultPlanner).misread},
		faultWipe:          {"wiped-disk", 12, 2 * second, 6 * second, (*faultPlanner).wipe},

		faultBurstLoss:        {"burst-loss", 30, 500 * millisecond, 3 * second, (*faultPlanner).burstLoss},
		faultThrottle:         {"throttle", 25, second, 4 * second, (*faultPlanner).throttle},
		faultSwizzle:          {"swizzle-clog", 25, second, 5 * second, (*faultPlanner).swizzle},
		faultResetConnections: {"reset-connection", 25, second, 4 * second, (*faultPlanner).resetConnections},
		faultReplay:           {"replay", 30, 300 * millisecond, 2 * second, (*faultPlanner).replayOld},
		faultMisroute:         {"wrong-peer", 15, second, 4 * second, (*faultPlanner).misroute},

		faultLongPause:      {"long-pause", 15, 2 * second, 8 * second, (*faultPlanner).longPause},
		faultCleanStop:      {"clean-stop", 30, second, 4 * second, (*faultPlanner).cleanStop},
		faultTwin:           {"second-process", 10, second, 5 * second, (*faultPlanner).twin},
		faultClock:          {"wrong-clock", 25, second, 4 * second, (*faultPlanner).wrongClock},
		faultFreeze:         {"frozen-clock", 20, second, 5 * second, (*faultPlanner).freezeClock},
		faultStaleLeader:    {"stale-leader", 35, second, 4 * second, (*faultPlanner).staleLeader},
		faultResize:         {"resize", 20, 300 * millisecond, 2 * second, (*faultPlanner).resize},
		faultRemoveReceiver: {"remove-in-snapshot", 20, 100 * millisecond, second, (*faultPlanner).removeReceiver},
		faultLameLearner:    {"lame-learner", 15, second, 4 * second, (*faultPlanner).lameLearner},
		faultChangeCrash:    {"change-and-crash", 25, second, 3 * second, (*faultPlanner).changeAndCrash},
		faultKillSync:       {"kill-sync", 30, 600 * millisecond, 2 * second, (*faultPlanner).killSync},
		faultPausedLeader:   {"paused-leader", 35, 800 * millisecond, 3 * second, (*faultPlanner).pausedLeader},
		faultOldDisk:        {"old-disk", 20, 300 * millisecond, 1500 * millisecond, (*faultPlanner).restoreDisk},
		faultOvertaken:      {"overtaken-leader", 25, second, 3 * second, (*faultPlanner).overtaken},
		faultLateOrder:      {"late-order", 20, second, 3 * second, (*faultPlanner).lateOrder},
	}
}

// faultPlanner strikes and heals.
type faultPlanner struct {
	w       *World
	d       draw
	running bool
	// heals are what is broken now and how to mend it, in order.
	heals []*repair
	// size is how many voters the cluster is walking to.
	size int
}

// repair undoes one fault.
type repair struct {
	done bool
	link bool // of the network between members
	undo func()
}

func newFaultPlanner(w *World) *faultPlanner { return &faultPlanner{w: w, d: w.faultDraw} }

// start begins the fault phase: each kind strikes at its own pace.
func (f *faultPlanner) start() {
	f.running = true
	for kind := range faultTable {
		if f.w.plan.Faults[kind] > 0 {
			f.schedule(faultKind(kind))
			f.w.count.add(CountKindsOn)
		}
	}
}

func (f *faultPlanner) schedule(kind faultKind) {
	f.w.strikeAfter(f.d.around(f.w.plan.Faults[kind]), func() {
		if !f.running {
			return
		}
		if faultTable[kind].strike(f) {
			f.w.count.add(CountFaults)
			f.w.count.add("fault " + faultTable[kind].name)
		}
		f.schedule(kind)
	})
}

// outage draws how long a fault lasts.
func (f *faultPlanner) outage() int64 { return max(1, f.d.around(f.w.plan.OutageMean)) }

// lastFor records a fault that ends by itself after a while (0: not), or by heal.
func (f *faultPlanner) lastFor(micros int64, undo func()) {
	f.lasts(&repair{undo: undo}, micros)
}

func (f *faultPlanner) lasts(r *repair, micros int64) {
	f.heals = append(f.heals, r)
	if micros > 0 {
		f.w.at(micros, whatHeal, 0, func() { f.mend(r) })
	}
}

func (f *faultPlanner) mend(r *repair) {
	if r.done {
		return
	}
	r.done = true
	r.undo()
}

// heal ends the fault phase. Either all is mended, or a minority stays broken
// for good and only what is inside the rest is mended.
func (f *faultPlanner) heal() {
	f.w.perform(Action{Verb: "heal"})
	if f.w.plan.LeaveBroken {
		// What operators have asked for ends first: who could spare whom in the
		// middle of a change is another question.
		k, r := f.w.plan.Replica, f.w.plan.Raft
		f.w.runUntil(f.w.now+2*int64(k.RequestTimeoutTicks)*r.TickMicros, nil)
		if f.settled() {
			f.breakMinority()
		}
	}
}

// settled tells whether no member knows of a configuration that is not committed.
func (f *faultPlanner) settled() bool {
	last := f.w.oracle.configs[len(f.w.oracle.configs)-1]
	for _, n := range f.w.live() {
		if n.configAt.Index > last.index {
			return false
		}
	}
	return !last.config.Joint()
}

// breakMinority takes members away, as many as the configuration can spare.
func (f *faultPlanner) breakMinority() {
	voters, damaged := f.count(f.w.oracle.config)
	spare := (voters-1)/2 - damaged
	for _, m := range f.w.oracle.config.Members {
		if n := f.w.node(m.ID); spare <= 0 || !m.Voter || n.damaged || n.broken || !f.d.percent(60) {
			continue
		}
		spare--
		a := Action{Verb: "leave", Who: is(m.ID), Word: "down"}
		if f.d.percent(50) {
			a.Word = pick(f.d, "cut", "deaf")
		}
		f.w.perform(a)
	}
}

// cutOff isolates a member for good; deaf: it still can be heard.
func (f *faultPlanner) cutOff(n *Node, deaf bool) {
	for _, o := range f.w.nodes {
		f.w.net.block(o.id, n.id, 1)
		if !deaf {
			f.w.net.block(n.id, o.id, 1)
		}
	}
}

// blackout takes the power from all at once, at the end of every run.
func (f *faultPlanner) blackout() {
	for _, n := range f.w.nodes {
		if n.up {
			n.powerLoss()
		}
	}
	f.w.count.add("blackouts")
	for _, n := range f.w.nodes {
		if n.life > 0 && !n.removed && !n.broken {
			n.start()
		}
	}
}

// someNode draws a member that is up.
func (f *faultPlanner) someNode() *Node {
	up := f.w.live()
	if len(up) == 0 {
		return nil
	}
	return up[f.d.IntN(len(up))]
}

// restartAfter brings a crashed member back after an outage; 0: not.
func (f *faultPlanner) restartAfter(n *Node, outage int64) {
	if outage == 0 {
		return
	}
	life := n.life
	f.w.at(outage, whatStart, uint8(n.id), func() {
		if n.life == life && !n.up && !n.removed && !n.broken {
			n.start()
		}
	})
}

// restartLater does so after an outage that nobody chose: a supervisor's, or an
// operator's who has to come first.
func (f *faultPlanner) restartLater(n *Node) {
	f.restartAfter(n, max(1, f.w.reactions.around(f.w.plan.OutageMean)))
}

// tellClosed: the machine is there, its process is gone. Whoever has a link to
// it sees that end, and finds nobody on redial.
func (f *faultPlanner) tellClosed(gone *Node) {
	for _, n := range f.w.live() {
		if n != gone && f.w.net.open(n.id, gone.id) && f.w.net.open(gone.id, n.id) {
			n.later(f.w.reactions.between(500, 20*millisecond), whatFrame, func() {
				n.enqueue(replica.PeerClosedEvent{Peer: gone.id})
			})
		}
	}
}

// tellConnected: links are made between two machines that reach each other; the
// ends of one see it at different times.
func (f *faultPlanner) tellConnected(a, b *Node) {
	if a == b || !a.up || !b.up || !f.w.net.open(a.id, b.id) || !f.w.net.open(b.id, a.id) {
		return
	}
	for _, end := range [2][2]*Node{{a, b}, {b, a}} {
		n, peer := end[0], end[1].id
		n.later(f.w.reactions.between(500, 20*millisecond), whatFrame, func() {
			f.w.count.add("links made")
			n.enqueue(replica.PeerConnectedEvent{Peer: peer})
		})
	}
}

func (f *faultPlanner) isolate(n *Node) (undo func()) {
	var cuts [][2]raft.NodeID
	for _, o := range f.w.nodes {
		if o != n {
			cuts = append(cuts, [2]raft.NodeID{o.id, n.id}, [2]raft.NodeID{n.id, o.id})
		}
	}
	return f.cut(cuts)
}

// cut blocks links and returns how to open them again.
func (f *faultPlanner) cut(links [][2]raft.NodeID) (undo func()) {
	for _, l := range links {
		f.w.net.block(l[0], l[1], 1)
	}
	return func() {
		for _, l := range links {
			f.w.net.block(l[0], l[1], -1)
		}
		for _, l := range links {
			if from, to := f.w.node(l[0]), f.w.node(l[1]); from != nil && to != nil {
				f.tellConnected(from, to)
			}
		}
	}
}
