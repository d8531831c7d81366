package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// worker runs tasks, a few at a time.
type worker struct {
	store *store
	name  string
	ttl   int
	slots chan struct{} // one for each task that may run
	freed chan struct{} // a slot was given back: look again
}

func newWorker(s *store, name string, ttl, atOnce int) *worker {
	return &worker{store: s, name: name, ttl: ttl,
		slots: make(chan struct{}, atOnce), freed: make(chan struct{}, 1)}
}

// run works until ctx ends. Each turn of the loop is a life with one lease; when the lease is lost, all that ran under
// it is stopped before the next life begins.
func (w *worker) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.live(ctx); err != nil && ctx.Err() == nil {
			fmt.Println(w.name, "starts over:", err)
			pause(ctx, time.Second)
		}
	}
	return nil
}

func (w *worker) live(ctx context.Context) error {
	lease, err := w.grant(ctx)
	if err != nil {
		return err
	}
	session, err := concurrency.NewSession(w.store.client, concurrency.WithLease(lease))
	if err != nil {
		return err
	}
	defer session.Close() // revokes the lease: claims of tasks that were stopped are free at once
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	go func() { // whatever the loop below waits for, commands end with the lease
		select {
		case <-session.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	fmt.Println(w.name, "works")

	for {
		next, err := w.look(ctx, session, &running)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("stopped, or the lease was lost")
		case <-w.freed:
		case <-time.After(next):
		}
	}
}

func (w *worker) grant(ctx context.Context) (lease clientv3.LeaseID, err error) {
	err = connect.Retry(ctx, func(ctx context.Context) error { // a second lease that nobody uses runs out
		granted, err := w.store.client.Grant(ctx, int64(w.ttl))
		if err == nil {
			lease = granted.ID
		}
		return err
	})
	return lease, err
}

// look starts what is due, the longest due first, as far as there are free slots, and returns how long to wait before
// the next look: until the next task is due, and never longer than lookEvery, by when there may be new ones, or ones
// whose worker has died.
func (w *worker) look(ctx context.Context, session *concurrency.Session, running *sync.WaitGroup) (time.Duration, error) {
	tasks, err := w.store.tasks(ctx)
	if err != nil {
		return 0, err
	}
	slices.SortFunc(tasks, func(a, b task) int { return a.Due.Compare(b.Due) })
	for _, t := range tasks {
		if wait := time.Until(t.Due); wait > 0 {
			return min(wait, lookEvery), nil
		}
		if t.worker != "" {
			continue
		}
		select {
		case w.slots <- struct{}{}:
		default:
			return lookEvery, nil
		}
		claim, err := w.store.claim(ctx, t, w.name, session.Lease())
		if err != nil {
			<-w.slots
			if errors.Is(err, errTaken) {
				continue
			}
			return 0, err
		}
		running.Go(func() { w.perform(ctx, claim) })
	}
	return lookEvery, nil
}

// lookEvery bounds how late a new task is noticed. Reading all tasks that often is cheap while there are thousands of
// them; with millions, a watch would tell what is new, and an index by due time what is next.
const lookEvery = 250 * time.Millisecond

// perform runs a task's command and hands in its result.
func (w *worker) perform(ctx context.Context, c *claim) {
	defer func() {
		<-w.slots
		select {
		case w.freed <- struct{}{}:
		default:
		}
	}()
	run := c.task.Runs + 1
	fmt.Printf("%s runs %s, run %d\n", w.name, c.task.ID, run)
	command := exec.CommandContext(ctx, c.task.Command[0], c.task.Command[1:]...)
	command.Env = append(os.Environ(), "TASK_ID="+c.task.ID, "TASK_RUN="+strconv.Itoa(run),
		"TASK_FENCE="+strconv.FormatInt(c.fence, 10), "TASK_WORKER="+w.name)
	command.SysProcAttr = dieWithWorker()
	output, err := command.CombinedOutput()
	if ctx.Err() != nil {
		fmt.Printf("%s stopped %s: another will run it\n", w.name, c.task.ID)
		return
	}
	r := result{Task: c.task.Nonce, Run: run, Worker: w.name, Ended: time.Now(), Output: brief(output)}
	if err != nil {
		r.Error = err.Error()
	}
	if err := w.store.finish(ctx, c, r); err != nil {
		fmt.Printf("%s could not hand in %s: %v\n", w.name, c.task.ID, err)
		if err := w.store.release(ctx, c); err != nil {
			fmt.Printf("%s could not release %s: %v\n", w.name, c.task.ID, err)
		}
		return
	}
	fmt.Printf("%s finished %s\n", w.name, c.task.ID)
}

// maxOutput is how much of a command's output is kept: the store refuses requests of more than 1.5 MiB, and a result
// that cannot be handed in is a task that never ends.
const maxOutput = 64 << 10

// brief is the end of what a command printed, for there the errors stand.
func brief(output []byte) string {
	if cut := len(output) - maxOutput; cut > 0 {
		return fmt.Sprintf("(%d bytes left out) %s", cut, strings.TrimSpace(strings.ToValidUTF8(string(output[cut:]), "")))
	}
	return strings.TrimSpace(string(output))
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
