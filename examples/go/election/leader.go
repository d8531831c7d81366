package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

var errDeposed = errors.New("another leads")

// campaign waits to be elected, leads, and resigns when ctx ends.
func campaign(ctx context.Context, client *clientv3.Client) error {
	session, err := open(ctx, client)
	if err != nil {
		return err
	}
	defer session.Close() // ends the lease, and with it the candidacy
	e := concurrency.NewElection(session, election)
	if err := stand(ctx, session, e); err != nil {
		return err
	}
	fmt.Println(*name, "leads since revision", e.Rev())
	err = lead(ctx, client, session, e)
	fmt.Println(*name, "leads no more:", err)
	if ctx.Err() != nil {
		// A stop in peace hands over at once. Without this the others would wait for the lease to end.
		resign, cancel := context.WithTimeout(context.WithoutCancel(ctx), connect.Attempt)
		defer cancel()
		return e.Resign(resign)
	}
	return err
}

// stand waits to be elected. It gives up when the lease is lost, for then our key has left the line.
func stand(ctx context.Context, session *concurrency.Session, e *concurrency.Election) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(session.Ctx(), cancel)()
	return e.Campaign(ctx, *name)
}

func open(ctx context.Context, client *clientv3.Client) (*concurrency.Session, error) {
	var lease clientv3.LeaseID
	err := connect.Retry(ctx, func(ctx context.Context) error { // a second lease that nobody uses runs out
		granted, err := client.Grant(ctx, int64(*ttl))
		if err == nil {
			lease = granted.ID
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return concurrency.NewSession(client, concurrency.WithLease(lease))
}

// lead does the leader's work until it leads no more.
func lead(ctx context.Context, client *clientv3.Client, session *concurrency.Session, e *concurrency.Election) error {
	ticks := time.NewTicker(*every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-session.Done():
			return errors.New("the lease was lost")
		case <-ticks.C:
		}
		if *stall > 0 {
			fmt.Println(*name, "falls asleep")
			session.Orphan() // a suspended process keeps no lease alive
			time.Sleep(*stall)
			fmt.Println(*name, "wakes up")
			*stall = 0
		}
		if err := step(ctx, client, e); err != nil {
			return err
		}
	}
}

// step counts by one. The transaction compares two things: that this candidacy still stands (the fence), and that the
// counter is what was read, so that an attempt whose outcome is unclear counts once, however often it is repeated: the
// second time the counter is not what it was.
func step(ctx context.Context, client *clientv3.Client, e *concurrency.Election) error {
	r, err := get(ctx, client, counter)
	if err != nil {
		return err
	}
	value, seen := 0, int64(0)
	if len(r.Kvs) > 0 {
		seen = r.Kvs[0].ModRevision
		if _, err := fmt.Sscanf(string(r.Kvs[0].Value), "%d by ", &value); err != nil {
			return fmt.Errorf("%s: %w", counter, err)
		}
	}
	next := fmt.Sprintf("%d by %s", value+1, *name)
	return connect.Retry(ctx, func(ctx context.Context) error {
		done, err := client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(e.Key()), "=", e.Rev()),
				clientv3.Compare(clientv3.ModRevision(counter), "=", seen)).
			Then(clientv3.OpPut(counter, next)).
			Else(clientv3.OpGet(e.Key())).
			Commit()
		if err != nil || done.Succeeded {
			return err
		}
		if len(done.Responses[0].GetResponseRange().Kvs) == 0 {
			return errDeposed
		}
		return nil // an earlier attempt of ours had counted
	})
}

func get(ctx context.Context, client *clientv3.Client, key string) (r *clientv3.GetResponse, err error) {
	err = connect.Retry(ctx, func(ctx context.Context) (err error) {
		r, err = client.Get(ctx, key)
		return err
	})
	return r, err
}
