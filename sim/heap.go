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
}

// eventHeap is a binary heap ordered by (at, seq). Events of one instant run
// in the order in which they were scheduled, so a run has no ties to break.
type eventHeap []event

func (h eventHeap) less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}

func (h *eventHeap) push(e event) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.less(i, parent) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *eventHeap) pop() event {
	s := *h
	first := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s[last] = event{} // drop the closure
	s = s[:last]
	*h = s
	s.sink(0)
	return first
}

func (h eventHeap) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h.less(child+1, child) {
			child++
		}
		if !h.less(child, i) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
