package replica

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// readQueue gathers linearizable reads (and keep-alives, which need the same
// proof of leadership) into quorum rounds: all that wait at one moment share
// one round (thesis §6.4). While it is under way the next ones gather.
type readQueue struct {
	waiting []*Request
	round   []*Request // waiting for the answer to id
	id      raft.ReadID
	start   uint64 // tick before which no message of the round was sent
	active  bool
}

// readRetryTicks: a round without an answer for so long (half a second at the
// default tick) is asked again under a fresh id; its old answer no longer
// counts (etcd #20418).
func (c *Core) readRetryTicks() uint64 { return uint64(max(c.cfg.ElectionTicks/2, 1)) }

// flushReads begins a round for what waits.
func (c *Core) flushReads(out *Output) {
	q := &c.reads
	if q.active || len(q.waiting) == 0 || c.leader == 0 {
		return
	}
	round := q.waiting
	if c.role != raft.Leader {
		round = c.forwardLeases(round, out)
	}
	q.waiting = nil
	if len(round) == 0 {
		return
	}
	id, err := c.node.ReadIndex()
	if err != nil {
		q.waiting = round // no leader: until there is one, or their deadline
		return
	}
	q.round, q.id, q.start, q.active = round, id, c.now, true
}

// readReady passes an answered round on to the apply actor.
func (c *Core) readReady(ready raft.ReadReady, out *Output) {
	q := &c.reads
	if !q.active || ready.ID != q.id {
		return
	}
	round := q.round
	q.round, q.active = nil, false
	if ready.Err != nil {
		for _, r := range round {
			c.readFailed(r, ready.Err)
		}
		return
	}
	out.Events = append(out.Events, readyEvent{Index: ready.Index, Term: ready.Term, Start: q.start, Now: c.now, Requests: round})
}

// readFailed: without a leader a read waits for the next one; if the leader
// changed under it, the client is told (as etcd does) and asks again.
func (c *Core) readFailed(r *Request, err error) {
	switch {
	case r.sentTo != 0:
		c.refuse(r.id, answerLeaderChanged)
	case err == raft.ErrNoLeader:
		c.reads.waiting = append(c.reads.waiting, r)
	default:
		r.Done(Reply{Err: ErrLeaderChanged})
	}
}

// expire answers reads that waited too long and frees a round that was lost.
func (q *readQueue) expire(c *Core) {
	if q.active && c.now-q.start >= c.readRetryTicks() {
		q.waiting = append(q.round, q.waiting...)
		q.round, q.active = nil, false
	}
	keep := q.waiting[:0]
	for _, r := range q.waiting {
		switch {
		case r.deadline > c.now:
			keep = append(keep, r)
		case r.sentTo != 0:
			// The follower that asked has given up by itself.
		default:
			r.Done(Reply{Err: ErrTimeout})
		}
	}
	q.waiting = keep
}

// askedQueue holds keep-alives and TTL questions that were sent to the leader,
// in order of their sequence numbers.
type askedQueue struct {
	seq   uint64 // last one given out
	bySeq map[uint64]*Request
	order []*Request
}

// askedBit sets the numbers of questions apart from those of writes.
const askedBit = 1 << 63

// forwardLeases sends lease questions to the leader and returns the reads.
func (c *Core) forwardLeases(rs []*Request, out *Output) []*Request {
	var reads, leases []*Request
	for _, r := range rs {
		switch {
		case r.Kind == Read:
			reads = append(reads, r)
		case r.sentTo != 0:
			c.refuse(r.id, answerNotLeader)
		default:
			r.term = c.term
			c.asked.add(r, c.origin)
			leases = append(leases, r)
		}
	}
	if len(leases) > 0 {
		for _, batch := range c.splitForward(leases) {
			c.sendFrame(c.leader, appendForward(c.origin.Incarnation, c.origin.Boot, batch), out)
		}
	}
	return reads
}

// add numbers a question, only so that its answer can be matched.
func (a *askedQueue) add(r *Request, origin state.RequestID) {
	if a.bySeq == nil {
		a.bySeq = map[uint64]*Request{}
	}
	a.seq++
	r.id = origin
	r.id.Seq = a.seq | askedBit
	a.bySeq[r.id.Seq] = r
	a.order = append(a.order, r)
}

// expire answers what the leader didn't.
func (a *askedQueue) expire(c *Core) {
	for len(a.order) > 0 {
		r := a.order[0]
		waits := a.bySeq[r.id.Seq] == r
		if waits && r.deadline > c.now {
			return
		}
		a.order = a.order[1:]
		if waits {
			delete(a.bySeq, r.id.Seq)
			r.Done(Reply{Err: c.timeout(r)})
		}
	}
}

// answered handles one row of a leader's reply.
func (c *Core) answered(a answer, out *Output) {
	r := c.asked.bySeq[a.seq]
	if r == nil {
		c.writeRefused(a, out)
		return
	}
	delete(c.asked.bySeq, a.seq)
	if a.code == answerNotLeader || a.code == answerLeaderChanged {
		c.reads.waiting = append(c.reads.waiting, r) // asking again does no harm
		return
	}
	r.Done(Reply{Err: a.code.err(), TTL: a.ttl, GrantedTTL: a.granted})
}

// writeRefused: the member that was asked did not propose our write.
func (c *Core) writeRefused(a answer, out *Output) {
	switch a.code {
	case answerNotLeader:
		out.Events = append(out.Events, refusedEvent{Seq: a.seq})
	case answerTooMany:
		out.Events = append(out.Events, refusedEvent{Seq: a.seq, Later: true})
	default:
		if a.code >= answerMember {
			out.Events = append(out.Events, refusedEvent{Seq: a.seq, Err: a.code.err()})
		}
	}
}

// flushAsked sends refusals that came up while raft's output was taken.
func (c *Core) flushAsked(out *Output) { c.flushRefusals(out) }
