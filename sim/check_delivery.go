package sim

// deliveryTicks is how many ticks an event may take to its watcher on a member
// that has applied it, once nothing is broken and the watcher reads.
const deliveryTicks = 100

// checkDelivery is W9's bound, asked now and then after the faults have ended:
// an event that the member has applied reaches a watcher that reads within N
// ticks, in particular one that was created, or overtaken by compaction, before.
func (s *watchStream) checkDelivery() {
	w := s.w
	// What a slow reader has taken before is digested first.
	if s.node == nil || !s.node.up || w.now < w.entered+w.plan.Load.SlowWatcher*20+second {
		return
	}
	for _, at := range s.watchers {
		due := at.due()
		switch {
		case due == 0:
			at.waiting = 0
		case at.waiting != due || at.waitsOn != s.opened:
			at.waiting, at.waitsOn, at.since = due, s.opened, w.now
		case w.now-at.since > deliveryTicks*w.plan.Raft.TickMicros+second:
			s.lags(at, due)
		}
	}
}

// due is the revision that a watcher should hear of next; 0: none. Creation is
// answered like revision 1.
func (at *watcher) due() int64 {
	if !at.created {
		return 1
	}
	if c := at.skip(); c != nil && c.main <= stateOf(at.stream.node.rep).Revision() {
		return c.main
	}
	return 0
}

func (s *watchStream) lags(at *watcher, due int64) {
	s.w.fail(Stuck, "W9 delivery within N ticks", uint8(s.node.id), "stream %d watcher %d %s: the event at %d has not come for %s (created %v, from %d, member compacted at %d)",
		s.index, at.id, at.text(), due, micros(s.w.now-at.since), at.created, at.from, stateOf(s.node.rep).View().CompactRevision())
}
