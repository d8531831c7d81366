package replica

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// checkLead makes the lessor primary once this member leads and has applied an
// entry of its term: then it knows every lease that any earlier leader granted.
func (a *Apply) checkLead() {
	if a.leadTerm == 0 || a.lessor.term == a.leadTerm || raft.Term(a.state.AppliedTerm()) != a.leadTerm {
		return
	}
	a.lessor.lead(a.leadTerm)
	a.checkpoints.wait(a.now, uint64(a.cfg.CheckpointTicks))
	grace := uint64(a.cfg.ElectionTicks)
	a.state.AscendLeases(func(l state.Lease) bool {
		a.lessor.set(l.ID, a.now+a.life(l.RemainingTTL())+grace)
		return true
	})
}

// life is how many ticks after now a lease ends: its TTL and what this
// member's clock may lag behind.
func (a *Apply) life(seconds int64) uint64 {
	perSecond := uint64(max(1_000_000/a.cfg.TickMicros, 1))
	return uint64(max(seconds, 0))*perSecond + uint64(a.cfg.LateTicks)
}

func (a *Apply) seconds(ticks uint64) int64 {
	perSecond := uint64(max(1_000_000/a.cfg.TickMicros, 1))
	return int64(ticks / perSecond)
}

// leaseChanged follows what the state machine applies.
func (a *Apply) leaseChanged(c state.LeaseChange) {
	if a.lessor.term == 0 {
		return
	}
	if c.Gone {
		a.lessor.remove(c.Lease.ID)
		return
	}
	a.lessor.extend(c.Lease.ID, a.now+a.life(c.Lease.RemainingTTL()))
	if c.Lease.Remaining == 0 {
		a.lessor.deadline[c.Lease.ID].checkpoint = false // what is on its way is void
	}
}

// keepAlive renews a lease, on the leader of the round's term. The deadline
// counts from the start of the round.
func (a *Apply) keepAlive(id int64, round *readyEvent) Reply {
	if a.lessor.term == 0 || a.lessor.term != round.Term {
		return Reply{Err: ErrLeaderChanged}
	}
	lease, ok := a.state.Lease(id)
	if !ok || a.lessor.ending(id) {
		return Reply{TTL: -1, Term: round.Term}
	}
	a.lessor.extend(id, round.Start+a.life(lease.TTL))
	reply := Reply{TTL: lease.TTL, GrantedTTL: lease.TTL, Term: round.Term}
	if lease.Remaining > 0 || a.lessor.deadline[id].checkpoint {
		reply.GrantedTTL = 0
	}
	return reply
}

// timeToLive tells what remains of a lease, on the leader.
func (a *Apply) timeToLive(id int64, round *readyEvent) Reply {
	if a.lessor.term == 0 || a.lessor.term != round.Term {
		return Reply{Err: ErrLeaderChanged}
	}
	lease, ok := a.state.Lease(id)
	if !ok {
		return Reply{TTL: -1, Term: round.Term}
	}
	ticks, _ := a.lessor.remaining(id, a.now)
	return Reply{TTL: a.seconds(ticks), GrantedTTL: lease.TTL, Term: round.Term}
}

// expireLeases proposes the revocation of leases that ran out, a bounded
// number a tick.
func (a *Apply) expireLeases(out *Output) {
	var commands []state.Encoded
	retry := uint64(2 * a.cfg.ElectionTicks)
	for len(commands) < leasesPerTick {
		id, ok := a.lessor.expired(a.now, retry)
		if !ok {
			break
		}
		a.expiries++
		body := state.AppendBody(nil, &state.LeaseRevokeRequest{ID: id, Expired: true})
		commands = append(commands, state.Encoded{Term: uint64(a.lessor.term), Body: body})
	}
	if len(commands) > 0 {
		out.Events = append(out.Events, proposeEvent{Term: a.lessor.term, Commands: commands})
	}
}

// followerAnswers gathers answers to requests that followers forwarded, one
// frame for each follower and boot.
type followerAnswers struct {
	order []followerKey
	rows  map[followerKey][]answer
}

type followerKey struct {
	to   raft.NodeID
	boot uint64
}

func (f *followerAnswers) add(r *Request, reply Reply) {
	key := followerKey{to: r.sentTo, boot: r.id.Boot}
	if f.rows == nil {
		f.rows = map[followerKey][]answer{}
	}
	if f.rows[key] == nil {
		f.order = append(f.order, key)
	}
	f.rows[key] = append(f.rows[key], answer{
		code: answerTo(reply.Err), seq: r.id.Seq, ttl: reply.TTL, granted: reply.GrantedTTL,
	})
}

func (f *followerAnswers) send(out *Output) {
	for _, key := range f.order {
		out.Frames = append(out.Frames, OutFrame{To: key.to, Frame: appendAnswers(key.boot, f.rows[key])})
	}
}
