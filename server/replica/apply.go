package replica

import (
	"fmt"
	"strings"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// Apply is the third actor: it runs committed commands on the state machine,
// answers this member's clients, feeds watchers and hands out views. It never
// waits for a client.
type Apply struct {
	cfg   Config
	state *state.State
	hub   *mvcc.Hub
	// expiries counts revocations that this member proposed as the leader.
	expiries uint64
	sinks    map[mvcc.StreamID]func([]mvcc.WatchResponse)
	// sessions tells who watches on a stream; none: nobody in particular.
	sessions map[mvcc.StreamID]auth.Session
	origin   state.RequestID // this member, incarnation and boot
	now      uint64          // ticks that came since start; not the core's (fromCore)

	pending     pending
	ready       []readyEvent // answered once their index is applied, in order
	lessor      lessor
	checkpoints checkpoints
	// leadTerm is the term this member leads in according to the core; the
	// lessor follows once an entry of that term is applied.
	leadTerm raft.Term
	config   raft.ConfigAt // of the last configuration entry applied

	unreported int // applied bytes whose credit isn't returned yet
	reported   AppliedEvent
	continuing bool // a continueEvent is under way
	compacting bool
	open       func(raft.EntryID) (*state.State, raft.SnapshotMeta, error)
	snapshot   func(*state.State, raft.SnapshotMeta) Job
}

// leasesPerTick end at most: 1,000 a second at the default tick, as etcd has it.
const leasesPerTick = 10

// Step takes one event.
func (a *Apply) Step(ev Event, out *Output) {
	switch ev := ev.(type) {
	case TickEvent:
		a.tick(out)
	case applyEvent:
		a.apply(ev, out)
	case registerEvent:
		for _, r := range ev.Requests {
			r.deadline = a.fromCore(r.deadline, ev.Now)
			a.pending.add(r)
		}
	case refusedEvent:
		a.refused(ev, out)
	case readyEvent:
		ev.Start = a.fromCore(ev.Start, ev.Now)
		for _, r := range ev.Requests {
			r.deadline = a.fromCore(r.deadline, ev.Now)
		}
		a.ready = append(a.ready, ev)
	case leadEvent:
		a.leadTerm = ev.Term
		a.lessor.follow()
		a.checkLead()
	case restoreEvent:
		a.restore(ev, out)
	case snapshotEvent:
		a.beginSnapshot(out)
	case continueEvent:
		a.continuing = false
	case ReadLocalEvent:
		ev.Request.Done(Reply{View: a.state.View(), Term: raft.Term(a.state.AppliedTerm())})
	case JobDoneEvent:
		ev.Job.Finish(ev.Err, out)
	default:
		a.watchEvent(ev)
	}
}

// fromCore translates a tick of the core's clock, read when that showed now,
// into this actor's. The two are clocks of their own: each actor drops ticks
// that it is too busy for, so they drift apart without bound. An event's way
// here counts as no time, which makes a lease end later, never earlier.
func (a *Apply) fromCore(tick, now uint64) uint64 {
	if tick >= now {
		return a.now + (tick - now)
	}
	return a.now - min(a.now, now-tick)
}

// Flush publishes what the Steps since the last one did.
func (a *Apply) Flush(out *Output) {
	a.answerReady(out)
	a.hub.Publish(a.emit)
	a.slices(out)
	a.report(out)
}

// slices does a bounded part of sliced work and asks to be called again if
// some is left.
func (a *Apply) slices(out *Output) {
	if a.continuing {
		return
	}
	if a.compacting {
		a.compacting = !a.state.CompactStep(a.cfg.CompactStepKeys)
	}
	if behind := a.hub.Step(a.cfg.WatchStepEvents, a.emit); a.compacting || behind {
		a.continuing = true
		out.Events = append(out.Events, continueEvent{})
	}
}

// report returns credit to the core and tells how far the state is.
func (a *Apply) report(out *Output) {
	ev := AppliedEvent{Index: raft.Index(a.state.AppliedIndex()), Bytes: a.unreported, PendingFrom: a.pendingFrom()}
	if ev.Bytes == 0 && ev == a.reported {
		return
	}
	a.unreported = 0
	a.reported = AppliedEvent{Index: ev.Index, PendingFrom: ev.PendingFrom}
	out.Events = append(out.Events, ev)
}

func (a *Apply) pendingFrom() uint64 { return a.pending.low }

func (a *Apply) apply(ev applyEvent, out *Output) {
	for i := range ev.Entries {
		if err := a.applyEntry(&ev.Entries[i]); err != nil {
			out.Fatal = err
			return
		}
	}
	a.unreported += ev.Bytes
	a.compacting = true // a cheap question when there is nothing to compact
}

func (a *Apply) applyEntry(e *raft.Entry) (err error) {
	if e.Type == raft.EntryConfig {
		err = a.applyConfig(e)
	} else {
		err = a.state.Apply(uint64(e.Index), uint64(e.Term), e.Data, a.reply)
	}
	a.checkLead()
	return err
}

// applyConfig makes a committed configuration the member table.
func (a *Apply) applyConfig(e *raft.Entry) error {
	config, err := raft.DecodeConfiguration(e.Data)
	if err != nil {
		return fmt.Errorf("replica: configuration in entry %v: %w", e.ID(), err)
	}
	a.config = raft.ConfigAt{At: e.ID(), Config: config}
	return a.state.ApplyConfig(uint64(e.Index), uint64(e.Term), membership(config), a.reply)
}

// membership translates raft's configuration into what the state machine keeps.
func membership(config raft.Configuration) state.Membership {
	m := state.Membership{Context: config.Context, Final: !config.Joint()}
	for _, row := range config.Members {
		m.Members = append(m.Members, state.ConfigMember{
			ID:          uint64(row.ID),
			Incarnation: uint64(row.Incarnation),
			PeerURLs:    splitURLs(row.Address),
			Learner:     row.Learner() && !row.Joining,
		})
	}
	return m
}

func splitURLs(address string) []string {
	if address == "" {
		return nil
	}
	return strings.Split(address, ",")
}

// reply answers the request if it was this member's, in this life of it.
func (a *Apply) reply(id state.RequestID, r *state.Result) {
	if id.Member != a.origin.Member || id.Incarnation != a.origin.Incarnation || id.Boot != a.origin.Boot {
		return
	}
	if r.Err == state.ErrDuplicate {
		return // answered when the first copy was applied
	}
	if req := a.pending.take(id.Seq); req != nil {
		req.Done(Reply{Result: r, Term: raft.Term(a.state.AppliedTerm())})
	}
}

// refused handles a request that the leader did not take.
func (a *Apply) refused(ev refusedEvent, out *Output) {
	if ev.Err != nil {
		if r := a.pending.take(ev.Seq); r != nil {
			r.Done(Reply{Err: ev.Err, Term: raft.Term(a.state.AppliedTerm())})
		}
		return
	}
	if r := a.pending.peek(ev.Seq); r != nil {
		again := &Request{Kind: r.Kind, Body: r.Body, Caller: r.Caller, id: r.id, term: r.term}
		left := max(r.deadline, a.now) - a.now
		out.Events = append(out.Events, retryEvent{Request: again, Left: left, Later: ev.Later || r.again == a.now+1})
		r.again = a.now + 1
	}
}

// answerReady serves reads whose index is applied, all from one view.
func (a *Apply) answerReady(out *Output) {
	n := 0
	for n < len(a.ready) && uint64(a.ready[n].Index) <= a.state.AppliedIndex() {
		a.answerRound(&a.ready[n], out)
		n++
	}
	if n > 0 {
		a.ready = append(a.ready[:0:0], a.ready[n:]...)
	}
}

func (a *Apply) answerRound(round *readyEvent, out *Output) {
	answers := followerAnswers{}
	for _, r := range round.Requests {
		reply := Reply{Term: round.Term}
		switch r.Kind {
		case Read:
			reply.View = a.state.View()
		case KeepAlive:
			reply = a.keepAlive(r.Lease, round)
		case TimeToLive:
			reply = a.timeToLive(r.Lease, round)
		}
		if r.sentTo == 0 {
			r.Done(reply)
		} else {
			answers.add(r, reply)
		}
	}
	answers.send(out)
}

func (a *Apply) tick(out *Output) {
	a.now++
	for r := a.pending.expired(a.now); r != nil; r = a.pending.expired(a.now) {
		r.Done(Reply{Err: a.timeoutOf(r)})
	}
	a.expireReady()
	a.expireLeases(out)
	a.checkpointLeases(out)
	a.tickWatch()
}

// timeoutOf chooses etcd's words: a change of leader since the request came is
// the likely cause.
func (a *Apply) timeoutOf(r *Request) error {
	if uint64(r.term) != a.state.AppliedTerm() {
		return ErrTimeoutLeaderFailed
	}
	return ErrTimeout
}

// expireReady gives up on reads whose index doesn't come.
func (a *Apply) expireReady() {
	for i := range a.ready {
		keep := a.ready[i].Requests[:0]
		for _, r := range a.ready[i].Requests {
			switch {
			case r.deadline > a.now:
				keep = append(keep, r)
			case r.sentTo == 0:
				r.Done(Reply{Err: ErrTimeoutApplied})
			}
		}
		a.ready[i].Requests = keep
	}
}

// restore replaces the state by a snapshot that was installed.
func (a *Apply) restore(ev restoreEvent, out *Output) {
	s, meta, err := a.open(ev.Meta.Last)
	if err != nil {
		out.Fatal = fmt.Errorf("replica: installed snapshot %v: %w", ev.Meta.Last, err)
		return
	}
	a.state, a.config = s, meta.Config
	a.hub.Reset(s.Store())
	a.authChanged(s.Auth())
	a.lessor.follow()
	a.compacting = true
	a.checkLead()
}

// beginSnapshot starts the job that writes what is applied now to a file.
func (a *Apply) beginSnapshot(out *Output) {
	meta := raft.SnapshotMeta{
		Last:   raft.EntryID{Term: raft.Term(a.state.AppliedTerm()), Index: raft.Index(a.state.AppliedIndex())},
		Config: a.config,
	}
	out.Jobs = append(out.Jobs, a.snapshot(a.state, meta))
}

// State is the state machine, for checks between events. Only the apply
// actor's goroutine may use it.
func (a *Apply) State() *state.State { return a.state }
