package replica

import (
	"math"

	"github.com/holdfast-db/holdfast/server/state"
)

// Checkpoints let a lease go on where it was when the leader changes (etcd's
// feature LeaseCheckpoint): from time to time the leader writes down what remains
// of each long lease, and the next leader counts from there and not from the
// full TTL. Else leaders that change more often than leases end keep all of them
// alive for ever.
//
// A lease that is renewed must not be ended by what was written down before, or
// is just being written down. So a keep-alive of one with a checkpoint, applied or
// on its way, isn't over until that is taken back through the log:
// Reply.GrantedTTL tells the asker to do so. What was counted before it was taken
// back, or before the lease was granted, is void (LeaseCheckpointRequest.AsOf).

// checkpointsPerTick is how many leases are looked at in a tick.
const checkpointsPerTick = 100

// checkpoints is where the leader is in its rounds through the leases.
type checkpoints struct {
	next uint64 // tick in which the round begins, or goes on
	from int64  // the first lease of the next tick
}

func (c *checkpoints) wait(now, ticks uint64) {
	*c = checkpoints{next: now + ticks, from: math.MinInt64}
}

// checkpointLeases proposes the checkpoints of some leases, if it is time.
func (a *Apply) checkpointLeases(out *Output) {
	every := uint64(a.cfg.CheckpointTicks)
	if every == 0 || a.lessor.term == 0 || a.now < a.checkpoints.next {
		return
	}
	var list []state.LeaseCheckpoint
	looked, over := 0, true
	a.state.AscendLeasesFrom(a.checkpoints.from, func(l state.Lease) bool {
		if looked == checkpointsPerTick {
			a.checkpoints.from, over = l.ID, false
			return false
		}
		looked++
		if remaining := a.worthCheckpoint(l); remaining > 0 {
			list = append(list, state.LeaseCheckpoint{ID: l.ID, Remaining: remaining})
			a.lessor.deadline[l.ID].checkpoint = true
		}
		return true
	})
	if over {
		a.checkpoints.wait(a.now, every)
	}
	if len(list) > 0 {
		body := state.AppendBody(nil, &state.LeaseCheckpointRequest{AsOf: a.state.AppliedIndex(), Checkpoints: list})
		command := state.Encoded{Term: uint64(a.lessor.term), Body: body}
		out.Events = append(out.Events, proposeEvent{Term: a.lessor.term, Commands: []state.Encoded{command}})
	}
}

// worthCheckpoint returns the seconds to write down, 0 for a lease that ends
// before the next round or has lost no time.
func (a *Apply) worthCheckpoint(l state.Lease) int64 {
	perSecond := a.life(1) - uint64(a.cfg.LateTicks)
	ticks, ok := a.lessor.remaining(l.ID, a.now)
	if !ok || ticks <= uint64(a.cfg.CheckpointTicks) {
		return 0
	}
	seconds := int64((ticks + perSecond - 1) / perSecond)
	if seconds >= l.RemainingTTL() {
		return 0
	}
	return seconds
}
