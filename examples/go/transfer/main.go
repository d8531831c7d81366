// Transfer moves money between accounts: several keys that change together, under contention.
//
//	go run ./transfer open --accounts 10 --each 100
//	go run ./transfer run --transfers 200 --clients 8
//	go run ./transfer check
//
// The promise is that the sum never changes, no balance falls below zero, and each transfer happens once, even if the
// leader dies between the request and its answer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

var (
	accounts  = flag.Int("accounts", 10, "how many accounts there are")
	each      = flag.Int("each", 100, "open: what is on each")
	transfers = flag.Int("transfers", 200, "run: how many transfers in all")
	clients   = flag.Int("clients", 8, "run: how many at a time")
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: transfer open|run|check [flags]; -h after the word lists them")
		os.Exit(2)
	}
	_ = flag.CommandLine.Parse(os.Args[2:]) // ends the program on an error
	ctx, stop := connect.Context()
	defer stop()
	if err := do(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "transfer:", err)
		os.Exit(1)
	}
}

func do(ctx context.Context, what string) error {
	client, err := connect.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	b := &bank{client: client}
	switch what {
	case "open":
		return b.open(ctx, *accounts, *each)
	case "run":
		return runMany(ctx, b)
	case "check":
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		t, err := b.check(ctx)
		fmt.Printf("accounts %d, sum %d, lowest %d, transfers %d\n", t.accounts, t.sum, t.lowest, t.transfers)
		return err
	}
	return fmt.Errorf("%q is none of open, run, check", what)
}

// runMany makes random transfers from several clients and tells how they went.
func runMany(ctx context.Context, b *bank) error {
	var left, done, refused, retried atomic.Int64
	left.Store(int64(*transfers))
	var failed sync.Map
	var all sync.WaitGroup
	for range *clients {
		all.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				from := rand.IntN(*accounts)
				to := (from + 1 + rand.IntN(*accounts-1)) % *accounts
				again, err := b.transfer(ctx, from, to, 1+rand.IntN(20))
				retried.Add(int64(again))
				switch {
				case errors.Is(err, errPoor):
					refused.Add(1)
				case err != nil:
					failed.Store(err.Error(), true)
				default:
					done.Add(1)
				}
			}
		})
	}
	all.Wait()
	fmt.Printf("done %d, refused for want of money %d, attempts that another overtook or nobody answered %d\n",
		done.Load(), refused.Load(), retried.Load())
	var err error
	failed.Range(func(text, _ any) bool { err = errors.New(text.(string)); return false })
	return errors.Join(err, ctx.Err())
}
