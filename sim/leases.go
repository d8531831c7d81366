package sim

import (
	"github.com/holdfast-db/holdfast/server/state"
)

// leaseBook is what the simulator knows of each lease, in true time.
type leaseBook struct {
	w     *World
	byID  map[int64]*leaseRecord
	order []*leaseRecord
	last  int64
}

type leaseRecord struct {
	id, ttl int64 // ttl in seconds
	granted bool
	// renewed is when the last successful renewal (or the grant) was asked
	// for: the earliest moment from which anybody may count the TTL.
	renewed int64
	// touched is when a client last asked to renew it, or gave up waiting.
	touched int64
	gone    bool
	expired bool // gone by the leader's own command
	goneAt  int64
}

func newLeaseBook(w *World) *leaseBook {
	return &leaseBook{w: w, byID: map[int64]*leaseRecord{}}
}

// fresh names a new lease.
func (b *leaseBook) fresh() int64 {
	b.last++
	r := &leaseRecord{id: b.last, renewed: b.w.now, touched: b.w.now}
	b.byID[r.id] = r
	b.order = append(b.order, r)
	return r.id
}

// pick draws one of the last few leases, living or not; 0 before the first.
func (b *leaseBook) pick(d draw) int64 {
	if len(b.order) == 0 {
		return 0
	}
	recent := b.order[max(0, len(b.order)-8):]
	return recent[d.IntN(len(recent))].id
}

// committed follows a client's command in the one log.
func (b *leaseBook) committed(body state.Body, r *state.Result) {
	if r.Err != nil {
		return
	}
	switch q := body.(type) {
	case *state.LeaseGrantRequest:
		l := b.byID[q.ID]
		l.granted, l.ttl, l.gone, l.touched = true, q.TTL, false, b.w.now
	case *state.LeaseRevokeRequest:
		b.end(q.ID)
	}
}

// internal follows the leader's own commands: expiries and checkpoints.
func (b *leaseBook) internal(body state.Body, r *state.Result) {
	if r.Err != nil {
		return
	}
	switch q := body.(type) {
	case *state.LeaseRevokeRequest:
		b.checkExpiry(b.byID[q.ID])
		b.checkExpiryDue(b.byID[q.ID])
		b.byID[q.ID].expired = true
		b.end(q.ID)
		b.w.count.add("leases expired")
	case *state.LeaseCheckpointRequest:
		for _, c := range q.Checkpoints {
			b.checkCheckpoint(q.AsOf, c)
		}
	}
}

func (b *leaseBook) end(id int64) {
	l := b.byID[id]
	l.gone, l.goneAt = true, b.w.now
}
