package replica

// pendingSlots is the size of the window of own requests in flight; equal to
// the window that state keeps per member, so a request that is still waiting
// can't have fallen out of it.
const pendingSlots = 1 << 16

// pending holds this member's requests that were proposed or sent to the
// leader and whose outcome isn't known yet.
//
// Sequence numbers are given out in order and all wait equally long, so the
// table is a ring: the slot of seq is seq mod pendingSlots.
//
// Invariants:
//  1. Every waiting request has low ≤ id.Seq < high, and high-low ≤ pendingSlots.
//  2. slots[low mod pendingSlots] is waiting, or low == high.
type pending struct {
	slots     []*Request
	low, high uint64
}

func newPending() pending {
	return pending{slots: make([]*Request, pendingSlots), low: 1, high: 1}
}

// add registers a request. The core's gate keeps the window (invariant 1).
func (p *pending) add(r *Request) {
	seq := r.id.Seq
	if p.low == p.high {
		p.low = seq
	}
	if seq < p.low || seq-p.low >= pendingSlots {
		panic("replica: request window overrun")
	}
	p.slots[seq%pendingSlots] = r
	p.high = max(p.high, seq+1)
}

// take removes and returns the request, or nil if nobody waits for it.
func (p *pending) take(seq uint64) *Request {
	if seq < p.low || seq >= p.high {
		return nil
	}
	r := p.slots[seq%pendingSlots]
	p.slots[seq%pendingSlots] = nil
	p.advance()
	return r
}

// peek returns the request without removing it, or nil.
func (p *pending) peek(seq uint64) *Request {
	if seq < p.low || seq >= p.high {
		return nil
	}
	return p.slots[seq%pendingSlots]
}

// expired removes and returns the oldest request if its deadline has passed.
func (p *pending) expired(now uint64) *Request {
	if p.low == p.high {
		return nil
	}
	if r := p.slots[p.low%pendingSlots]; r.deadline <= now {
		return p.take(r.id.Seq)
	}
	return nil
}

func (p *pending) advance() {
	for p.low < p.high && p.slots[p.low%pendingSlots] == nil {
		p.low++
	}
}
