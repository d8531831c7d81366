package sim

import (
	"fmt"

	"github.com/holdfast-db/holdfast/linearizability"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/snapshot"
)

// World is one run: a cluster, its network and disks, its clients and the
// checks that watch them, on one goroutine and one virtual clock.
type World struct {
	plan  Plan
	now   int64 // µs
	seq   uint64
	heap  eventHeap
	trace *trace
	count Counters

	// One stream of randomness for each part of the world.
	// Reactions are of operators and machines to what happens: they belong to the
	// run, where the swarm's faults come from a stream that a script does without.
	netDraw, diskDraw, faultDraw, loadDraw, nodeDraw, reactions draw

	benches snapshot.Benches

	rec    *recorder                // nil: nobody wants to see it
	script []Action                 // what was done to this world so far
	told   *linearizability.History // what the clients know, once the run is over
	asked  int64                    // when the membership was last to be changed
	// restored: somebody's disk was exchanged for an older copy.
	restored bool

	// Of a scenario: names it gave, puts by their labels, how many clients it had,
	// and which entries hold the requests (nil: nobody asks).
	names   map[string]raft.NodeID
	labels  map[string]*op
	tellers int
	placed  map[state.RequestID][]raft.EntryID

	nodes   []*Node // by id-1; ids are never used again
	net     *network
	faults  *faultPlanner
	load    *workload
	oracle  *oracle
	elected *elections
	phase   Phase
	entered int64 // when the phase began
	failure *Failure
}

// Phase of a run.
type Phase uint8

const (
	// PhaseWarmup: clients only.
	PhaseWarmup Phase = iota
	// PhaseChaos: faults.
	PhaseChaos
	// PhaseStable: in some runs, links that stay cut for a long time, and nothing
	// else that is broken.
	PhaseStable
	// PhaseConverge: no new faults; what was broken is healed (or, in some
	// runs, a minority is left broken) and the rest must agree.
	PhaseConverge
	// PhaseBlackout: at the very end all members lose power at once, come back
	// by themselves and must have lost nothing.
	PhaseBlackout
	// PhaseDone: over.
	PhaseDone
)

func (p Phase) String() string {
	return [...]string{"warm-up", "chaos", "stable", "converge", "blackout", "done"}[p]
}

func newWorld(o Options) *World {
	plan := planOf(o)
	w := &World{plan: plan, trace: newTrace(o.Trace, o.TraceJSON), count: Counters{}}
	w.netDraw = newDraw(plan.Seed, "net")
	w.diskDraw = newDraw(plan.Seed, "disk")
	w.faultDraw = newDraw(plan.Seed, "fault")
	w.loadDraw = newDraw(plan.Seed, "load")
	w.nodeDraw = newDraw(plan.Seed, "node")
	w.reactions = newDraw(plan.Seed, "reactions")
	w.names, w.labels = map[string]raft.NodeID{}, map[string]*op{}
	if o.Record {
		w.rec = &recorder{}
	}
	if o.Scenario != nil {
		w.placed = map[state.RequestID][]raft.EntryID{}
	}
	w.net = newNetwork(w)
	w.oracle = newOracle(w)
	w.elected = newElections(w)
	w.faults = newFaultPlanner(w)
	return w
}

// build makes the first members and the clients.
func (w *World) build() {
	config := raft.Configuration{}
	for i := 0; i < w.plan.Nodes; i++ {
		config.Members = append(config.Members, raft.Member{
			ID: raft.NodeID(i + 1), Voter: true, Address: addressOf(raft.NodeID(i + 1)),
		})
	}
	w.oracle.config = config
	w.oracle.configs = []committedConfig{{index: 0, config: config}}
	w.oracle.rebind(config)
	for i := 0; i < w.plan.Nodes; i++ {
		w.addNode(config).start()
	}
	w.load = newWorkload(w)
	w.load.start()
}

func addressOf(id raft.NodeID) string { return fmt.Sprintf("http://n%d:2380", id) }

// addNode makes a machine with an empty disk, not started yet.
func (w *World) addNode(initial raft.Configuration) *Node {
	n := newNode(w, raft.NodeID(len(w.nodes)+1), initial)
	w.nodes = append(w.nodes, n)
	return n
}

func (w *World) node(id raft.NodeID) *Node {
	if id == 0 || int(id) > len(w.nodes) {
		return nil
	}
	return w.nodes[id-1]
}

// at schedules run after a delay.
func (w *World) at(delay int64, what What, node uint8, run func()) {
	w.seq++
	w.heap.push(event{at: w.now + max(delay, 0), seq: w.seq, what: what, node: node, run: run})
}

// strikeAfter schedules a blow from outside. Of all that happens at one instant
// blows come last, so that a recorded list of them finds the world as they did.
func (w *World) strikeAfter(delay int64, run func()) {
	w.seq++
	w.heap.push(event{at: w.now + max(delay, 0), seq: w.seq | 1<<63, what: whatFault, run: run})
}

// runUntil lets events happen up to a virtual time, or until done says so.
func (w *World) runUntil(end int64, done func() bool) bool {
	for w.heap.len() > 0 && w.heap.next() <= end {
		e := w.heap.pop()
		w.now = e.at
		w.trace.mark(e.at, e.what, e.node, e.seq, 0, 0)
		if w.seq > eventsMax {
			w.fail(Stuck, "V4 bounded work", e.node, "%d events, the last ones of kind %s", w.seq, e.what)
		}
		if !e.void() {
			e.run()
		}
		if done != nil && done() {
			return true
		}
	}
	w.now = max(w.now, end)
	return done != nil && done()
}

func (w *World) enter(p Phase) {
	w.rec.phase(w.now, p)
	w.phase, w.entered = p, w.now
	w.trace.mark(w.now, whatPhase, 0, uint64(p), 0, 0)
	w.trace.line(w.now, whatPhase, 0, "%s", p)
}

// A run lasts a simulated minute or a little more. Seeds 1 to 60 make 50,000 to
// 690,000 events, and seed 7220, whose clients wait for a slow cluster, 1.2
// million; so five million are a storm. The other two are waited for, not
// demanded: a cluster may take longer than its run goes on (README.md, Phases).
const (
	eventsMax = 5_000_000
	opsMin    = 1000
	faultsMin = 10
)

// run lives a whole life: warm-up, chaos, convergence, blackout, full check.
func (w *World) run(o Options) {
	w.build()
	w.enter(PhaseWarmup)
	switch {
	case o.Scenario != nil:
		w.followScenario(o.Scenario)
	case o.Script != nil:
		w.follow(o.Script)
	default:
		w.swarm()
	}
	w.end()
}

// end is what no fault comes into any more.
func (w *World) end() {
	if w.beyond() {
		w.endure()
		return
	}
	w.stable()
	w.converge(PhaseConverge)
	w.faults.blackout()
	w.converge(PhaseBlackout)
	w.enter(PhaseDone)
	w.checkEnd()
}

// swarm lets faults strike that are drawn from the seed.
func (w *World) swarm() {
	w.runUntil(w.plan.Warmup, nil)
	w.enter(PhaseChaos)
	w.faults.start()
	w.runUntil(w.now+w.plan.Chaos, nil)
	// Few clients on a cluster that is mostly down get little done; and a run
	// without faults tests nothing.
	w.runUntil(w.now+2*w.plan.Chaos, func() bool { return w.count[CountFaults] >= faultsMin && w.count[CountOps] >= opsMin*2/3 })
	w.runUntil(w.now, nil) // what else happens at this instant
	w.faults.heal()
	w.perform(Action{Verb: "end"})
}

// follow does what a script says, each action as the last event of its instant.
// Where the script does not heal, its end does.
func (w *World) follow(script []Action) {
	begin := w.plan.Warmup
	if len(script) > 0 {
		begin = min(begin, script[0].At)
	}
	w.runUntil(begin, nil)
	w.enter(PhaseChaos)
	w.faults.running = true
	for _, a := range script {
		w.runUntil(a.At, nil)
		w.perform(a)
	}
	if w.faults.running {
		w.perform(Action{Verb: "heal"})
	}
}

// live lists the members that are up, in order of id.
func (w *World) live() []*Node {
	var up []*Node
	for _, n := range w.nodes {
		if n.up {
			up = append(up, n)
		}
	}
	return up
}

// leader returns the up member that leads in the highest term, or nil.
func (w *World) leader() *Node {
	var best *Node
	for _, n := range w.nodes {
		if n.up && n.last.role == raft.Leader && (best == nil || n.last.term > best.last.term) {
			best = n
		}
	}
	return best
}
