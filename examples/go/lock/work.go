package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// errFenced: the resource has seen a later holder.
var errFenced = errors.New("refused by the resource")

// work locks, writes and unlocks, again and again. A round that failed is reported and is no reason to stop: the lock is
// free again, at the latest when the lease has run out.
func work(ctx context.Context) error {
	client, err := connect.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	for round := 1; (*rounds == 0 || round <= *rounds) && ctx.Err() == nil; {
		err := once(ctx, client, fmt.Sprintf("%s/%d", *name, round))
		if err != nil && ctx.Err() == nil {
			fmt.Printf("%s round %d: %v\n", *name, round, err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		round++
	}
	return ctx.Err()
}

// once is one turn: session, lock, work, unlock. The session is the lease and what keeps it alive. It is made anew for
// each turn here, so that the loss of one ends just that turn.
func once(ctx context.Context, client *clientv3.Client, content string) error {
	session, err := open(ctx, client)
	if err != nil {
		return err
	}
	defer session.Close() // revokes the lease: whatever went wrong, the lock is free

	mutex := concurrency.NewMutex(session, *lockName)
	if err := mutex.Lock(ctx); err != nil {
		return err
	}
	// The revision at which this holder saw itself first in line. The next holder's is larger, for it was first only
	// after a later revision had deleted our key.
	token := mutex.Header().Revision

	// Work under a lock should stop when the lock is lost (whileHeld). That is courtesy and saves work; it is not safety,
	// for between the last look at the lease and the write there is always a moment. Safety is the token.
	if *stall > 0 {
		fmt.Println(content, "falls asleep with token", token)
		session.Orphan() // a suspended process keeps no lease alive
		time.Sleep(*stall)
		fmt.Println(content, "wakes up")
	} else if err := whileHeld(ctx, session, *hold); err != nil {
		return err
	}
	if err := put(ctx, token, content); err != nil {
		return err
	}
	fmt.Println(content, "written with token", token)
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), connect.Attempt)
	defer stop()
	return mutex.Unlock(release)
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

// put writes to the resource.
func put(ctx context.Context, token int64, content string) error {
	ctx, cancel := context.WithTimeout(ctx, connect.Attempt)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, *resource, strings.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set(tokenHeader, strconv.FormatInt(token, 10))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	switch answer.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s", errFenced, strings.TrimSpace(string(why)))
	}
	return fmt.Errorf("the resource answered %s: %s", answer.Status, strings.TrimSpace(string(why)))
}

// whileHeld stands for the work that the lock guards: it ends early when the lease is lost.
func whileHeld(ctx context.Context, session *concurrency.Session, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-session.Done():
		return errors.New("the lease was lost while the lock was held")
	case <-time.After(d):
		return nil
	}
}
