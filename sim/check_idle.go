package sim

import (
	"github.com/holdfast-db/holdfast/server/replica"
)

// checkIdle is V5: when clients have had their answers, nobody waits any more.
// Whatever a member still holds for a request would be held for ever, and the
// next million of them would be its end.
func (w *World) checkIdle() {
	// Requests whose client gave up end with their deadline.
	ticks := int64(2*w.plan.Replica.RequestTimeoutTicks + 4*w.plan.Raft.ElectionTicks)
	w.runUntil(w.now+ticks*w.plan.Raft.TickMicros*(1_000_000+w.plan.DriftPPM)/1_000_000, nil)
	for _, n := range w.core() {
		if !n.up {
			continue // a power loss that was left armed
		}
		got, want := n.rep.Waiting(), replica.Waiting{}
		for _, s := range w.load.streams {
			if s.node == n {
				want.Streams, want.Sinks = want.Streams+1, want.Sinks+1
			}
		}
		if got != want {
			w.fail(Stuck, "V5 nobody waits at the end", uint8(n.id), "n%d holds %+v, its clients know of %+v", n.id, got, want)
		}
	}
}
