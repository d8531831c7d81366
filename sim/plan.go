package sim

import (
	"fmt"
	"io"
	"strings"
)

// Plan is what a seed expands to: sizes, rates, and which faults this run has
// at all. Runs of different seeds differ in kind, not only in luck ("swarm
// testing": a run without partitions reaches states that one with partitions
// never lives to see).
type Plan struct {
	Seed  uint64
	Nodes int

	// Phases, µs: clients alone; faults; none again, until all agree.
	Warmup, Chaos, Converge int64

	Raft    RaftKnobs
	Replica ReplicaKnobs
	Net     NetKnobs
	Disk    DiskKnobs
	Load    LoadKnobs

	// DriftPPM: each member's clock runs fast or slow by up to this.
	DriftPPM int64
	// ClockPPM: a clock may go wrong by up to so much more for a while.
	ClockPPM int64
	// Faults switched on, with the mean time between two of each, µs.
	Faults [faultKinds]int64
	// OutageMean is how long a fault lasts.
	OutageMean int64
	// ReplaceDamaged: operators put another member in the place of one whose
	// disk was damaged. BeyondBudget: damage strikes any number of disks; then
	// the cluster may stop, but must not lie.
	ReplaceDamaged, BeyondBudget bool
	// LeaveBroken: instead of healing all, a minority stays down or cut off
	// for good, and the rest must converge without it.
	LeaveBroken bool
	// Stable: before all is mended, some links stay cut for good, and the
	// leadership must settle in spite of that.
	Stable bool
	// Drawn: from the seed; else a scenario's own.
	Drawn bool
}

// RaftKnobs are raft's timing and limits.
type RaftKnobs struct {
	TickMicros                            int64
	ElectionTicks, HeartbeatTicks         int
	PeerClosedTicks                       int
	MessageEntriesMax, MessageBytesMax    int
	InflightMessagesMax, InflightBytesMax int
	UncommittedBytesMax                   int
	TailBytesMax, TailEntriesMax          int
	DisablePreVote                        bool
}

// ReplicaKnobs are the replica's batching, snapshot and watch policies. Tiny
// values make rare paths common, without a line of test code in production.
type ReplicaKnobs struct {
	RequestTimeoutTicks int
	Sync                string // policy of the log
	SegmentBytes        int64
	BatchCommandsMax    int
	BatchBytesMax       int
	ApplyBytesMax       int
	ApplyGapMax         int
	SnapshotLogBytesMin int64
	CatchUpEntries      int
	WatchFragmentBytes  int
	WatchProgressTicks  int
	HistoryChunkBytes   int
	WatchStepEvents     int
	CompactStepKeys     int
	CheckpointTicks     int
	PriorityRevoke      bool
	LongFirstWait       bool // Config.ShortFirstWait is off
}

// NetKnobs describe every link. Rates are parts per million of frames.
type NetKnobs struct {
	DelayMin, DelayMean int64
	DropPPM, DupPPM     int
	// DelayShape is how travel times are spread around their mean; Asymmetry is
	// by how much at most one direction is longer than another.
	DelayShape string
	Asymmetry  int64
	// SlowPPM of the frames take up to SlowMax longer: they arrive out of
	// order, even from an old term.
	SlowPPM    int
	SlowMax    int64
	CorruptPPM int
	// Ordered links deliver in order, as TCP does.
	Ordered bool
	// ChunkBytes and ChunkMicros pace snapshot streams.
	ChunkBytes  int
	ChunkMicros int64
}

// DiskKnobs describe every disk.
type DiskKnobs struct {
	SyncMean int64 // µs for a write and its sync
	StallPPM int   // of writes that take up to StallMax instead
	StallMax int64
	// TornPercent of the power losses strike between two disk operations of a
	// write, instead of between writes.
	TornPercent int
}

// LoadKnobs describe the clients.
type LoadKnobs struct {
	Clients, Keys int
	ThinkMean     int64
	Timeout       int64 // a client gives up waiting
	LostPPM       int   // requests or answers lost on the way
	SwitchPercent int   // of operations go to another member
	Lockers       int   // clients that contend for a lock
	EagerPercent  int   // of acknowledged writes are read back at once, elsewhere
	LeaseTTLMax   int64 // seconds
	Watchers      int
	WatchCredit   int
	SlowWatcher   int64 // µs to digest a response
	Weights       [opKinds]int
	// Users: the clients have names, and what they may is changed under way.
	Users bool
}

// newPlan draws a plan. The order of the draws is part of the replay promise.
func newPlan(o Options) Plan {
	d := newDraw(o.Seed, "plan")
	p := Plan{Seed: o.Seed, Drawn: true}
	p.Nodes = pick(d, 3, 3, 3, 5, 3, 4, 5, 1, 2, 3)
	if o.Nodes != 0 {
		p.Nodes = o.Nodes
	}
	p.Warmup = 1500 * millisecond
	p.Chaos = d.between(56*second, 60*second)
	if o.Chaos != 0 {
		p.Chaos = o.Chaos
	}
	p.Converge = 30 * second
	p.Raft = drawRaft(d)
	p.Replica = drawReplica(d)
	p.Net = drawNet(d)
	p.Disk = drawDisk(d)
	p.Load = drawLoad(d)
	p.temper()
	p.DriftPPM = pick[int64](d, 0, 500, 5_000, 50_000)
	p.OutageMean = pick[int64](d, 200, 500, 1000, 2000) * millisecond
	p.LeaveBroken = d.percent(25)
	p.Stable = !p.LeaveBroken && d.percent(30) && !p.Raft.DisablePreVote // without it terms race
	drawFaults(d, &p)
	if p.Faults[faultClock] > 0 {
		p.ClockPPM = pick[int64](d, 500, 10_000, 100_000)
	}
	p.ReplaceDamaged, p.BeyondBudget = d.percent(60), d.percent(6)
	if p.Load.Users = d.percent(30); p.Load.Users {
		p.Load.Lockers = 0 // they need all their answers
	}
	p.restrict(o.Faults)
	return p
}

// temper takes back what can't be asked together: a member that gets one entry at a
// time over a long way never catches up with the clients, and where the quorum needs
// it the log only grows.
func (p *Plan) temper() {
	if p.Raft.MessageEntriesMax == 1 && p.Raft.InflightMessagesMax == 1 {
		p.Net.Asymmetry = min(p.Net.Asymmetry, 2*millisecond)
	}
}

func drawRaft(d draw) RaftKnobs {
	k := RaftKnobs{
		TickMicros:          pick[int64](d, 10, 20, 50) * millisecond,
		ElectionTicks:       pick(d, 10, 12, 20),
		HeartbeatTicks:      pick(d, 1, 2, 3),
		PeerClosedTicks:     pick(d, 0, 1, 3),
		MessageEntriesMax:   pick(d, 1, 4, 64),
		MessageBytesMax:     pick(d, 512, 4<<10, 64<<10),
		InflightMessagesMax: pick(d, 1, 4, 64),
		InflightBytesMax:    pick(d, 4<<10, 1<<20),
		UncommittedBytesMax: pick(d, 16<<10, 1<<20),
		TailBytesMax:        pick(d, 1<<10, 16<<10, 1<<20),
		TailEntriesMax:      pick(d, 4, 64, 1000),
		DisablePreVote:      d.percent(8),
	}
	return k
}

func drawReplica(d draw) ReplicaKnobs {
	return ReplicaKnobs{
		RequestTimeoutTicks: pick(d, 50, 100, 200),
		Sync:                pick(d, "group", "group", "group", "always", "interval=2ms"),
		SegmentBytes:        pick[int64](d, 16<<10, 32<<10, 64<<10, 256<<10),
		BatchCommandsMax:    pick(d, 1, 3, 100),
		BatchBytesMax:       pick(d, 512, 64<<10),
		ApplyBytesMax:       pick(d, 256, 4<<10, 1<<20),
		ApplyGapMax:         pick(d, 200, 5000),
		SnapshotLogBytesMin: drawSnapshotBytes(d),
		CatchUpEntries:      pick(d, 0, 5, 50, 1000),
		WatchFragmentBytes:  pick(d, 128, 1<<20),
		WatchProgressTicks:  pick(d, 20, 100),
		HistoryChunkBytes:   pick(d, 512, 8<<10, 256<<10),
		WatchStepEvents:     pick(d, 1, 16, 4096),
		CompactStepKeys:     pick(d, 1, 7, 1000),
		CheckpointTicks:     pick(d, 0, 0, 10, 50),
		PriorityRevoke:      d.percent(50),
		LongFirstWait:       d.percent(25),
	}
}

// drawSnapshotBytes: the log may grow by so much before the next snapshot. A block
// of the log is the least: then each batch brings one, which costs so much of a run
// that few are like that.
func drawSnapshotBytes(d draw) int64 {
	if d.percent(5) {
		return 4 << 10
	}
	return pick[int64](d, 32<<10, 64<<10, 128<<10, 256<<10, 512<<10, 4<<20)
}

func drawNet(d draw) NetKnobs {
	return NetKnobs{
		DelayMin:    pick[int64](d, 20, 100, 500),
		DelayMean:   pick[int64](d, 100, 500, 2000),
		DropPPM:     pick(d, 0, 0, 1_000, 20_000, 100_000),
		DupPPM:      pick(d, 0, 0, 5_000, 100_000),
		SlowPPM:     pick(d, 0, 1_000, 10_000),
		SlowMax:     pick[int64](d, 20, 200, 3000) * millisecond,
		CorruptPPM:  pick(d, 0, 0, 2_000, 20_000),
		Ordered:     d.percent(30),
		ChunkBytes:  pick(d, 512, 4<<10, 64<<10),
		ChunkMicros: pick[int64](d, 100, 2000, 20_000),
		DelayShape:  pick(d, delayExponential, delayExponential, delayFixed, delayBimodal, delayHeavyTail),
		Asymmetry:   pick[int64](d, 0, 0, 2*millisecond, 20*millisecond),
	}
}

func drawDisk(d draw) DiskKnobs {
	return DiskKnobs{
		SyncMean:    pick[int64](d, 100, 300, 1000, 4000),
		StallPPM:    pick(d, 0, 500, 5000),
		StallMax:    pick[int64](d, 30, 300, 1500) * millisecond,
		TornPercent: pick(d, 30, 60, 90),
	}
}

func drawLoad(d draw) LoadKnobs {
	k := LoadKnobs{
		Clients:       pick(d, 3, 5, 10),
		Keys:          pick(d, 5, 20, 60),
		Timeout:       pick[int64](d, 700, 1500, 3000) * millisecond,
		LostPPM:       pick(d, 0, 2_000, 20_000),
		SwitchPercent: pick(d, 0, 5, 50),
		Lockers:       pick(d, 0, 2, 3),
		EagerPercent:  pick(d, 0, 10, 50),
		LeaseTTLMax:   pick[int64](d, 1, 2, 4),
		Watchers:      pick(d, 1, 2, 4),
		WatchCredit:   pick(d, 1, 4, 100),
		SlowWatcher:   pick[int64](d, 50, 5_000, 100_000, 1_000_000),
	}
	// So many operations a second, if each were answered at once.
	k.ThinkMean = int64(k.Clients) * second / pick[int64](d, 22, 35, 50, 80)
	for i := range k.Weights {
		k.Weights[i] = opTable[i].weight
		if opTable[i].optional && d.percent(25) {
			k.Weights[i] = 0
		}
	}
	return k
}

// faultsApart stretches the table's times between faults to the length of a run:
// a cluster must also have the time to get somewhere.
const faultsApart = 3

// drawFaults switches each fault on with even odds, and gives it a rate. A run
// without any would test little, so crash and partition stand in then.
func drawFaults(d draw, p *Plan) {
	on := 0
	for i := range p.Faults {
		if !d.percent(faultTable[i].percent) {
			continue
		}
		p.Faults[i] = faultsApart * d.between(faultTable[i].meanMin, faultTable[i].meanMax)
		on++
	}
	if on == 0 {
		p.Faults[faultKill] = second
		p.Faults[faultPartition] = second
	}
}

// Print writes the plan as the first lines of a run.
func (p *Plan) Print(w io.Writer) {
	fmt.Fprintf(w, "seed %d: %d nodes, warm-up %s, chaos %s, drift ±%d + %d ppm, outages %s, minority left broken: %v, damaged replaced: %v, beyond the budget: %v\n",
		p.Seed, p.Nodes, micros(p.Warmup), micros(p.Chaos), p.DriftPPM, p.ClockPPM, micros(p.OutageMean), p.LeaveBroken, p.ReplaceDamaged, p.BeyondBudget)
	fmt.Fprintf(w, "  raft     %+v\n  replica  %+v\n  net      %+v\n  disk     %+v\n", p.Raft, p.Replica, p.Net, p.Disk)
	fmt.Fprintf(w, "  load     %+v\n  faults   %s\n", p.Load, p.faultList())
}

func (p *Plan) faultList() string {
	var on []string
	for i, mean := range p.Faults {
		if mean > 0 {
			on = append(on, fmt.Sprintf("%s/%s", faultTable[i].name, micros(mean)))
		}
	}
	return strings.Join(on, " ")
}

// micros prints a virtual duration.
type micros int64

func (m micros) String() string {
	switch v := int64(m); {
	case v >= second:
		return fmt.Sprintf("%.2fs", float64(v)/float64(second))
	case v >= millisecond:
		return fmt.Sprintf("%.1fms", float64(v)/float64(millisecond))
	default:
		return fmt.Sprintf("%dµs", v)
	}
}
