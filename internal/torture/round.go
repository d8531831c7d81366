package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Parts of a round that draw from a source of their own; writers have the numbers from 0 on.
const (
	partWatchers = 1_000_000 + iota*100_000
	partNemesis
	partWeather
	partKeeper
)

// oneRound loads, heals and judges. An error is a verdict, too: the cluster did not come back, or a brokenError.
func (t *torture) oneRound(ctx context.Context, number int) (Round, error) {
	begin := time.Now()
	out := Round{Number: number, Began: time.Duration(t.now()), Errors: Counts{}}
	t.rig.journal.round = number
	events := len(t.rig.journal.all())
	elections, _, _ := t.rig.observer.seen()
	r := &record{}
	var err error
	if r.Base, r.BaseRevision, err = contents(ctx, t.rig.clients.get(0, 0)); err != nil {
		return out, err
	}
	t.enter(number, "load")
	writers, nemesis, err := t.load(ctx, number, r)
	out.Load = time.Since(begin)
	if err != nil {
		return out, err
	}
	for _, w := range writers {
		r.Operations = append(r.Operations, w.out...)
		out.Tally.add(w.tally)
		out.Errors.add(w.errors)
	}
	t.enter(number, "heal")
	if err := t.heal(ctx, r); err != nil {
		return out, t.salvage(ctx, r, err)
	}
	for _, w := range r.Watchers {
		out.Events += w.events
		out.Resumes += w.resumes
	}
	after, first, term := t.rig.observer.seen()
	out.Elections, out.Terms = after-elections, term-max(t.before, first)
	t.before = term
	out.Faults, out.Recovery, out.Revisions = count(t.rig.journal.all()[events:]), nemesis.recovery, r.Last-r.BaseRevision
	out.LongestGap = longestGap(r)
	t.enter(number, "check")
	checking := time.Now()
	out.Checks, out.Failures = t.judge(number, r)
	out.CheckTook, out.Took = time.Since(checking), time.Since(begin)
	return out, nil
}

// load runs writers, watchers and all that spoils for the length of a round, and until the nemesis has done what it
// began. The watchers' last streams end with it; they are brought to the end of the history by heal.
func (t *torture) load(ctx context.Context, number int, r *record) ([]*writer, *nemesis, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	length, stop := context.WithTimeout(ctx, t.config.Length)
	defer stop()
	var wg sync.WaitGroup
	var writers []*writer
	for i := range t.config.Writers {
		w := &writer{id: i, round: number, keys: t.config.Keys, clients: t.rig.clients, random: t.random(number, i),
			now: t.now, acks: &t.acks, member: i % len(t.rig.cluster.Members), known: map[string]int64{}, errors: Counts{}}
		writers = append(writers, w)
		wg.Go(func() { w.run(ctx) })
	}
	for i := range t.config.Watchers {
		w := newWatcher(i, t.config.Keys, r.BaseRevision+1, t.rig.clients, t.random(number, partWatchers+i), t.now)
		r.Watchers = append(r.Watchers, w)
		wg.Go(func() { w.run(ctx) })
	}
	k := &keeper{rig: t.rig, random: t.random(number, partKeeper), length: t.config.Length, revision: r.BaseRevision}
	wg.Go(func() { k.run(ctx) })
	var spoiled error
	w := &weather{rig: t.rig, random: t.random(number, partWeather), config: t.config}
	wg.Go(func() { spoiled = w.run(length) })
	n := &nemesis{rig: t.rig, random: t.random(number, partNemesis), acks: &t.acks, config: t.config}
	err := n.run(ctx, length)
	cancel() // a nemesis that failed ends the round
	wg.Wait()
	return writers, n, errors.Join(err, spoiled)
}

// heal mends all, starts what is down, waits until all serve, and gathers what each member and each watcher has to
// say.
func (t *torture) heal(ctx context.Context, r *record) error {
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	g := t.rig
	g.network.heal()
	if err := g.disks.heal(g.cluster.Members); err != nil {
		return err
	}
	if err := g.start(g.all()...); err != nil {
		return err
	}
	if err := g.cluster.WaitReady(ctx); err != nil {
		return t.notReady(err)
	}
	_, last, err := contents(ctx, g.clients.get(0, 0))
	if err != nil {
		return err
	}
	r.Last = last
	r.Evidence = make([]evidence, len(g.cluster.Members))
	errs := make([]error, len(g.cluster.Members)+len(r.Watchers))
	var wg sync.WaitGroup
	for i, m := range g.cluster.Members {
		wg.Go(func() {
			r.Evidence[i], errs[i] = testimony(ctx, m, g.clients.get(i, 0), g.clients.admin(i), r.BaseRevision, r.Last)
		})
	}
	for i, w := range r.Watchers {
		wg.Go(func() { errs[len(g.cluster.Members)+i] = w.drain(ctx, r.Last) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// salvageTimeout bounds the questions to each member of a cluster that did not come back.
const salvageTimeout = 5 * time.Second

// salvage looks whether a cluster that did not come back has also lost what it acknowledged, as far as any member can
// be asked: that is the worse verdict, and most often the reason.
func (t *torture) salvage(ctx context.Context, r *record, reason error) error {
	for i, m := range t.rig.cluster.Members {
		ctx, cancel := context.WithTimeout(ctx, salvageTimeout)
		_, last, err := contents(ctx, t.rig.clients.get(i, 0))
		if err == nil {
			r.Evidence = make([]evidence, 1)
			r.Evidence[0], err = testimony(ctx, m, t.rig.clients.get(i, 0), t.rig.clients.admin(i), r.BaseRevision, last)
		}
		cancel()
		if err != nil {
			continue
		}
		if lost := checkAcknowledged(r); lost != nil {
			return &brokenError{Unsafe, fmt.Errorf("acknowledged: %w; and the cluster did not come back: %w", lost, reason)}
		}
		return reason
	}
	return reason
}

// notReady sorts why a cluster is not ready: a member that ended is another verdict than one that doesn't get there.
func (t *torture) notReady(err error) error {
	for _, m := range t.rig.cluster.Members {
		if !m.Running() {
			return &brokenError{Crashed, fmt.Errorf("%s ended by itself (exit code %d): %w", m.Name, m.ExitCode(), err)}
		}
	}
	return err
}

// compacted is the kind of event that a keeper causes.
const compacted = "compaction"

// retry is how long the keeper leaves a cluster alone that refused to compact.
const retry = 200 * time.Millisecond

// keeper compacts once in a round, at some moment of it, the history before the round: so that runs of hours fit into
// memory, and members die while they compact.
type keeper struct {
	*rig
	random *rand.Rand
	length time.Duration
	// revision is the last before the round; checks look at what comes after it.
	revision int64
}

func (k *keeper) run(ctx context.Context) {
	pause(ctx, time.Duration(k.random.Int64N(int64(k.length))))
	member := int(k.random.Int64N(int64(len(k.cluster.Members))))
	for ; ctx.Err() == nil && k.revision > 1; member = (member + 1) % len(k.cluster.Members) {
		one, cancel := context.WithTimeout(ctx, requestTimeout)
		_, err := k.clients.admin(member).Compact(one, k.revision, clientv3.WithCompactPhysical())
		cancel()
		// "already compacted": a request without an answer had done it.
		if err == nil || errors.Is(err, rpctypes.ErrCompacted) {
			k.journal.begin(compacted, fmt.Sprintf("up to %d", k.revision))()
			return
		}
		pause(ctx, retry)
	}
}
