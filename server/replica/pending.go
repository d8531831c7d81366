package replica

// pendingSlots is the size of the window of own requests in flight; equal to
// the window that state keeps per member, so a request that is still waiting
// can't have fallen out of it.
const pendingSlots = 1 << 16

// pending holds this member's requests that were proposed or sent to the
// leader and whose outcome isn't known yet.
//
// Sequence numbers are given out in order and all wait equally long, so the
// table is a ring: the slot of seq is seq mod its size, which doubles when more
// wait at once, up to pendingSlots.
//
// Invariants:
//  1. Every waiting request has low ≤ id.Seq < high, and high-low ≤ len(slots) ≤ pendingSlots.
//  2. The slot of low is waiting, or low == high.
type pending struct {
	slots     []*Request
	low, high uint64
}

// pendingSlotsFirst is the ring's first size: few members ever have more waiting.
const pendingSlotsFirst = 1 << 10

func newPending() pending {
	return pending{slots: make([]*Request, pendingSlotsFirst), low: 1, high: 1}
}

func (p *pending) slot(seq uint64) **Request { return &p.slots[seq%uint64(len(p.slots))] }

// grow makes room for seq.
func (p *pending) grow(seq uint64) {
	size := uint64(len(p.slots))
	for seq-p.low >= size {
		size *= 2
	}
	slots := make([]*Request, size)
	for at := p.low; at < p.high; at++ {
		slots[at%size] = *p.slot(at)
	}
	p.slots = slots
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
	if seq-p.low >= uint64(len(p.slots)) {
		p.grow(seq)
	}
	*p.slot(seq) = r
	p.high = max(p.high, seq+1)
}

// take removes and returns the request, or nil if nobody waits for it.
func (p *pending) take(seq uint64) *Request {
	if seq < p.low || seq >= p.high {
		return nil
	}
	slot := p.slot(seq)
	r := *slot
	*slot = nil
	p.advance()
	return r
}

// peek returns the request without removing it, or nil.
func (p *pending) peek(seq uint64) *Request {
	if seq < p.low || seq >= p.high {
		return nil
	}
	return *p.slot(seq)
}

// expired removes and returns the oldest request if its deadline has passed.
func (p *pending) expired(now uint64) *Request {
	if p.low == p.high {
		return nil
	}
	if r := *p.slot(p.low); r.deadline <= now {
		return p.take(r.id.Seq)
	}
	return nil
}

func (p *pending) advance() {
	for p.low < p.high && *p.slot(p.low) == nil {
		p.low++
	}
}
