package mvcc

// Recheck asks about every watcher whether it may go on, and cancels those for
// which reason returns one. Its owner calls it when what watchers may see has
// changed, after Publish: so each of them has been offered all that happened
// before, and gets nothing of what comes after.
func (h *Hub) Recheck(reason func(stream StreamID, key, end []byte) string, emit Emit) {
	for _, s := range h.order {
		for i := len(s.list) - 1; i >= 0; i-- {
			w := s.list[i]
			key, end := w.group.span.ends()
			if why := reason(s.id, key, end); why != "" {
				h.remove(w)
				h.say(s, WatchResponse{ID: w.id, Canceled: true, CancelReason: why, Revision: h.store.rev})
			}
		}
	}
	h.flush(emit)
}

// ends is the inverse of spanOf.
func (s span) ends() (key, end []byte) {
	switch {
	case s.single:
		return s.lo, nil
	case s.open:
		return s.lo, []byte{0}
	}
	return s.lo, s.hi
}
