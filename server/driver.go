package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/transport/tcp"
)

// driver runs a Replica: a goroutine and a mailbox for each of its three actors,
// a ticker, workers for jobs, and the wiring from what actors put out to disk,
// network and clock. It decides nothing.
type driver struct {
	replica *replica.Replica
	boxes   [3]*mailbox // by replica.ActorID
	network *tcp.Transport
	log     *slog.Logger
	metrics *metrics

	// pulse is told after each Flush, on the actor's goroutine.
	pulse func(id replica.ActorID, ticked bool, out *replica.Output)

	stop    chan struct{} // closed: actors end after what they are doing
	actors  sync.WaitGroup
	workers sync.WaitGroup // jobs, snapshot streams
	halting atomic.Bool
	// appliedIndex is what timeApply has seen.
	appliedIndex uint64
	failOnce     sync.Once
	failed       chan struct{} // closed once err is set
	err          error
}

func newDriver(r *replica.Replica, log *slog.Logger, m *metrics) *driver {
	d := &driver{replica: r, log: log, metrics: m, stop: make(chan struct{}), failed: make(chan struct{})}
	for i := range d.boxes {
		d.boxes[i] = newMailbox()
	}
	return d
}

// start lets the actors run. The network must be set.
func (d *driver) start() {
	d.setPeers(d.replica.Core.Status().Config.Config) // afterwards the core says when it changes
	for _, id := range []replica.ActorID{replica.ToCore, replica.ToLog, replica.ToApply} {
		d.actors.Go(func() { d.run(id) })
	}
	d.actors.Go(d.tick)
}

// halt stops the actors and waits for them and for their jobs. What they had
// still to do is lost, as in a crash; the log is intact, and has its jobs back,
// without which it can't be closed.
func (d *driver) halt() {
	d.halting.Store(true)
	close(d.stop)
	for _, m := range d.boxes {
		m.close()
	}
	d.actors.Wait()
	d.workers.Wait()
	events, _ := d.boxes[replica.ToLog].take()
	var out replica.Output
	for _, ev := range events {
		if _, done := ev.(replica.JobDoneEvent); done {
			d.replica.Log.Step(ev, &out)
		}
	}
	if out.Fatal != nil {
		d.fail(out.Fatal)
	}
}

// run is one actor's goroutine: take all that waits, step through it, flush,
// and carry out what came of it.
func (d *driver) run(id replica.ActorID) {
	actor, box := d.replica.Actor(id), d.boxes[id]
	var out replica.Output
	for {
		select {
		case <-box.wake:
		case <-d.stop:
			return
		}
		events, requests := box.take()
		began := time.Now()
		ticked := false
		for _, ev := range events {
			_, tick := ev.(replica.TickEvent)
			ticked = ticked || tick
			if replica.PersistOf(ev) == nil {
				actor.Step(ev, &out)
				continue
			}
			written := time.Now()
			actor.Step(ev, &out)
			took := time.Since(written).Seconds()
			d.metrics.times.fsync.Observe(took)
			d.metrics.times.write.Observe(took)
		}
		if len(requests) > 0 {
			actor.Step(replica.SubmitEvent{Requests: requests}, &out)
		}
		actor.Flush(&out)
		if id == replica.ToApply {
			d.timeApply(began)
		}
		d.pulse(id, ticked, &out)
		if out.Fatal != nil {
			d.fail(out.Fatal)
			return
		}
		d.carryOut(&out)
	}
}

// timeApply counts a batch that was applied, if one was. It runs on the apply
// actor's goroutine.
func (d *driver) timeApply(began time.Time) {
	index := d.replica.Apply.State().AppliedIndex()
	if index == d.appliedIndex {
		return
	}
	entries := index - d.appliedIndex
	d.appliedIndex = index
	if took := time.Since(began); d.metrics.appliedBatch(took) {
		d.log.Warn("apply request took too long", "took", took.String(), "expected-duration", d.metrics.slowApply.String(),
			"entries", entries, "index", index)
	}
}

// carryOut does what an actor asked for and empties the output. Frames go
// first: whatever else there is to do, the followers can begin.
func (d *driver) carryOut(out *replica.Output) {
	for _, f := range out.Frames {
		d.network.Send(f.To, f.Frame)
	}
	for _, ev := range out.Events {
		d.boxes[replica.ActorOf(ev)].put(ev)
	}
	for _, job := range out.Jobs {
		d.workers.Go(func() { d.work(job) })
	}
	for _, t := range out.Timers {
		time.AfterFunc(time.Duration(t.Micros)*time.Microsecond, func() { d.post(t.Event) })
	}
	for _, order := range out.Snapshots {
		d.workers.Go(func() { d.sendSnapshot(order) })
	}
	if out.Peers != nil {
		d.setPeers(*out.Peers)
	}
	for _, ev := range out.Trace {
		d.trace(ev)
	}
	out.Reset()
}

// post gives an event to its actor.
func (d *driver) post(ev replica.Event) { d.boxes[replica.ActorOf(ev)].put(ev) }

// tick paces the actors. Ticks that can't be delivered in time are dropped:
// time then passes slower here, which is safe (leases expire late, elections
// come late), and never faster.
func (d *driver) tick() {
	ticker := time.NewTicker(TickMS * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-ticker.C:
			for i, box := range d.boxes {
				box.tick(replica.ActorID(i))
			}
		}
	}
}

// work runs a job to its end, giving way between its steps. When the member
// halts only the log's jobs, which are short, are still run to their end.
func (d *driver) work(job replica.Job) {
	began := time.Now()
	for {
		done, err := job.Step()
		if done || err != nil {
			d.metrics.jobDone(job.Name, err, time.Since(began))
			d.post(replica.JobDoneEvent{Job: job, Err: err})
			return
		}
		if d.halting.Load() && job.Owner != replica.ToLog {
			return
		}
		runtime.Gosched()
	}
}

// fail records why the member can't go on.
func (d *driver) fail(err error) {
	d.failOnce.Do(func() {
		d.err = err
		close(d.failed)
	})
}

func (d *driver) setPeers(config raft.Configuration) {
	peers := make([]tcp.Peer, 0, len(config.Members))
	for _, m := range config.Members {
		peers = append(peers, tcp.Peer{ID: m.ID, URLs: d.usable(m)})
	}
	if err := d.network.SetPeers(peers); err != nil && !errors.Is(err, tcp.ErrClosed) {
		d.log.Error("cannot use the peer URLs of the configuration", "error", err)
	}
}

// usable are a member's URLs without those that can't be dialled, which the gate
// should have refused: one of them must not cost the others their links.
func (d *driver) usable(m raft.Member) []string {
	return slices.DeleteFunc(strings.Split(m.Address, ","), func(u string) bool {
		err := tcp.CheckURL(u)
		if err != nil {
			d.log.Error("cannot use a peer URL of the configuration", "peer", m.ID.String(), "error", err)
		}
		return err != nil
	})
}

// important are the events that operators want to see; the rest is for debug.
var important = []raft.EventKind{
	raft.EventBecameLeader, raft.EventLeaderLost, raft.EventTruncated, raft.EventConfigCommitted,
	raft.EventConfigRolledBack, raft.EventSnapshotNeeded, raft.EventSnapshotInstalled,
	raft.EventTransferStarted, raft.EventTransferAborted, raft.EventMemberDropped,
}

func (d *driver) trace(ev raft.Event) {
	d.metrics.trace(ev)
	level := slog.LevelDebug
	if slices.Contains(important, ev.Kind) {
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if !d.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.Uint64("term", uint64(ev.Term))}
	if ev.Reason != raft.ReasonNone {
		attrs = append(attrs, slog.String("reason", ev.Reason.String()))
	}
	if ev.Peer != 0 {
		attrs = append(attrs, slog.String("peer", ev.Peer.String()))
	}
	if ev.Index != 0 {
		attrs = append(attrs, slog.Uint64("index", uint64(ev.Index)))
	}
	d.log.LogAttrs(ctx, level, "raft: "+ev.Kind.String(), attrs...)
}
