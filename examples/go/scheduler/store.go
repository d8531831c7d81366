package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// The keys:
//
//	tasks/ID              a task that waits or runs: what, when, how often it has run
//	claims/ID             who runs it; bound to that worker's lease
//	results/ID/0000000n   what run n printed
//
// Nothing lost: a task is in `tasks/` from the moment it is added until the very transaction that writes its result. A
// worker that dies leaves it there, its claim goes with its lease, and another worker finds the task due and unclaimed.
//
// Never by two at once: a claim is created only where there is none, in a transaction, and a result is taken only while
// the claim that the worker made is still there (its create revision tells it from a later one). A worker stops its
// commands when its lease is lost.
//
// What it is not: exactly once. A worker that dies after its command's work and before it has handed in the result
// leaves a task that is run again, so a command must bear to be repeated. And a worker that is suspended or cut off finds
// out late that its lease is gone: for that long the command's effects on the outside can overlap with the next
// worker's. No store can prevent that. A command that cannot bear it takes the claim ($TASK_FENCE) along with what it
// writes, as the lock example does.
const (
	tasksPrefix   = "tasks/"
	claimsPrefix  = "claims/"
	resultsPrefix = "results/"
)

type task struct {
	ID      string        `json:"id"`
	Due     time.Time     `json:"due"`
	Every   time.Duration `json:"every,omitempty"` // 0: once
	Command []string      `json:"command"`
	Runs    int           `json:"runs"`  // how often it has run to the end
	Nonce   string        `json:"nonce"` // tells an attempt to add it from another task of the same id

	revision int64  // of its key: which version of the task this is
	worker   string // who runs it
}

type result struct {
	Task   string    `json:"task"` // its nonce
	Run    int       `json:"run"`
	Worker string    `json:"worker"`
	Ended  time.Time `json:"ended"`
	Output string    `json:"output"`
	Error  string    `json:"error,omitempty"`
}

// claim is the right to run one version of one task.
type claim struct {
	task  task
	fence int64 // the claim key's create revision; later claims have larger ones
}

type store struct{ client *clientv3.Client }

func absent(key string) clientv3.Cmp { return clientv3.Compare(clientv3.CreateRevision(key), "=", 0) }

func resultKey(id string, run int) string { return fmt.Sprintf("%s%s/%08d", resultsPrefix, id, run) }

// add stores a task. Its id guards it: there is neither a task nor a first result of that name yet, so adding may be
// repeated. (The task alone would not do as a guard. If the first attempt's answer is lost, a worker may have run the
// task to its end before the second attempt comes, and that one would add it again.)
func (s *store) add(ctx context.Context, t task) error {
	if t.ID == "" || strings.Contains(t.ID, "/") {
		return fmt.Errorf("%q is no task id: it must not be empty and hold no '/'", t.ID)
	}
	t.Nonce = rand.Text()
	value, err := json.Marshal(t)
	if err != nil {
		return err
	}
	key, first := tasksPrefix+t.ID, resultKey(t.ID, 1)
	return connect.Retry(ctx, func(ctx context.Context) error {
		done, err := s.client.Txn(ctx).
			If(absent(key), absent(first)).
			Then(clientv3.OpPut(key, string(value))).
			Else(clientv3.OpGet(key), clientv3.OpGet(first)).
			Commit()
		if err != nil || done.Succeeded {
			return err
		}
		for _, r := range done.Responses {
			var there struct{ Nonce, Task string }
			for _, kv := range r.GetResponseRange().Kvs {
				if err := json.Unmarshal(kv.Value, &there); err != nil {
					return fmt.Errorf("%s: %w", kv.Key, err)
				}
			}
			if there.Nonce == t.Nonce || there.Task == t.Nonce {
				return nil // an earlier attempt of ours
			}
		}
		return fmt.Errorf("there is a task %q already, or its results; `remove` takes both away", t.ID)
	})
}

// remove takes a task out, with its results. A run that is going on ends without one.
func (s *store) remove(ctx context.Context, id string) error {
	return connect.Retry(ctx, func(ctx context.Context) error {
		_, err := s.client.Txn(ctx).Then(
			clientv3.OpDelete(tasksPrefix+id),
			clientv3.OpDelete(resultsPrefix+id+"/", clientv3.WithPrefix())).Commit()
		return err
	})
}

// tasks returns all tasks, with who runs them: both read at one revision, so that they belong together.
func (s *store) tasks(ctx context.Context) (tasks []task, err error) {
	var r *clientv3.TxnResponse
	err = connect.Retry(ctx, func(ctx context.Context) (err error) {
		r, err = s.client.Txn(ctx).Then(
			clientv3.OpGet(tasksPrefix, clientv3.WithPrefix()),
			clientv3.OpGet(claimsPrefix, clientv3.WithPrefix())).Commit()
		return err
	})
	if err != nil {
		return nil, err
	}
	workers := map[string]string{}
	for _, kv := range r.Responses[1].GetResponseRange().Kvs {
		workers[string(kv.Key[len(claimsPrefix):])] = string(kv.Value)
	}
	for _, kv := range r.Responses[0].GetResponseRange().Kvs {
		t := task{revision: kv.ModRevision}
		if err := json.Unmarshal(kv.Value, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		t.worker = workers[t.ID]
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// results returns what the runs of a task left behind, the oldest first.
func (s *store) results(ctx context.Context, id string) (results []result, err error) {
	r, err := s.client.Get(ctx, resultsPrefix+id+"/", clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	for _, kv := range r.Kvs {
		var one result
		if err := json.Unmarshal(kv.Value, &one); err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		results = append(results, one)
	}
	return results, nil
}

// errTaken: another worker was faster, or the task has changed or gone.
var errTaken = errors.New("not ours to run")

// claim takes the right to run a task. An attempt whose outcome was unclear may have made the claim: then it is there,
// under our lease, and is ours.
func (s *store) claim(ctx context.Context, t task, worker string, lease clientv3.LeaseID) (*claim, error) {
	key := claimsPrefix + t.ID
	var got *claim
	err := connect.Retry(ctx, func(ctx context.Context) error {
		done, err := s.client.Txn(ctx).
			If(absent(key), clientv3.Compare(clientv3.ModRevision(tasksPrefix+t.ID), "=", t.revision)).
			Then(clientv3.OpPut(key, worker, clientv3.WithLease(lease))).
			Else(clientv3.OpGet(key), clientv3.OpGet(tasksPrefix+t.ID)).
			Commit()
		if err != nil {
			return err
		}
		if done.Succeeded {
			got = &claim{task: t, fence: done.Header.Revision}
			return nil
		}
		claims, tasks := done.Responses[0].GetResponseRange().Kvs, done.Responses[1].GetResponseRange().Kvs
		if len(claims) == 0 || clientv3.LeaseID(claims[0].Lease) != lease ||
			len(tasks) == 0 || tasks[0].ModRevision != t.revision {
			return errTaken
		}
		got = &claim{task: t, fence: claims[0].CreateRevision}
		return nil
	})
	return got, err
}

// finish stores a run's result, lets go of the claim, and takes the task out or sets the next time it is due, all at
// once and only if the claim still stands. Repeated, it finds the claim gone and its own result there.
func (s *store) finish(ctx context.Context, c *claim, r result) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	key := resultKey(c.task.ID, r.Run)
	then := []clientv3.Op{clientv3.OpPut(key, string(value)), clientv3.OpDelete(claimsPrefix + c.task.ID)}
	next, err := c.task.next(r.Ended)
	if err != nil {
		return err
	}
	return connect.Retry(ctx, func(ctx context.Context) error {
		done, err := s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(claimsPrefix+c.task.ID), "=", c.fence),
				clientv3.Compare(clientv3.ModRevision(tasksPrefix+c.task.ID), "=", c.task.revision)).
			Then(append(then, next)...).
			Else(clientv3.OpGet(key)).
			Commit()
		if err != nil || done.Succeeded {
			return err
		}
		if kvs := done.Responses[0].GetResponseRange().Kvs; len(kvs) == 1 && string(kvs[0].Value) == string(value) {
			return nil
		}
		return errTaken
	})
}

// release lets go of a claim whose run has no result, so that the task does not wait for this worker's death.
func (s *store) release(ctx context.Context, c *claim) error {
	key := claimsPrefix + c.task.ID
	return connect.Retry(ctx, func(ctx context.Context) error {
		_, err := s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", c.fence)).
			Then(clientv3.OpDelete(key)).
			Commit()
		return err
	})
}

// next is what becomes of the task's key after a run: gone, or due again. Times at which a task should have run while no
// worker was there are skipped, not made up for.
func (t task) next(now time.Time) (clientv3.Op, error) {
	if t.Every == 0 {
		return clientv3.OpDelete(tasksPrefix + t.ID), nil
	}
	t.Runs++
	if missed := now.Sub(t.Due); missed > 0 {
		t.Due = t.Due.Add(missed.Truncate(t.Every))
	}
	t.Due = t.Due.Add(t.Every)
	value, err := json.Marshal(t)
	return clientv3.OpPut(tasksPrefix+t.ID, string(value)), err
}
