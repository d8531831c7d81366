package sim

// event is something that will happen at a virtual time.
type event struct {
	at  int64 // µs of virtual time
	seq uint64
	// what and node go into the trace hash: two runs of one seed must agree
	// on every event, not only on where they end.
	what What
	node uint8
	run  func()
	// proc, if not nil, is the machine whose process with this number it belongs
	// to: with that process it is void.
	proc *Node
	life uint64
}

// void tells whether the process that the event belongs to has ended.
func (e *event) void() bool { return e.proc != nil && (e.proc.life != e.life || !e.proc.up) }

// eventHeap is a binary heap ordered by (at, seq). Events of one instant run
// in the order in which they were scheduled, so a run has no ties to break.
//
// What is moved about is only an event's key; the rest waits in a slot. Keys have
// no pointers, so the garbage collector has nothing to be told of.
type eventHeap struct {
	keys  []eventKey
	slots []event
	free  []uint32 // slots that hold nothing
}

type eventKey struct {
	at   int64
	seq  uint64
	slot uint32
}

func (k eventKey) before(other eventKey) bool {
	return k.at < other.at || k.at == other.at && k.seq < other.seq
}

func (h *eventHeap) len() int { return len(h.keys) }

// next is when the first event happens; there must be one.
func (h *eventHeap) next() int64 { return h.keys[0].at }

func (h *eventHeap) push(e event) {
	k := eventKey{at: e.at, seq: e.seq, slot: h.store(e)}
	h.keys = append(h.keys, k)
	i := len(h.keys) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !k.before(h.keys[parent]) {
			break
		}
		h.keys[i] = h.keys[parent]
		i = parent
	}
	h.keys[i] = k
}

func (h *eventHeap) store(e event) uint32 {
	if n := len(h.free); n > 0 {
		slot := h.free[n-1]
		h.free = h.free[:n-1]
		h.slots[slot] = e
		return slot
	}
	h.slots = append(h.slots, e)
	return uint32(len(h.slots) - 1)
}

func (h *eventHeap) pop() event {
	first := h.keys[0].slot
	last := len(h.keys) - 1
	k := h.keys[last]
	h.keys = h.keys[:last]
	if last > 0 {
		h.sink(k)
	}
	e := h.slots[first]
	h.slots[first] = event{} // drop the closure
	h.free = append(h.free, first)
	return e
}

// sink puts a key in from the top.
func (h *eventHeap) sink(k eventKey) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h.keys) {
			break
		}
		if child+1 < len(h.keys) && h.keys[child+1].before(h.keys[child]) {
			child++
		}
		if !h.keys[child].before(k) {
			break
		}
		h.keys[i] = h.keys[child]
		i = child
	}
	h.keys[i] = k
}
