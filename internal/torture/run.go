package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// healTimeout bounds what follows a round's load: members start, catch up, watchers reach the end.
const healTimeout = 2 * time.Minute

// Round is the outcome of one round.
type Round struct {
	Number     int
	Tally      tally
	Faults     Faults
	Revisions  int64         // how far the round brought the store
	Events     int           // that all watchers saw
	Resumes    int           // of watchers
	LongestGap time.Duration // without an acknowledged write
	Recovery   time.Duration // the slowest, from a fault mended to the next acknowledged write
	CheckTook  time.Duration
	Failures   []string // of checks; empty means that the round passed
}

// Result is the outcome of all rounds that were run; a failed round is the last.
type Result struct {
	Rounds []Round
}

// OK tells that every round passed.
func (r Result) OK() bool {
	for _, round := range r.Rounds {
		if len(round.Failures) > 0 {
			return false
		}
	}
	return len(r.Rounds) > 0
}

// Run starts a cluster and tortures it. An error means that no verdict could be had: the cluster did not come back,
// a member ended by itself, a watcher never reached the end. A broken promise is in the result.
func Run(ctx context.Context, c Config) (Result, error) {
	if err := c.validate(); err != nil {
		return Result{}, err
	}
	start, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cluster, err := proc.Start(start, proc.Options{Binary: c.Binary, Members: c.Members, Dir: c.Dir, Args: c.Args})
	if err != nil {
		return Result{}, err
	}
	defer cluster.KillAll()
	clients, err := connect(cluster.Members)
	if err != nil {
		return Result{}, err
	}
	defer clients.close()
	t := &torture{config: c, cluster: cluster, clients: clients, start: time.Now()}
	var result Result
	for number := 1; number <= c.Rounds; number++ {
		round, err := t.round(ctx, number)
		if err != nil {
			return result, fmt.Errorf("torture: seed %d, round %d: %w\n%s", c.Seed, number, err, cluster.LogTails(20))
		}
		result.Rounds = append(result.Rounds, round)
		if c.Progress != nil {
			fmt.Fprintln(c.Progress, round)
		}
		if len(round.Failures) > 0 {
			break
		}
	}
	return result, nil
}

// torture is what rounds share.
type torture struct {
	config  Config
	cluster *proc.Cluster
	clients *clients
	start   time.Time
}

func (t *torture) now() int64 { return int64(time.Since(t.start)) }

// random gives each part of each round a source of its own, so that one part drawing more changes nothing elsewhere.
func (t *torture) random(round, part int) *rand.Rand {
	return rand.New(rand.NewPCG(t.config.Seed, uint64(round)<<32|uint64(part)))
}

func (t *torture) round(ctx context.Context, number int) (Round, error) {
	r := &record{}
	var err error
	if r.Base, r.BaseRevision, err = contents(ctx, t.clients.get(0, 0)); err != nil {
		return Round{}, err
	}
	writers, nemesis, err := t.load(ctx, number, r)
	if err != nil {
		return Round{}, err
	}
	heal, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	if err := t.heal(heal, r); err != nil {
		return Round{}, err
	}
	out := Round{Number: number, Faults: nemesis.faults, Recovery: nemesis.recovery, Revisions: r.Last - r.BaseRevision}
	for _, w := range writers {
		r.Operations = append(r.Operations, w.out...)
		out.Tally.add(w.tally)
	}
	for _, w := range r.Watchers {
		out.Events += w.events
		out.Resumes += w.resumes
	}
	out.LongestGap = longestGap(r)
	begin := time.Now()
	out.Failures = t.judge(number, r)
	out.CheckTook = time.Since(begin)
	return out, nil
}

// load runs writers, watchers and the nemesis for the length of a round. The watchers' last streams end with it;
// they are brought to the end of the history by heal.
func (t *torture) load(ctx context.Context, number int, r *record) ([]*writer, *nemesis, error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.Length)
	defer cancel()
	var wg sync.WaitGroup
	var acks atomic.Int64
	var writers []*writer
	for i := range t.config.Writers {
		w := &writer{id: i, round: number, keys: t.config.Keys, clients: t.clients, random: t.random(number, i),
			now: t.now, acks: &acks, member: i % len(t.cluster.Members), known: map[string]int64{}}
		writers = append(writers, w)
		wg.Go(func() { w.run(ctx) })
	}
	for i := range t.config.Watchers {
		w := newWatcher(i, t.config.Keys, r.BaseRevision+1, t.clients, t.random(number, 1_000_000+i), t.now)
		r.Watchers = append(r.Watchers, w)
		wg.Go(func() { w.run(ctx) })
	}
	n := &nemesis{cluster: t.cluster, random: t.random(number, 2_000_000), clients: t.clients, acks: &acks}
	err := n.run(ctx)
	cancel() // a nemesis that failed ends the round
	wg.Wait()
	return writers, n, err
}

// heal starts what is down, waits until all serve, and gathers what each member and each watcher has to say.
func (t *torture) heal(ctx context.Context, r *record) error {
	if err := t.cluster.StartAll(); err != nil {
		return err
	}
	if err := t.cluster.WaitReady(ctx); err != nil {
		return err
	}
	_, last, err := contents(ctx, t.clients.get(0, 0))
	if err != nil {
		return err
	}
	r.Last = last
	r.Evidence = make([]evidence, len(t.cluster.Members))
	errs := make([]error, len(t.cluster.Members)+len(r.Watchers))
	var wg sync.WaitGroup
	for i, m := range t.cluster.Members {
		wg.Go(func() { r.Evidence[i], errs[i] = testimony(ctx, m, t.clients.get(i, 0), r.BaseRevision, r.Last) })
	}
	for i, w := range r.Watchers {
		wg.Go(func() { errs[len(t.cluster.Members)+i] = w.drain(ctx, r.Last) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
