package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// healTimeout bounds what follows a round's load: members start, catch up, watchers reach the end.
const healTimeout = 2 * time.Minute

// Run starts a cluster and tortures it. An error means that there is no verdict about the server, for the cluster
// could not even be started; everything else is in the result.
func Run(ctx context.Context, c Config) (Result, error) {
	if err := c.validate(); err != nil {
		return Result{}, err
	}
	t, err := begin(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer t.end()
	stop := t.watch(ctx)
	result := t.rounds(ctx)
	stop()
	result.Config, result.Took = c, time.Since(t.start)
	result.Events, result.Samples = t.rig.journal.all(), t.rig.observer.since(0)
	if c.KeepDir != "" {
		if err := t.report(&result); err != nil {
			return result, err
		}
	}
	return result, nil
}

// torture is what rounds share.
type torture struct {
	config Config
	rig    *rig
	start  time.Time
	acks   atomic.Int64 // writes
	before uint64       // the highest term of the last round

	mu     sync.Mutex // of where the run is, for its status
	round  int
	phase  string
	logged int64
}

// begin starts the cluster with all that stands around it.
func begin(ctx context.Context, c Config) (*torture, error) {
	t := &torture{config: c, start: time.Now()}
	t.rig = &rig{disks: newDisks(), journal: &journal{now: t.now}}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var err error
	if t.rig.network, err = newNetwork(c); err != nil {
		return nil, err
	}
	if err := t.startCluster(ctx); err != nil {
		t.rig.network.close()
		return nil, err
	}
	clients, err := t.connect(ctx)
	if err != nil {
		t.rig.network.close()
		return nil, errors.Join(err, t.rig.cluster.KillAll())
	}
	t.rig.clients = clients
	t.rig.observer = newObserver(t.rig.cluster.Members, clients, &t.acks, t.now)
	return t, nil
}

func (t *torture) startCluster(ctx context.Context) (err error) {
	c := t.config
	args, env := testDiskArgs(c)
	args = slices.Concat(args, churnArgs(c), secureArgs(c), c.Args)
	o := proc.Options{Binary: c.Binary, Members: c.Members, Dir: c.Dir, Args: args, Env: env}
	if c.Secure {
		o.Scheme = "https"
		if t.rig.office, err = newOffice(); err != nil {
			return err
		}
	}
	var unfurnished error
	o.Prepare = func(members []*proc.Member) {
		for _, m := range members {
			if c.Secure {
				unfurnished = errors.Join(unfurnished, t.rig.office.furnish(m, true))
			}
		}
	}
	t.rig.network.lay(&o)
	t.rig.cluster, err = proc.Start(ctx, o)
	return errors.Join(unfurnished, err)
}

// connect dials all members; in a secure cluster it makes the users first, who have to be there to log in.
func (t *torture) connect(ctx context.Context) (*clients, error) {
	o := t.rig.office
	if o != nil {
		for _, user := range []string{outsider, byCertificate} {
			if _, err := o.admit(user); err != nil {
				return nil, err
			}
		}
		first, err := clientv3.New(clientv3.Config{Endpoints: t.rig.cluster.Endpoints(), DialTimeout: dialTimeout, TLS: o.config(outsider)})
		if err != nil {
			return nil, err
		}
		defer first.Close()
		if err := foundUsers(ctx, first); err != nil {
			return nil, err
		}
	}
	return connect(t.rig.cluster.Members, o)
}

func (t *torture) end() {
	_ = t.rig.cluster.KillAll() // those that are gone already are no error
	_ = t.rig.clients.close()
	t.rig.network.close()
}

func (t *torture) now() int64 { return int64(time.Since(t.start)) }

// random gives each part of each round a source of its own, so that one part drawing more changes nothing elsewhere.
func (t *torture) random(round, part int) *rand.Rand {
	return rand.New(rand.NewPCG(t.config.Seed, uint64(round)<<32|uint64(part)))
}

// watch observes the cluster and reports where the run is until stop is called.
func (t *torture) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { t.rig.observer.run(ctx) })
	if t.config.OnStatus != nil {
		wg.Go(func() {
			for last := time.Now(); ctx.Err() == nil; pause(ctx, time.Second) {
				t.config.OnStatus(t.status(time.Since(last)))
				last = time.Now()
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

func (t *torture) status(since time.Duration) Status {
	elections, _, _ := t.rig.observer.seen()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Status{Elapsed: time.Since(t.start), Round: t.round, Phase: t.phase, Acknowledged: t.acks.Load(),
		Faults: count(t.rig.journal.all()), Elections: elections}
	s.PerSecond = float64(s.Acknowledged-t.logged) / max(since.Seconds(), 1e-3)
	t.logged = s.Acknowledged
	if i := t.rig.observer.leader(); i >= 0 {
		s.Leader = t.rig.cluster.Members[i].Name
	}
	return s
}

func (t *torture) enter(round int, phase string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.round, t.phase = round, phase
}

// rounds runs one after the other until one fails, the last is over or the time is up.
func (t *torture) rounds(ctx context.Context) (result Result) {
	c := t.config
	for number := 1; c.Rounds == 0 || number <= c.Rounds; number++ {
		if c.For > 0 && time.Since(t.start) >= c.For || ctx.Err() != nil {
			break
		}
		round, err := t.oneRound(ctx, number)
		if ctx.Err() != nil && err != nil {
			break // interrupted: the rounds before it stand
		}
		if err != nil {
			var broken *brokenError
			result.Class = NotBack
			if errors.As(err, &broken) {
				result.Class = broken.class
			}
			result.Reason = fmt.Sprintf("seed %d, round %d: %v\n%s", c.Seed, number, err, t.rig.cluster.LogTails(20))
			return result
		}
		result.Rounds = append(result.Rounds, round)
		if c.OnRound != nil {
			c.OnRound(round)
		}
		if len(round.Failures) > 0 {
			result.Class, result.Reason = Unsafe, fmt.Sprintf("seed %d, round %d: %s", c.Seed, number, round.verdict())
			return result
		}
	}
	if len(result.Rounds) == 0 && ctx.Err() != nil {
		result.Reason = "interrupted before the first round was over"
	}
	return result
}
