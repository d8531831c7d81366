package sim

import "github.com/holdfast-db/holdfast/raft"

// checkExpiry is L1: in true time, less what clocks may drift, a lease never
// ends before its TTL after its last acknowledged renewal was asked for.
func (b *leaseBook) checkExpiry(l *leaseRecord) {
	w := b.w
	if w.now < l.renewed+b.leastLife(l) {
		w.unsafe("L1 no lease expires early", 0, "lease %d of %ds expired %s after its last renewal was asked for",
			l.id, l.ttl, micros(w.now-l.renewed))
	}
}

// leastLife is how long a lease lives at least after a renewal was asked for.
func (b *leaseBook) leastLife(l *leaseRecord) int64 {
	ttl := l.ttl * second
	return ttl - ttl/1_000_000*(b.w.plan.DriftPPM+b.w.plan.ClockPPM)
}

// checkKeepAlive is L4, and feeds L1: a renewal that is answered with a TTL
// promises that much from the moment it was asked for; none succeeds that was
// asked for after the lease had ended. term is the one that the member leads in
// which has renewed it; 0: this one has passed on the leader's word.
func (b *leaseBook) checkKeepAlive(o *op, term raft.Term) {
	l := b.byID[o.lease]
	if o.ttl <= 0 || l == nil {
		return
	}
	if !l.granted || l.gone && l.goneAt <= o.call {
		b.w.unsafe("L4 no keep-alive of a dead lease", uint8(o.node.id), "%s of lease %d answers %ds, it ended at %s",
			o.text(), o.lease, o.ttl, micros(l.goneAt))
	}
	if l.expired && l.goneAt < o.call+b.leastLife(l) {
		b.w.unsafe("L1 no lease expires early", uint8(o.node.id), "%s of lease %d answers %ds, but it expired %s after that was asked",
			o.text(), o.lease, o.ttl, micros(l.goneAt-o.call))
	}
	l.renewed = max(l.renewed, o.call)
	if term != 0 {
		b.checkDeadline(o, l)
	}
}

// checkDeadline is L1 at the moment of the promise: who leads and says that a
// lease is renewed has put its end off for as long as it says. Whether somebody
// else will be leading by then, and give the lease more, is luck.
func (b *leaseBook) checkDeadline(o *op, l *leaseRecord) {
	ticks, ok := o.node.rep.LeaseTicks(l.id)
	if !ok {
		return // it has stopped leading since
	}
	left := int64(ticks) * o.node.tickMicros
	if b.w.now+left < o.call+b.leastLife(l) {
		b.w.unsafe("L1 no lease expires early", uint8(o.node.id), "%s of lease %d answers %ds, %s after it was asked, and gives it %s",
			o.text(), l.id, o.ttl, micros(b.w.now-o.call), micros(left))
	}
	b.w.count.add("deadlines of leases compared")
}
