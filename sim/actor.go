package sim

import "github.com/holdfast-db/holdfast/server/replica"

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
	running bool // a turn or its output is on the heap
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
	delay := n.w.nodeDraw.between(1, 30)
	if until := max(n.pausedUntil, n.stalledUntil[a.id]); until > n.w.now {
		delay += until - n.w.now
	}
	n.later(delay, whatActor, func() { n.turn(a) })
}

// turn lets an actor take what is in its queue, or a part of it: batches then
// differ in size, as they do under a real scheduler.
func (n *Node) turn(a *actor) {
	if until := max(n.pausedUntil, n.stalledUntil[a.id]); until > n.w.now {
		n.later(until-n.w.now, whatActor, func() { n.turn(a) })
		return
	}
	take := len(a.queue)
	if take > 1 && n.w.nodeDraw.percent(20) {
		take = 1 + n.w.nodeDraw.IntN(take)
	}
	batch := a.queue[:take:take]
	a.queue = append([]replica.Event(nil), a.queue[take:]...)
	t := n.before(a, batch)
	var out replica.Output
	for _, ev := range batch {
		a.machine.Step(ev, &out)
	}
	a.machine.Flush(&out)
	if !n.after(a, t, batch, &out) {
		return // it crashed inside this turn
	}
	n.later(t.work, whatOutput, func() {
		a.running = false
		n.emit(&out)
		n.wake(a)
	})
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

// runJob steps a job on the heap until it is done.
func (n *Node) runJob(j replica.Job) {
	n.w.count.add("jobs " + j.Name)
	n.later(n.w.nodeDraw.between(20, 500), whatJob, func() { n.stepJob(j) })
}

func (n *Node) stepJob(j replica.Job) {
	if n.pausedUntil > n.w.now {
		n.later(n.pausedUntil-n.w.now, whatJob, func() { n.stepJob(j) })
		return
	}
	done, err := j.Step()
	if n.diskStopped() {
		n.crashAtDisk("job " + j.Name)
		return
	}
	delay := n.w.nodeDraw.between(20, 2000)
	if !done && err == nil {
		n.later(delay, whatJob, func() { n.stepJob(j) })
		return
	}
	n.later(delay, whatJob, func() { n.enqueue(replica.JobDoneEvent{Job: j, Err: err}) })
}
