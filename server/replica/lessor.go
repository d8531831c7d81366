package replica

import (
	"container/heap"

	"github.com/holdfast-db/holdfast/raft"
)

// lessor keeps the deadlines of leases, in ticks of this member, while this
// member leads. Deadlines are not replicated: a lease's only shared facts are
// its ID, TTL, checkpoint and keys (server/state).
//
// A lease never expires early, whatever the leaders do:
//
//   - a keep-alive is confirmed by a quorum round that began after the request
//     came, and its deadline counts from the start of that round, so a deposed
//     leader can't promise time that its successor doesn't know of;
//   - a new leader starts every lease afresh with its full TTL (or checkpointed
//     remainder) plus an election timeout, as etcd does;
//   - a revocation carries the term it was decided in and is void in another
//     (etcd #15247);
//   - once it is decided, keep-alives of that lease find it gone: one that
//     succeeded now would be overtaken by the revocation on its way.
type lessor struct {
	term     raft.Term // leading in this term; 0: not leading
	deadline map[int64]*leaseDeadline
	queue    leaseHeap
}

// leaseDeadline is one lease's entry in the queue.
type leaseDeadline struct {
	id   int64
	tick uint64
	pos  int // in the heap
	// revoking: its revocation was proposed and will be until it is applied.
	revoking bool
	// checkpoint: one was proposed since the lease's TTL was last its own.
	checkpoint bool
}

// lead makes the lessor primary for a term, without any deadline yet.
func (l *lessor) lead(term raft.Term) {
	*l = lessor{term: term, deadline: map[int64]*leaseDeadline{}}
}

// follow forgets all deadlines.
func (l *lessor) follow() { *l = lessor{} }

// set gives a lease a deadline, later or earlier than it had.
func (l *lessor) set(id int64, tick uint64) {
	if d := l.deadline[id]; d != nil {
		d.tick = tick
		heap.Fix(&l.queue, d.pos)
		return
	}
	d := &leaseDeadline{id: id, tick: tick}
	l.deadline[id] = d
	heap.Push(&l.queue, d)
}

// extend moves a deadline, never to an earlier tick.
func (l *lessor) extend(id int64, tick uint64) {
	if d := l.deadline[id]; d == nil || d.tick < tick {
		l.set(id, tick)
	}
}

// remove forgets a lease.
func (l *lessor) remove(id int64) {
	if d := l.deadline[id]; d != nil {
		heap.Remove(&l.queue, d.pos)
		delete(l.deadline, id)
	}
}

// remaining returns the ticks until the deadline, 0 if it has passed.
func (l *lessor) remaining(id int64, now uint64) (ticks uint64, ok bool) {
	d := l.deadline[id]
	if d == nil {
		return 0, false
	}
	if d.tick <= now || d.revoking {
		return 0, true
	}
	return d.tick - now, true
}

// ending reports whether the lease's revocation is on its way.
func (l *lessor) ending(id int64) bool {
	d := l.deadline[id]
	return d != nil && d.revoking
}

// expired returns a lease whose deadline has passed and puts its next try
// retryTicks later, in case the revocation is lost.
func (l *lessor) expired(now, retryTicks uint64) (id int64, ok bool) {
	if len(l.queue) == 0 || l.queue[0].tick > now {
		return 0, false
	}
	d := l.queue[0]
	d.tick, d.revoking = now+retryTicks, true
	heap.Fix(&l.queue, 0)
	return d.id, true
}

// leaseHeap orders by tick, then ID, so that expiry is the same in every run.
type leaseHeap []*leaseDeadline

func (h leaseHeap) Len() int { return len(h) }
func (h leaseHeap) Less(i, j int) bool {
	return h[i].tick < h[j].tick || h[i].tick == h[j].tick && h[i].id < h[j].id
}
func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}
func (h *leaseHeap) Push(x any) {
	d := x.(*leaseDeadline)
	d.pos = len(*h)
	*h = append(*h, d)
}
func (h *leaseHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}
