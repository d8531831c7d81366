package sim

import (
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// eagerReader reads, at any member, as soon as somebody else was told of a
// write: the moment at which a stale answer shows.
type eagerReader struct{}

// next does nothing: readBack decides when to read.
func (eagerReader) next(*client, *op) {}

func (l *workload) startEager() {
	for i := range l.eager {
		l.eager[i] = &client{w: l.w, id: len(l.clients) + 1, known: map[string]mvcc.KeyValue{}, role: eagerReader{}}
		l.clients = append(l.clients, l.eager[i])
	}
}

// reader is an eager reader that has nothing under way, or nil. The second one
// is there for a time when the first waits for a leader that stands still.
func (l *workload) reader() *client {
	for _, c := range l.eager {
		if !c.stop && c.busy == nil {
			return c
		}
	}
	return nil
}

// doubts tells whether all that is written is read back from one member now.
func (l *workload) doubts() bool { return l.doubted != 0 && l.w.now < l.doubtedUntil }

// readBack may send the eager reader after an acknowledged write. Half of the
// time it asks a member that takes itself for the leader, which may be wrong.
// After the end of a lease it tries to renew that.
func (l *workload) readBack(o *op) {
	d := l.w.loadDraw
	if !o.write() || !l.doubts() && !d.percent(l.w.plan.Load.EagerPercent) {
		return
	}
	if grant, ok := o.body.(*state.LeaseGrantRequest); ok {
		l.renewLate(o, grant.TTL)
		return
	}
	l.w.at(d.between(0, 2*millisecond), whatClient, 0, func() {
		c := l.reader()
		if c == nil {
			return
		}
		if c.node = l.anyMember(d); d.percent(50) {
			c.node = l.anyLeader(d, c.node)
		}
		if l.doubts() {
			c.node = l.doubted
		}
		switch b := o.body.(type) {
		case *mvcc.PutRequest:
			c.send(&op{kind: opGet, query: &mvcc.RangeRequest{Key: b.Key}})
		case *state.LeaseRevokeRequest:
			c.send(&op{kind: opKeepAlive, lease: b.ID})
		default:
			c.send(&op{kind: opGet, query: &mvcc.RangeRequest{Key: c.key()}})
		}
	})
}

// anyLeader draws among the members that lead in whatever term they are.
func (l *workload) anyLeader(d draw, otherwise raft.NodeID) raft.NodeID {
	var list []raft.NodeID
	for _, m := range l.w.oracle.config.Members {
		if n := l.w.node(m.ID); n.up && n.last.role == raft.Leader {
			list = append(list, m.ID)
		}
	}
	if len(list) == 0 {
		return otherwise
	}
	return list[d.IntN(len(list))]
}

// renewLate tries to renew a lease at about the time at which its leader gives
// it up: an answer then is either in time, or that it is gone.
func (l *workload) renewLate(o *op, ttl int64) {
	c, d := l.eager[0], l.w.loadDraw
	for range 3 {
		late := d.between(ticksWaitingMax, 4*ticksWaitingMax) * l.w.plan.Raft.TickMicros
		l.w.at(ttl*second+late-(l.w.now-o.call), whatClient, 0, func() {
			if c.stop || c.busy != nil {
				return
			}
			c.node = l.anyLeader(d, l.anyMember(d))
			c.send(&op{kind: opKeepAlive, lease: o.lease})
		})
	}
}
