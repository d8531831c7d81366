package sim

import (
	"slices"

	"github.com/holdfast-db/holdfast/server/replica"
)

// actor is one of the three state machines of a member. The server gives each
// a goroutine; here each is a queue on the heap: an event wakes it, it takes
// what has gathered, works for a drawn time, and only then its output exists.
// So completions of one actor meet the others at every possible moment, and a
// crash between work and output loses the output but not what it did to the
// disk.
type actor struct {
	id      replica.ActorID
	machine replica.Actor
	queue   []replica.Event
	spare   []replica.Event // the memory of the batch before
	out     replica.Output  // of the turn whose output does not exist yet
	running bool            // a turn or its output is on the heap
	ticks   int             // in queue
	// What the heap runs: made once, since there are hundreds of thousands.
	take, give func()
}

func (a *actor) init(n *Node, id replica.ActorID, m replica.Actor) {
	*a = actor{id: id, machine: m, take: func() { n.turn(a) }, give: func() { n.give(a) }}
}

// ticksWaitingMax bounds the ticks that pile up before an actor that is stuck,
// as in the server: time may pass slower for it, not all at once. What waits, as
// much in the batch at hand, and the grid are what its clock may lag behind.
const (
	ticksWaitingMax = 4
	lateTicks       = 2*ticksWaitingMax + 1
)

// tick gives each actor a tick, unless too many wait.
func (n *Node) tick() {
	for _, to := range [...]replica.ActorID{replica.ToCore, replica.ToLog, replica.ToApply} {
		if a := &n.actors[to]; a.ticks < ticksWaitingMax {
			a.ticks++
			n.enqueue(replica.TickEvent{To: to})
		} else {
			n.w.count.add("ticks dropped")
		}
	}
}

// asleep tells whether an actor stands still now: it, or all of its process.
func (n *Node) asleep(id replica.ActorID) bool {
	return max(n.pausedUntil, n.stalledUntil[id]) > n.w.now
}

// sleepUntil keeps a pause's end in until, and goes on at that time with what
// gathered meanwhile.
func (n *Node) sleepUntil(until *int64, µs int64) {
	*until = max(*until, n.w.now+µs)
	n.later(µs, whatHeal, n.goOn)
}

// wakeUp ends all pauses.
func (n *Node) wakeUp() {
	n.pausedUntil, n.stalledUntil = 0, [3]int64{}
	n.goOn()
}

// goOn runs what was put off; each looks for itself whether it still has to wait.
func (n *Node) goOn() {
	parked := n.parked
	n.parked = nil
	for _, run := range parked {
		n.later(n.w.nodeDraw.between(1, 30), whatActor, run)
	}
}

var actorNames = [...]string{"core", "log", "apply"}

// enqueue hands an event to its actor.
func (n *Node) enqueue(ev replica.Event) {
	a := &n.actors[replica.ActorOf(ev)]
	a.queue = append(a.queue, ev)
	n.wake(a)
}

func (n *Node) wake(a *actor) {
	if a.running || len(a.queue) == 0 {
		return
	}
	a.running = true
	n.later(n.w.nodeDraw.between(1, 30), whatActor, a.take)
}

// turn lets an actor take what is in its queue, or a part of it: batches then
// differ in size, as they do under a real scheduler.
func (n *Node) turn(a *actor) {
	if n.asleep(a.id) {
		n.parked = append(n.parked, a.take)
		return
	}
	batch := a.batch(n)
	a.taken(n, batch)
	t := n.before(a, batch)
	for _, ev := range batch {
		a.machine.Step(ev, &a.out)
	}
	a.machine.Flush(&a.out)
	for _, j := range a.out.Jobs {
		n.jobs = append(n.jobs, &running{job: j})
	}
	if !n.after(a, t, batch, &a.out) {
		return // it crashed inside this turn
	}
	clear(batch)
	n.later(t.work, whatOutput, a.give)
}

// batch takes events from the queue. They are good until the next turn: what
// arrives meanwhile is kept elsewhere.
func (a *actor) batch(n *Node) []replica.Event {
	take := len(a.queue)
	if take > 1 && n.w.nodeDraw.percent(20) {
		take = 1 + n.w.nodeDraw.IntN(take)
	}
	batch, rest := a.queue[:take], a.queue[take:]
	a.queue, a.spare = append(a.spare[:0], rest...), a.queue
	return batch
}

// give lets the output of the last turn exist, and goes on.
func (n *Node) give(a *actor) {
	a.running = false
	n.emit(&a.out)
	a.out.Reset()
	n.wake(a)
}

// taken notes what leaves the queue.
func (a *actor) taken(n *Node, batch []replica.Event) {
	for _, ev := range batch {
		switch ev := ev.(type) {
		case replica.TickEvent:
			a.ticks--
		case replica.JobDoneEvent:
			n.jobs = slices.DeleteFunc(n.jobs, func(r *running) bool { return r.is(ev.Job) })
		}
	}
}

// emit carries out what an actor asked for.
func (n *Node) emit(out *replica.Output) {
	for _, ev := range out.Events {
		n.enqueue(ev)
	}
	for _, f := range out.Frames {
		n.checkPromise(f.To, f.Frame)
		n.w.net.send(n.id, f.To, f.Frame)
	}
	for _, j := range out.Jobs {
		n.runJob(j)
	}
	for _, t := range out.Timers {
		n.later(n.localMicros(t.Micros), whatTimer, func() { n.enqueue(t.Event) })
	}
	for _, o := range out.Snapshots {
		n.streamSnapshot(o)
	}
}

// running is a job whose owner has not seen its end; over: it has come to it.
type running struct {
	job  replica.Job
	over bool
	err  error
}

// is tells a job by its name: an owner has one of each kind at a time.
func (r *running) is(j replica.Job) bool { return r.job.Name == j.Name && r.job.Owner == j.Owner }

// runJob steps a job on the heap until it is done.
func (n *Node) runJob(j replica.Job) {
	n.w.count.add("jobs " + j.Name)
	n.later(n.w.nodeDraw.between(20, 500), whatJob, func() { n.stepJob(j) })
}

func (n *Node) stepJob(j replica.Job) {
	if n.pausedUntil > n.w.now {
		n.parked = append(n.parked, func() { n.stepJob(j) })
		return
	}
	done, err := j.Step()
	for _, r := range n.jobs {
		if r.is(j) && (done || err != nil) {
			r.over, r.err = true, err
		}
	}
	if n.diskStopped() {
		n.crashAtDisk("job " + j.Name)
		return
	}
	if done && err == nil && j.Name == "snapshot" {
		n.checkSnapshots("a snapshot is written")
	}
	delay := n.w.nodeDraw.between(20, 2000)
	if !done && err == nil {
		n.later(delay, whatJob, func() { n.stepJob(j) })
		return
	}
	n.later(delay, whatJob, func() { n.enqueue(replica.JobDoneEvent{Job: j, Err: err}) })
}
