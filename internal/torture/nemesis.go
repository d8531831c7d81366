package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// nemesis breaks a cluster and mends it, over and over.
type nemesis struct {
	cluster *proc.Cluster
	random  *rand.Rand
	clients *clients
	acks    *atomic.Int64 // writes acknowledged so far, to anybody
	faults  Faults
	// recovery is the longest time from the mending of a fault (all processes started, none paused) to the next
	// acknowledged write, over those faults after which it was waited for.
	recovery time.Duration
}

// recoveryMax bounds the wait for an acknowledged write after a fault.
const recoveryMax = 20 * time.Second

// Faults counts what was done in a round.
type Faults struct {
	KillOne, KillLeader, KillMajority, KillAll, Pause int
}

func (f Faults) total() int { return f.KillOne + f.KillLeader + f.KillMajority + f.KillAll + f.Pause }

// run acts until ctx ends and leaves whatever state it was in to the caller to heal.
func (n *nemesis) run(ctx context.Context) error {
	// Each kind once before anything is left to chance, so that a short round has them all.
	plan := []func(context.Context) error{n.killAll, n.killLeader, n.killMajority, n.pauseOne, n.killOne}
	n.random.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for i := 0; ; i++ {
		pause(ctx, time.Duration(200+n.random.IntN(800))*time.Millisecond)
		if ctx.Err() != nil {
			return nil
		}
		if err := n.allAlive(); err != nil {
			return err
		}
		act := plan[min(i, len(plan)-1)]
		if i >= len(plan) {
			act = plan[n.random.IntN(len(plan))]
		}
		if err := act(ctx); err != nil {
			return err
		}
		// After every other fault the next one strikes in the midst of recovery.
		if n.random.IntN(2) == 0 {
			n.awaitRecovery(ctx)
		}
	}
}

func (n *nemesis) awaitRecovery(ctx context.Context) {
	begin, before := time.Now(), n.acks.Load()
	for n.acks.Load() == before && time.Since(begin) < recoveryMax {
		if ctx.Err() != nil {
			return // the round ends: nobody would have acknowledged anything
		}
		pause(ctx, 5*time.Millisecond)
	}
	n.recovery = max(n.recovery, time.Since(begin))
}

// allAlive: between two faults every member runs; one that does not ended by itself.
func (n *nemesis) allAlive() error {
	for _, m := range n.cluster.Members {
		if !m.Running() {
			return fmt.Errorf("torture: %s ended by itself (exit code %d)\n%s", m.Name, m.ExitCode(), m.LogTail(30))
		}
	}
	return nil
}

func (n *nemesis) killOne(ctx context.Context) error {
	n.faults.KillOne++
	return n.bounce(ctx, []*proc.Member{n.any()})
}

// killLeader takes the member that leads, if there is one to be found quickly.
func (n *nemesis) killLeader(ctx context.Context) error {
	victim := n.leader(ctx)
	if victim == nil {
		return n.killOne(ctx)
	}
	n.faults.KillLeader++
	return n.bounce(ctx, []*proc.Member{victim})
}

func (n *nemesis) killMajority(ctx context.Context) error {
	n.faults.KillMajority++
	members := n.cluster.Members
	first := n.random.IntN(len(members))
	var victims []*proc.Member
	for i := range len(members)/2 + 1 {
		victims = append(victims, members[(first+i)%len(members)])
	}
	return n.bounce(ctx, victims)
}

func (n *nemesis) killAll(ctx context.Context) error {
	n.faults.KillAll++
	if err := n.cluster.KillAll(); err != nil {
		return err
	}
	return n.cluster.StartAll()
}

// pauseOne stops a member for longer than an election takes, so that a leader wakes up deposed.
func (n *nemesis) pauseOne(ctx context.Context) error {
	n.faults.Pause++
	victim := n.any()
	if err := victim.Pause(); err != nil {
		return err
	}
	pause(ctx, time.Duration(500+n.random.IntN(1500))*time.Millisecond)
	return victim.Resume()
}

// bounce kills members, waits a little and starts them.
func (n *nemesis) bounce(ctx context.Context, victims []*proc.Member) error {
	for _, v := range victims {
		if err := v.Kill(); err != nil {
			return err
		}
	}
	pause(ctx, time.Duration(n.random.IntN(1000))*time.Millisecond)
	var errs []error
	for _, v := range victims {
		errs = append(errs, v.Start())
	}
	return errors.Join(errs...)
}

func (n *nemesis) any() *proc.Member { return n.cluster.Members[n.random.IntN(len(n.cluster.Members))] }

func (n *nemesis) leader(ctx context.Context) *proc.Member {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	for i, m := range n.cluster.Members {
		status, err := n.clients.get(i, 0).Status(ctx, m.ClientURL)
		if err == nil && status.Leader == status.Header.MemberId {
			return m
		}
	}
	return nil
}
