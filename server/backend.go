package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/server/token"
	"github.com/holdfast-db/holdfast/server/tracing"
)

// backend is the running member as the services see it. It turns their calls
// into requests for the actors and waits for the answers: no goroutine, timer or
// queue of its own for a request.
type backend struct {
	settings  *settings
	replica   *replica.Replica
	driver    *driver
	metrics   *metrics
	tracer    *tracing.Tracer // nil: off
	log       *slog.Logger
	head      head
	warden    *warden
	streams   atomic.Uint64 // the last watch stream's id
	backups   chan struct{} // holds a token while one is made
	hashing   sync.Mutex    // held while data is hashed for a peer
	responses *api.Responses
	stopped   chan struct{}
	removed   func() // this member was removed from the cluster; may be called again
}

var _ api.Backend = (*backend)(nil)

// call is one request and its wait slot.
type call struct {
	request replica.Request
	backend *backend
	reply   replica.Reply
	done    chan struct{} // one token, when reply is set
}

// slots are channels for waiting, empty when they are put back. The request
// itself is not reused: an actor may look at it after it was answered.
var slots = sync.Pool{New: func() any { return make(chan struct{}, 1) }}

// finish takes the answer, on an actor's turn. What the asker may rely on once
// it has the answer is published first.
func (c *call) finish(r replica.Reply) {
	c.reply = r
	c.publish()
	c.done <- struct{}{}
}

func (c *call) publish() {
	b := c.backend
	raise(&b.head.term, uint64(c.reply.Term))
	if c.reply.Result == nil {
		return
	}
	// Only the apply actor makes Results, so this is its goroutine.
	b.head.publishState(b.replica.Apply.State())
}

// ask submits a request to the core and waits for its answer.
func (b *backend) ask(ctx context.Context, request replica.Request) (replica.Reply, error) {
	c := b.newCall(request)
	b.driver.boxes[replica.ToCore].submit(&c.request)
	return c.wait(ctx)
}

func (b *backend) newCall(request replica.Request) *call {
	c := &call{request: request, backend: b, done: slots.Get().(chan struct{})}
	c.request.Done = c.finish
	return c
}

func (c *call) wait(ctx context.Context) (replica.Reply, error) {
	select {
	case <-c.done:
		slots.Put(c.done)
		return c.reply, c.reply.Err
	case <-ctx.Done(): // the answer will find nobody; its slot is not reused
		return replica.Reply{}, ctx.Err()
	case <-c.backend.stopped:
		return replica.Reply{}, replica.ErrStopped
	}
}

// Propose implements api.Backend.
func (b *backend) Propose(ctx context.Context, body state.Body) (*state.Result, error) {
	encoded, err := state.EncodeBody(body)
	if err != nil {
		return nil, fmt.Errorf("server: request passed the gate: %w", err)
	}
	if len(encoded) > b.settings.requestBytesMax() {
		return nil, api.ErrTooLarge
	}
	began := time.Now()
	b.metrics.pending.Add(1)
	c := b.newCall(replica.Request{Kind: replica.Write, Body: encoded, Caller: api.CallerOf(ctx)})
	b.tracer.Event(ctx, "Send raft proposal")
	b.driver.boxes[replica.ToCore].submit(&c.request)
	reply, err := c.wait(ctx)
	b.metrics.pending.Add(-1)
	b.metrics.proposed(body, reply.Result, err, began)
	if err != nil {
		b.metrics.proposalsFailed.Inc()
		return nil, err
	}
	b.tracer.Event(ctx, "Receive raft result")
	return reply.Result, nil
}

// RangeTook implements api.Backend.
func (b *backend) RangeTook(ok bool, took time.Duration) {
	which := 0
	if ok {
		which = 1
	}
	b.metrics.rangeTimes[which].Observe(took.Seconds())
}

// slowRead is when a linearizable read counts as slow: etcd asks again for its
// index then.
const slowRead = 500 * time.Millisecond

// View implements api.Backend.
func (b *backend) View(ctx context.Context, linearizable bool) (*state.View, error) {
	request := replica.Request{Kind: replica.Read}
	if linearizable {
		began := time.Now()
		reply, err := b.ask(ctx, request)
		if time.Since(began) > slowRead {
			b.metrics.slowReads.Inc()
		}
		return reply.View, err
	}
	c := b.newCall(request)
	b.driver.boxes[replica.ToApply].put(replica.ReadLocalEvent{Request: &c.request})
	reply, err := c.wait(ctx)
	return reply.View, err
}

// KeepAlive implements api.Backend.
func (b *backend) KeepAlive(ctx context.Context, lease int64) (ttl int64, err error) {
	reply, err := b.ask(ctx, replica.Request{Kind: replica.KeepAlive, Lease: lease})
	if err != nil || reply.TTL <= 0 {
		return reply.TTL, err
	}
	if reply.GrantedTTL == 0 {
		taken := &state.LeaseCheckpointRequest{Checkpoints: []state.LeaseCheckpoint{{ID: lease}}}
		if _, err := b.Propose(ctx, taken); err != nil {
			return 0, err
		}
	}
	b.metrics.leasesRenewed.Inc()
	return reply.TTL, nil
}

// TimeToLive implements api.Backend.
func (b *backend) TimeToLive(ctx context.Context, lease int64) (ttl, granted int64, err error) {
	reply, err := b.ask(ctx, replica.Request{Kind: replica.TimeToLive, Lease: lease})
	return reply.TTL, reply.GrantedTTL, err
}

// MoveLeader implements api.Backend; 0 means the voter that is furthest on.
func (b *backend) MoveLeader(ctx context.Context, to uint64) error {
	_, err := b.ask(ctx, replica.Request{Kind: replica.TransferLeader, Member: raft.NodeID(to)})
	if errors.Is(err, raft.ErrBadTransferee) {
		return api.ErrBadTransferee
	}
	return err
}

// Limits implements api.Backend.
func (b *backend) Limits() api.Limits {
	return api.Limits{
		RequestBytesMax: b.settings.requestBytesMax(),
		TxnOpsMax:       int(b.settings.MaxTxnOps),
		QuotaBytes:      b.settings.quota(),
		BcryptCost:      int(b.settings.BcryptCost),
		CertUsers:       b.settings.ClientTLS.ClientCertAuth,
		LeaseTTLMin:     b.settings.leaseTTLMin(),
		ElectionMS:      int64(b.settings.ElectionMS),
		StrictReconfig:  b.settings.StrictReconfigCheck,
		LearnersMax:     uint64(max(b.settings.MaxLearners, 0)),
		LearnerWatch:    b.settings.LearnerWatch,
		WatchersMax:     b.settings.limits.watchers,
		RequestsMax:     b.settings.limits.requests,
	}
}

// Auth implements api.Backend.
func (b *backend) Auth() *auth.View { return b.warden.auth.Load() }

// Tokens implements api.Backend.
func (b *backend) Tokens() token.Keeper { return b.warden.tokens }

// Stopped implements api.Backend.
func (b *backend) Stopped() <-chan struct{} { return b.stopped }

// OpenWatch implements api.Backend.
func (b *backend) OpenWatch(sink func([]mvcc.WatchResponse)) api.WatchStream {
	w := &watchStream{box: b.driver.boxes[replica.ToApply], id: mvcc.StreamID(b.streams.Add(1)), sink: sink}
	w.box.put(replica.WatchOpenEvent{Stream: w.id, Sink: w.push})
	return w
}

// watchStream posts a stream's requests to the apply actor. Those that a client
// can make at will wait while the actor is behind, which stops reading from
// that client.
type watchStream struct {
	box *mailbox
	id  mvcc.StreamID

	mu   sync.Mutex
	sink func([]mvcc.WatchResponse) // nil once closed
}

func (w *watchStream) push(responses []mvcc.WatchResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sink != nil {
		w.sink(responses)
	}
}

func (w *watchStream) Create(r mvcc.WatchRequest, who auth.Session) {
	w.box.putWait(replica.WatchCreateEvent{Stream: w.id, Request: r, Session: who})
}

func (w *watchStream) Cancel(id mvcc.WatchID) {
	w.box.putWait(replica.WatchCancelEvent{Stream: w.id, ID: id})
}

func (w *watchStream) Progress() { w.box.putWait(replica.WatchProgressEvent{Stream: w.id}) }

func (w *watchStream) Grant(more mvcc.Credit) {
	w.box.put(replica.WatchGrantEvent{Stream: w.id, Credit: more})
}

func (w *watchStream) Close() {
	w.mu.Lock()
	w.sink = nil
	w.mu.Unlock()
	w.box.put(replica.WatchCloseEvent{Stream: w.id})
}
