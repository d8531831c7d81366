// Election has several processes choose a leader that does the work, and hand over in peace.
//
//	go run ./election run --name a       # in three terminals, as a, b and c
//	go run ./election run --name b
//	go run ./election watch              # who leads, and who did
//
// Stop the leader with Ctrl-C: it resigns, and the next one leads at once. Kill it with -9: the next one leads when its
// lease has run out.
//
// The leader's work here is to count: `jobs/counter` goes up by one every 100 ms, and says by whom. Only one process may do so at a time,
// and the store itself sees to that: each write is a transaction that holds only while the writer's election key is
// still there. That is a fence, like the lock example's token, but checked by the store, because what is written lies in
// the store. A leader that slept through its own replacement writes nothing; `--stall 10s` shows it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

const (
	election = "elections/counter"
	counter  = "jobs/counter"
)

var (
	name  = flag.String("name", "candidate", "run: who we are")
	every = flag.Duration("every", 100*time.Millisecond, "run: time between two units of the leader's work")
	stall = flag.Duration("stall", 0, "run: sleep this long as a leader, once, before the first unit of work, as if suspended")
	ttl   = flag.Int("ttl", 5, "run: seconds after which a dead leader is replaced")
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: election run|watch [flags]; -h after the word lists them")
		os.Exit(2)
	}
	_ = flag.CommandLine.Parse(os.Args[2:]) // ends the program on an error
	ctx, stop := connect.Context()
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "election:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, what string) error {
	client, err := connect.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	switch what {
	case "run":
		for ctx.Err() == nil {
			if err := campaign(ctx, client); err != nil && ctx.Err() == nil {
				fmt.Println(*name, "starts over:", err)
				time.Sleep(100 * time.Millisecond)
			}
		}
		return nil
	case "watch":
		return watch(ctx, client)
	}
	return fmt.Errorf("%q is neither run nor watch", what)
}

// watch prints each leader as it comes.
func watch(ctx context.Context, client *clientv3.Client) error {
	session, err := open(ctx, client)
	if err != nil {
		return err
	}
	defer session.Close()
	for ctx.Err() == nil {
		// The channel ends when a watch of it breaks off; then it is asked for anew.
		for r := range concurrency.NewElection(session, election).Observe(ctx) {
			fmt.Println("leader:", string(r.Kvs[0].Value), "since revision", r.Kvs[0].CreateRevision)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}
