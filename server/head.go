package server

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// head is what every reply and every gate looks at, published by the actors and
// read by all.
type head struct {
	term, applied   atomic.Uint64
	revision, bytes atomic.Int64
	inUse, compact  atomic.Int64
	keys            atomic.Int64
	logBytes        atomic.Uint64
	watchers        atomic.Int64
	watchersBehind  atomic.Int64
	compacted       atomic.Int64 // unix seconds of the last compaction seen; 0: none since the start
	authRevision    atomic.Uint64
	expired         atomic.Uint64 // leases, while this member led
	tickApplied     uint64        // the apply actor's: the auth revision is published up to here
	freed           int64         // the apply actor's: the last compaction whose work is done
	noSpace         atomic.Bool
	corrupt         atomic.Bool
	raft            atomic.Pointer[raft.Status]
	alarms          atomic.Pointer[[]state.Alarm]
	roster          atomic.Pointer[roster]
	learner         atomic.Bool
	leaderlessSince atomic.Pointer[time.Time] // nil: there is a leader
}

// publishRaft is called on the core's goroutine.
func (h *head) publishRaft(st raft.Status) {
	raise(&h.term, uint64(st.Term))
	h.raft.Store(&st)
	for _, m := range st.Config.Config.Members {
		if m.ID == st.ID {
			h.learner.Store(m.Learner() && !m.Joining)
		}
	}
	switch {
	case st.Leader != 0:
		h.leaderlessSince.Store(nil)
	case h.leaderlessSince.Load() == nil:
		now := time.Now() // with its monotonic reading: a step of the wall clock is no outage
		h.leaderlessSince.Store(&now)
	}
}

// publishState is called on the apply actor's goroutine.
func (h *head) publishState(s *state.State) {
	h.revision.Store(s.Revision())
	if compact := s.Store().CompactRevision(); h.compact.Swap(compact) != compact && h.applied.Load() > 0 {
		h.compacted.Store(time.Now().Unix())
	}
	h.bytes.Store(s.Bytes())
	h.inUse.Store(s.BytesInUse())
	h.keys.Store(s.Store().Keys())
	h.applied.Store(s.AppliedIndex())
	h.publishMembers(s)
	if known := h.alarms.Load(); known == nil || !slices.Equal(*known, s.Alarms()) {
		h.publishAlarms(s.Alarms())
	}
}

// publishAlarms is called on the apply actor's goroutine.
func (h *head) publishAlarms(alarms []state.Alarm) {
	noSpace, corrupt := false, false
	for _, a := range alarms {
		noSpace = noSpace || a.Kind == state.AlarmNoSpace
		corrupt = corrupt || a.Kind == state.AlarmCorrupt
	}
	h.alarms.Store(&alarms)
	h.noSpace.Store(noSpace)
	h.corrupt.Store(corrupt)
}

// raise sets v to at least n.
func raise(v *atomic.Uint64, n uint64) {
	for old := v.Load(); old < n; old = v.Load() {
		if v.CompareAndSwap(old, n) {
			return
		}
	}
}

// pulse publishes what an actor's Flush changed. Replies may overtake it; what
// a reply's reader must find is published by the reply itself (call.finish).
func (b *backend) pulse(id replica.ActorID, ticked bool, out *replica.Output) {
	switch id {
	case replica.ToCore:
		if ticked || len(out.Trace) > 0 {
			b.head.publishRaft(b.replica.Core.Status())
		}
	case replica.ToLog:
		for _, ev := range out.Events {
			if p, ok := ev.(replica.PersistedEvent); ok {
				b.head.logBytes.Store(p.Stats.Bytes)
			}
		}
	case replica.ToApply:
		s := b.replica.Apply.State()
		all, behind := b.replica.Apply.Watchers()
		b.head.watchers.Store(int64(all))
		b.head.watchersBehind.Store(int64(behind))
		b.head.expired.Store(b.replica.Apply.ExpiredLeases())
		before := b.head.tickApplied
		b.head.publishState(s)
		b.noteCompaction(s)
		if s.Removed(b.settings.member) {
			b.removed()
		}
		if ticked && s.AppliedIndex() != before {
			b.head.tickApplied = s.AppliedIndex()
			b.head.authRevision.Store(s.Auth().Revision())
		}
	}
}

// noteCompaction logs that a compaction's physical work is done, also that of one
// which a restart interrupted: it is done again.
func (b *backend) noteCompaction(s *state.State) {
	at := s.Store().CompactRevision()
	if at == b.head.freed || s.Store().Compacting() {
		return
	}
	b.head.freed = at
	b.log.Info("finished scheduled compaction", "compact-revision", at)
}

// Head implements api.Backend.
func (b *backend) Head() api.Head {
	h := &b.head
	st := h.raft.Load()
	return api.Head{
		Cluster:   b.settings.cluster,
		Member:    b.settings.member,
		Term:      h.term.Load(),
		Revision:  h.revision.Load(),
		Bytes:     h.bytes.Load(),
		NoSpace:   h.noSpace.Load(),
		Corrupt:   h.corrupt.Load(),
		HasLeader: st != nil && st.Leader != 0,
		Learner:   h.learner.Load(),
	}
}

// Status implements api.Backend.
func (b *backend) Status() api.Status {
	st := api.Status{
		Head:    b.Head(),
		Name:    b.settings.Name,
		Compact: b.head.compact.Load(),
		InUse:   b.head.inUse.Load(),
		Applied: b.head.applied.Load(),
	}
	if r := b.head.raft.Load(); r != nil {
		st.Raft = *r
	}
	if alarms := b.head.alarms.Load(); alarms != nil {
		st.Alarms = *alarms
	}
	if since := b.head.leaderlessSince.Load(); since != nil {
		st.LeaderlessMS = max(time.Since(*since).Milliseconds(), 1)
	}
	return st
}
