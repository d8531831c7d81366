package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

const (
	nemesisName = "nemesis"
	weatherName = "weather"
)

// exitDisk is the exit code of a server whose disk failed.
const exitDisk = 74

// The kinds of event that a nemesis causes, as counts and reports name them.
const (
	killOne      = "kill one"
	killLeader   = "kill leader"
	killMajority = "kill majority"
	killCluster  = "kill all"
	pauseOne     = "pause one"
	pauseLeader  = "pause leader"
	diskError    = "disk error"
	diskFull     = "disk full"
	startFull    = "disk full at start"
)

// rig is what is tortured, and the tools for it.
type rig struct {
	cluster  *proc.Cluster
	network  network
	disks    *disks
	observer *observer
	journal  *journal
	clients  *clients
	office   *office // nil for a cluster without certificates
}

// start lets a member run again.
func (g *rig) start(members ...int) error {
	var errs []error
	for _, i := range members {
		if g.cluster.Members[i].Running() {
			continue
		}
		errs = append(errs, g.network.up(i), g.cluster.Members[i].Start())
	}
	return errors.Join(errs...)
}

// kill ends members with SIGKILL, all at the same moment as far as the scheduler allows. Their gateways refuse from
// then on, as the port of a dead process does.
func (g *rig) kill(members ...int) error {
	errs := make([]error, len(members))
	done := make(chan struct{})
	for k, i := range members {
		g.network.down(i)
		go func() {
			errs[k] = g.cluster.Members[i].Kill()
			done <- struct{}{}
		}()
	}
	for range members {
		<-done
	}
	return errors.Join(errs...)
}

func (g *rig) names(members ...int) (out []string) {
	for _, i := range members {
		out = append(out, g.cluster.Members[i].Name)
	}
	return out
}

func (g *rig) all() (out []int) {
	for i := range g.cluster.Members {
		out = append(out, i)
	}
	return out
}

// nemesis does to processes what ends or stops them, one thing after the other.
type nemesis struct {
	*rig
	random *rand.Rand
	acks   *atomic.Int64 // writes acknowledged so far, to anybody
	config Config
	// recovery is the longest time from the mending of a fault (all processes started, none paused) to the next
	// acknowledged write, over those faults after which it was waited for.
	recovery time.Duration
}

// recoveryMax bounds the wait for an acknowledged write after a fault.
const recoveryMax = 20 * time.Second

// actions are what may be drawn, with repetitions for weight.
func (n *nemesis) actions() []func(context.Context) error {
	var out []func(context.Context) error
	for _, a := range []struct {
		of   Fault
		acts []func(context.Context) error
	}{
		{Kill, []func(context.Context) error{n.killLeader, n.killOne, n.killMajority, n.killLeader}},
		{KillAll, []func(context.Context) error{n.killAll, n.killAll}},
		{Stop, []func(context.Context) error{n.pauseLeader, n.pauseOne}},
		{Roll, []func(context.Context) error{n.roll}},
		{Renew, []func(context.Context) error{n.renew, n.refound, n.regrant}},
		{FailDisk, []func(context.Context) error{n.failDisk, n.fillDisk, n.startOnFullDisk}},
	} {
		if n.config.has(a.of) {
			out = append(out, a.acts...)
		}
	}
	if len(n.cluster.Members) > 2 {
		if n.config.has(Churn) {
			out = append(out, n.replace)
		}
		if n.config.has(Rebuild) {
			out = append(out, n.rebuild)
		}
	}
	return out
}

// run acts until the length of the round is over, with Each at least until everything has happened once, and leaves
// whatever state it was in to the caller to heal.
func (n *nemesis) run(ctx, length context.Context) error {
	plan := n.actions()
	if len(plan) == 0 {
		<-length.Done()
		return nil
	}
	// Each once before anything is left to chance, so that a short round has them all.
	n.random.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for i, all := 0, ctx; ; i++ {
		if ctx = length; n.config.Each && i < len(plan) {
			ctx = all
		}
		pause(ctx, n.between(200*time.Millisecond, time.Second))
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

func (n *nemesis) between(low, high time.Duration) time.Duration {
	return low + time.Duration(n.random.Int64N(int64(high-low)))
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
			return &brokenError{Crashed, fmt.Errorf("%s ended by itself (exit code %d)\n%s", m.Name, m.ExitCode(), m.LogTail(30))}
		}
	}
	return nil
}

func (n *nemesis) any() int { return n.random.IntN(len(n.cluster.Members)) }

// leaderOr returns the leader with its kind of event, or any member with the other kind if none is known.
func (n *nemesis) leaderOr(leader, other string) (int, string) {
	any := n.any() // drawn always, so that the rest of the schedule doesn't depend on what was seen
	if i := n.observer.leader(); i >= 0 {
		return i, leader
	}
	return any, other
}

func (n *nemesis) killOne(ctx context.Context) error { return n.bounce(ctx, killOne, n.any()) }

func (n *nemesis) killLeader(ctx context.Context) error {
	victim, kind := n.leaderOr(killLeader, killOne)
	return n.bounce(ctx, kind, victim)
}

func (n *nemesis) killMajority(ctx context.Context) error {
	first, count := n.any(), len(n.cluster.Members)
	var victims []int
	for i := range count/2 + 1 {
		victims = append(victims, (first+i)%count)
	}
	return n.bounce(ctx, killMajority, victims...)
}

// killAll starts the members in any order and not at once: who comes first must not have to wait for the last.
func (n *nemesis) killAll(ctx context.Context) error {
	order := n.random.Perm(len(n.cluster.Members))
	stagger := n.between(0, 300*time.Millisecond)
	defer n.journal.begin(killCluster, "", n.names(n.all()...)...)()
	if err := n.kill(n.all()...); err != nil {
		return err
	}
	for _, i := range order {
		if err := n.start(i); err != nil {
			return err
		}
		pause(ctx, stagger)
	}
	return nil
}

// bounce kills members, waits a little and starts them.
func (n *nemesis) bounce(ctx context.Context, kind string, victims ...int) error {
	down := n.between(0, time.Second)
	if n.random.IntN(6) == 0 {
		down += 3 * time.Second // long enough for the log to have gone on without them
	}
	defer n.journal.begin(kind, "", n.names(victims...)...)()
	if err := n.kill(victims...); err != nil {
		return err
	}
	pause(ctx, down)
	return n.start(victims...)
}

func (n *nemesis) pauseOne(ctx context.Context) error { return n.freeze(ctx, pauseOne, n.any()) }

func (n *nemesis) pauseLeader(ctx context.Context) error {
	victim, kind := n.leaderOr(pauseLeader, pauseOne)
	return n.freeze(ctx, kind, victim)
}

// freeze stops a member for longer than an election takes, so that a leader wakes up deposed.
func (n *nemesis) freeze(ctx context.Context, kind string, victim int) error {
	length := n.between(500*time.Millisecond, 2500*time.Millisecond)
	m := n.cluster.Members[victim]
	defer n.journal.begin(kind, "", m.Name)()
	if err := m.Pause(); err != nil {
		return err
	}
	pause(ctx, length)
	return m.Resume()
}

// failDisk makes a member's disk fail, and wants the member to end for that reason. It comes back on a healthy one.
func (n *nemesis) failDisk(ctx context.Context) error {
	victim, words := n.any(), []string{"sync-eio", "write-eio", "eio"}[n.random.IntN(3)]
	patience, down := n.between(time.Second, 3*time.Second), n.between(0, time.Second)
	m := n.cluster.Members[victim]
	defer n.journal.begin(diskError, words, m.Name)()
	if err := n.disks.set(m, nemesisName, words); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-m.Exited():
		n.network.down(victim)
		if code := m.ExitCode(); code != exitDisk {
			return &brokenError{Crashed, fmt.Errorf("%s ended with exit code %d on a failing disk, want %d\n%s", m.Name, code, exitDisk, m.LogTail(30))}
		}
	case <-wait.Done(): // it had nothing to write
		if err := n.kill(victim); err != nil && !errors.Is(err, proc.ErrNotRunning) {
			return err
		}
	}
	if err := n.disks.set(m, nemesisName, ""); err != nil {
		return err
	}
	pause(ctx, down)
	return n.start(victim)
}

// fillDisk leaves a member no room for a while; it must neither end nor lose anything.
func (n *nemesis) fillDisk(ctx context.Context) error {
	victim, length := n.any(), n.between(500*time.Millisecond, 3*time.Second)
	m := n.cluster.Members[victim]
	defer n.journal.begin(diskFull, "", m.Name)()
	if err := n.disks.set(m, nemesisName, "full"); err != nil {
		return err
	}
	pause(ctx, length)
	return n.disks.set(m, nemesisName, "")
}

// startOnFullDisk kills a member and starts it while there is no room. It may come up, or end because of the disk.
func (n *nemesis) startOnFullDisk(ctx context.Context) error {
	victim, patience := n.any(), n.between(time.Second, 3*time.Second)
	m := n.cluster.Members[victim]
	defer n.journal.begin(startFull, "", m.Name)()
	if err := errors.Join(n.kill(victim), n.disks.set(m, nemesisName, "full"), n.start(victim)); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-m.Exited():
		n.network.down(victim)
		if code := m.ExitCode(); code != exitDisk {
			return &brokenError{Crashed, fmt.Errorf("%s ended with exit code %d on a full disk, want %d\n%s", m.Name, code, exitDisk, m.LogTail(30))}
		}
	case <-wait.Done():
	}
	if err := n.disks.set(m, nemesisName, ""); err != nil {
		return err
	}
	return n.start(victim)
}

// brokenError is a verdict that no check had to find.
type brokenError struct {
	class Class
	err   error
}

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// without returns all members but one.
func (g *rig) without(victim int) []int {
	return slices.DeleteFunc(g.all(), func(i int) bool { return i == victim })
}
