package sim

import (
	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// Node is one simulated machine: a disk, a clock that may drift, and the
// process that runs on it now, if any.
type Node struct {
	w       *World
	id      raft.NodeID
	initial raft.Configuration
	fs      *disk.Mem

	up bool
	// life numbers the processes; what an earlier one scheduled is void.
	life    uint64
	rep     *replica.Replica
	actors  [3]actor
	removed bool    // no longer a member; its disk is scrap
	broken  bool    // stays down in the liveness phase
	damaged bool    // its disk doesn't hold all that it was given
	wipes   int     // disks that it has lost
	wiped   *shadow // what was on the first one
	copied  *copied // an earlier moment of its disk, if somebody has taken it
	old     oldness // its disk is such a copy

	// tickMicros is this machine's tick in true time; onTick is ticked.
	tickMicros   int64
	onTick       func()
	pausedUntil  int64
	stalledUntil [3]int64
	// parked is what waits for the end of a pause.
	parked []func()
	// The clock runs fast by so many parts per million now, and stands still.
	fast        int
	frozenUntil int64
	// jobs are those whose end the owner has not seen.
	jobs   []*running
	disk   diskState
	outage int64 // after a stop inside a disk operation, µs; 0: until somebody starts it
	tears  bool  // the next power loss tears all that was not synced

	tailMax  raft.Index // the most entries behind its commit index, ever
	shadow   shadow
	last     seen
	aborted  bool               // a transfer, in the core's last turn
	config0  raft.Configuration // active after the core's last turn
	configAt raft.EntryID
	clientUp bool // false: clients can't reach it
	// cutShort, if set, is who ends the process at a disk operation.
	cutShort *Action

	receiving *outgoing // the snapshot stream that comes in, one at a time
	// unread is the snapshot that this process was told to be unreadable, until
	// another file takes its place.
	unread raft.EntryID
	// disowned is the last of its processes that was told that it has forgotten.
	disowned uint64
	disowns  []raft.NodeID // whom this one knew to have forgotten after the core's last turn
}

// seen is what the simulator noted of a member after its last turn.
type seen struct {
	role    raft.Role
	term    raft.Term
	commit  raft.Index
	applied uint64
}

const dataDir = "data"

func newNode(w *World, id raft.NodeID, initial raft.Configuration) *Node {
	n := &Node{w: w, id: id, initial: initial, fs: disk.NewMem(), clientUp: true}
	drift := w.nodeDraw.between(-w.plan.DriftPPM, w.plan.DriftPPM)
	n.tickMicros = w.plan.Raft.TickMicros * (1_000_000 + drift) / 1_000_000
	n.shadow.init()
	n.onTick = n.ticked
	n.wire()
	return n
}

// localMicros converts a duration on this machine's clock to true time.
func (n *Node) localMicros(d int64) int64 { return d * n.tickMicros / n.w.plan.Raft.TickMicros }

// later schedules something of this process; it is void once the process ended.
func (n *Node) later(delay int64, what What, run func()) {
	w := n.w
	w.seq++
	w.heap.push(event{at: w.now + max(delay, 0), seq: w.seq, what: what, node: uint8(n.id), run: run, proc: n, life: n.life})
}

// start boots a process on what the disk holds.
func (n *Node) start() {
	w := n.w
	if !n.startOld() {
		return
	}
	n.life++
	n.receiving, n.unread, n.disowns = nil, raft.EntryID{}, nil
	n.pausedUntil, n.stalledUntil, n.parked, n.jobs = 0, [3]int64{}, nil, nil
	w.trace.mark(w.now, whatStart, uint8(n.id), n.life, 0, 0)
	rep, err := replica.Open(n.config())
	if n.diskStopped() {
		n.up = true
		n.crashAtDisk("recovery")
		return
	}
	if err != nil {
		n.startFailed(err)
		return
	}
	n.rep, n.up = rep, true
	w.rec.started(n)
	for id, m := range machinesOf(rep) {
		n.actors[id].init(n, replica.ActorID(id), m)
	}
	if !n.checkRecovered() {
		return
	}
	w.count.add("starts")
	w.trace.line(w.now, whatStart, uint8(n.id), "life %d, %s", n.life, n.shadow.text())
	n.scheduleTick()
	for _, o := range w.nodes {
		w.faults.tellConnected(n, o)
	}
}

func (n *Node) config() replica.Config {
	r, k := n.w.plan.Raft, n.w.plan.Replica
	c := replica.DefaultConfig()
	c.FS, c.Dir, c.SnapshotBenches = n.fs, dataDir, &n.w.benches
	c.Member, c.Cluster, c.Initial = n.id, clusterID, n.initial
	c.Rand = newDraw(n.w.nodeDraw.Uint64(), "replica").Rand
	c.LateTicks = lateTicks
	c.TickMicros, c.ElectionTicks, c.HeartbeatTicks = r.TickMicros, r.ElectionTicks, r.HeartbeatTicks
	c.PeerClosedTick, c.RequestTimeoutTicks = r.PeerClosedTicks, k.RequestTimeoutTicks
	c.Sync = syncPolicy(k.Sync)
	c.SegmentBytes = k.SegmentBytes
	c.BatchCommandsMax, c.BatchBytesMax = k.BatchCommandsMax, k.BatchBytesMax
	c.ApplyGapMax, c.ApplyBytesMax = k.ApplyGapMax, k.ApplyBytesMax
	c.SnapshotLogBytesMin, c.CatchUpEntries = k.SnapshotLogBytesMin, k.CatchUpEntries
	c.MessageEntriesMax, c.MessageBytesMax = r.MessageEntriesMax, r.MessageBytesMax
	c.InflightMessagesMax, c.InflightBytesMax = r.InflightMessagesMax, r.InflightBytesMax
	c.UncommittedBytesMax = r.UncommittedBytesMax
	c.TailBytesMax, c.TailEntriesMax = r.TailBytesMax, r.TailEntriesMax
	c.WatchFragmentBytes, c.WatchProgressTicks = k.WatchFragmentBytes, k.WatchProgressTicks
	c.DisablePreVote, c.ShortFirstWait = r.DisablePreVote, !k.LongFirstWait
	c.CheckpointTicks, c.PriorityRevoke = k.CheckpointTicks, k.PriorityRevoke
	c.HistoryChunkBytes, c.WatchStepEvents, c.CompactStepKeys = k.HistoryChunkBytes, k.WatchStepEvents, k.CompactStepKeys
	return c
}

func (n *Node) scheduleTick() {
	n.later(n.tickMicros*int64(1_000_000-n.fast)/1_000_000, whatTick, n.onTick)
}

func (n *Node) ticked() {
	if n.frozenUntil <= n.w.now {
		n.tick()
	}
	n.scheduleTick()
}

// armDisk lets k more changing disk operations pass; the next one is where the
// power goes.
func (n *Node) armDisk(k int) {
	n.stopWhen(disk.StopAt(k))
}

// armSync lets the power go when the k-th write to the log waits for its sync:
// the moment that tears tails.
func (n *Node) armSync(k int) {
	n.stopWhen(disk.FailOn(disk.OpSync, ".wal", k, disk.Times, disk.ErrStopped))
}

// stopWhen ends the machine at the operation that an injector chooses.
func (n *Node) stopWhen(stop disk.Injector) { n.disk.stop, n.disk.hit = stop, false }

// armed tells whether a stop at a disk operation is set.
func (n *Node) armed() bool { return n.disk.stop != nil }

func (n *Node) diskStopped() bool { return n.disk.hit }

// disarm takes back a stop at a disk operation that was not reached.
func (n *Node) disarm() {
	if !n.disk.hit {
		n.disk.stop, n.cutShort, n.tears = nil, nil, false
	}
}

// crashAtDisk ends the process in the middle of its disk operations.
func (n *Node) crashAtDisk(where string) {
	if n.cutShort != nil {
		n.killAtDisk(where)
		return
	}
	n.w.trace.line(n.w.now, whatCrash, uint8(n.id), "power lost inside %s", where)
	n.w.count.add("crashes inside a disk operation")
	if n.tears {
		n.w.count.add("power losses inside super")
	}
	n.powerLoss()
	n.w.faults.restartAfter(n, n.outage)
}

// kill ends the process; the machine and its page cache live on.
func (n *Node) kill() {
	if !n.up {
		return
	}
	n.stop()
	n.fs.Kill()
	n.wire()
	n.w.load.connectionsLost(n)
}

// powerLoss ends the process and takes what the disk had not synced, or a part.
func (n *Node) powerLoss() {
	if n.up {
		n.stop()
		n.w.load.connectionsLost(n)
	}
	n.fs.Kill()
	held := n.superHeld()
	n.fs = n.fs.Crash(n.w.diskDraw.Rand, disk.CrashOptions{TearAll: n.tears})
	n.checkSuper(held)
	n.tears = false
	n.wire()
}

func (n *Node) stop() {
	n.w.rec.stopped(n)
	n.w.trace.mark(n.w.now, whatCrash, uint8(n.id), n.life, 0, 0)
	n.up = false
	n.disk.process()
	n.life++
	n.rep = nil
	n.last.role = raft.Follower
	for i := range n.actors {
		n.actors[i] = actor{}
	}
}
