package api

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/server/token"
)

// fakeBackend is a member without raft, log or network: a state machine behind a
// lock. Leases never run out.
type fakeBackend struct {
	mu      sync.Mutex
	state   *state.State
	hub     *mvcc.Hub
	sinks   map[mvcc.StreamID]func([]mvcc.WatchResponse)
	streams mvcc.StreamID
	index   uint64
	seq     uint64
	limits  Limits
	stopped chan struct{}

	tokens   token.Keeper
	sessions map[mvcc.StreamID]auth.Session

	leaderless, learner bool
	fail                error // answers every request
	backup              Backup
	changes             []replica.MemberChange
	connected           map[uint64]time.Duration
	views               [2]int
	proposed            int
}

const (
	fakeMember      = 7
	fakeIncarnation = 1
	fakeTerm        = 3
)

func newFake(t *testing.T) *fakeBackend {
	t.Helper()
	b := &fakeBackend{
		sinks:   map[mvcc.StreamID]func([]mvcc.WatchResponse){},
		stopped: make(chan struct{}),
		tokens:  token.NewSimple(time.Minute), sessions: map[mvcc.StreamID]auth.Session{},
		limits: Limits{BcryptCost: 4, RequestBytesMax: 1 << 20, TxnOpsMax: 128, QuotaBytes: 1 << 30, LeaseTTLMin: 2, ElectionMS: 20},
	}
	b.state = state.New(state.Options{AuthChanged: b.authChanged, TokenAssigned: b.tokens.Assigned, Members: []state.ConfigMember{
		{ID: fakeMember, Incarnation: fakeIncarnation, PeerURLs: []string{"http://p:1"}},
	}})
	b.hub = mvcc.NewHub(b.state.Store(), mvcc.HubOptions{FragmentBytes: 4096})
	return b
}

func (b *fakeBackend) Propose(ctx context.Context, body state.Body) (*state.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return nil, b.fail
	}
	encoded, err := state.EncodeBody(body)
	if err != nil {
		return nil, err
	}
	if len(encoded) > b.limits.RequestBytesMax {
		return nil, ErrTooLarge
	}
	b.index++
	b.seq++
	b.proposed++
	id := state.RequestID{Member: fakeMember, Incarnation: fakeIncarnation, Boot: 1, Seq: b.seq}
	batch := state.AppendBatch(nil, []state.Encoded{{ID: id, Term: fakeTerm, Caller: CallerOf(ctx), Body: encoded}})
	var result *state.Result
	err = b.state.Apply(b.index, fakeTerm, batch, func(_ state.RequestID, r *state.Result) { result = r })
	if err != nil {
		return nil, err
	}
	for !b.state.CompactStep(1000) {
	}
	b.pump()
	return result, nil
}

// pump delivers to watchers all that they have credit for.
func (b *fakeBackend) pump() {
	emit := func(id mvcc.StreamID, rs []mvcc.WatchResponse) {
		if sink := b.sinks[id]; sink != nil {
			sink(rs)
		}
	}
	b.hub.Publish(emit)
	for b.hub.Step(1000, emit) {
	}
}

func (b *fakeBackend) View(_ context.Context, linearizable bool) (*state.View, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return nil, b.fail
	}
	if linearizable {
		b.views[1]++
	} else {
		b.views[0]++
	}
	return b.state.View(), nil
}

func (b *fakeBackend) lease(id int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.state.View().Lease(id)
	if !ok {
		return -1
	}
	return l.TTL
}

func (b *fakeBackend) KeepAlive(_ context.Context, id int64) (int64, error) {
	return b.lease(id), b.fail
}

func (b *fakeBackend) TimeToLive(_ context.Context, id int64) (int64, int64, error) {
	ttl := b.lease(id)
	return ttl, max(ttl, 0), b.fail
}

func (b *fakeBackend) MoveLeader(context.Context, uint64) error { return b.fail }

func (b *fakeBackend) Auth() *auth.View {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Auth()
}

func (b *fakeBackend) Tokens() token.Keeper { return b.tokens }

// authChanged is what the apply actor does.
func (b *fakeBackend) authChanged(v *auth.View) {
	emit := func(id mvcc.StreamID, rs []mvcc.WatchResponse) { b.sinks[id](rs) }
	b.hub.Publish(emit)
	b.hub.Recheck(func(id mvcc.StreamID, key, end []byte) string {
		if err := v.Still(b.sessions[id], key, end); err != nil {
			return err.Error()
		}
		return ""
	}, emit)
}

func (b *fakeBackend) ChangeMember(_ context.Context, m replica.MemberChange) (*state.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes = append(b.changes, m)
	return &state.Result{Members: b.state.Members()}, b.fail
}

func (b *fakeBackend) Backup(context.Context) (Backup, error) {
	if b.fail != nil {
		return nil, b.fail
	}
	return b.backup, nil
}

func (b *fakeBackend) NewMemberID([]string) uint64 { return 99 }

func (b *fakeBackend) Connected(id uint64) (time.Duration, bool) {
	age, ok := b.connected[id]
	return age, ok
}

func (b *fakeBackend) RangeTook(bool, time.Duration) {}

func (b *fakeBackend) Head() Head {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := Head{
		Cluster: 5, Member: fakeMember, Term: fakeTerm, Revision: b.state.Revision(),
		Bytes: b.state.Bytes(), HasLeader: !b.leaderless, Learner: b.learner,
	}
	for _, a := range b.state.View().Alarms() {
		h.NoSpace = h.NoSpace || a.Kind == state.AlarmNoSpace
		h.Corrupt = h.Corrupt || a.Kind == state.AlarmCorrupt
	}
	return h
}

func (b *fakeBackend) Status() Status {
	st := Status{Head: b.Head(), Name: "fake", Applied: b.index, InUse: b.Head().Bytes}
	b.mu.Lock()
	defer b.mu.Unlock()
	st.Raft.Leader = fakeMember
	if b.leaderless {
		st.Raft.Leader = 0
	}
	st.Raft.Term, st.Alarms = fakeTerm, b.state.View().Alarms()
	return st
}

func (b *fakeBackend) Limits() Limits           { return b.limits }
func (b *fakeBackend) Stopped() <-chan struct{} { return b.stopped }

func (b *fakeBackend) OpenWatch(sink func([]mvcc.WatchResponse)) WatchStream {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams++
	b.sinks[b.streams] = sink
	b.hub.Open(b.streams)
	return &fakeStream{b, b.streams}
}

type fakeStream struct {
	b  *fakeBackend
	id mvcc.StreamID
}

func (s *fakeStream) do(f func(*mvcc.Hub)) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	f(s.b.hub)
	s.b.pump()
}

func (s *fakeStream) answer(rs []mvcc.WatchResponse) {
	if sink := s.b.sinks[s.id]; sink != nil && len(rs) > 0 {
		sink(rs)
	}
}

func (s *fakeStream) Create(r mvcc.WatchRequest, who auth.Session) {
	s.do(func(h *mvcc.Hub) {
		s.b.sessions[s.id] = who
		s.answer(h.Create(s.id, &r))
	})
}

func (s *fakeStream) Cancel(id mvcc.WatchID) {
	s.do(func(h *mvcc.Hub) { s.answer(h.Cancel(s.id, id)) })
}

func (s *fakeStream) Progress() {
	s.do(func(h *mvcc.Hub) { s.answer(h.RequestProgress(s.id)) })
}

func (s *fakeStream) Grant(more mvcc.Credit) {
	s.do(func(h *mvcc.Hub) { h.Grant(s.id, more) })
}

func (s *fakeStream) Close() {
	s.do(func(h *mvcc.Hub) { h.Close(s.id); delete(s.b.sinks, s.id) })
}

var errPrivate = errors.New("private detail")
