// Lock guards a resource with a distributed lock, and with the fencing token without which such a lock is not safe.
//
//	go run ./lock resource --listen 127.0.0.1:7100                 # the thing to be guarded
//	go run ./lock work --resource http://127.0.0.1:7100 --name a   # two workers that take turns
//	go run ./lock work --resource http://127.0.0.1:7100 --name b
//	go run ./lock work --resource http://127.0.0.1:7100 --name c --stall 15s
//
// A lock in a replicated store is a lease: whoever holds it may fall asleep (a long collection, a suspended laptop, a
// stopped container), the lease runs out, another takes the lock, and the sleeper wakes up in the belief that it still
// holds it. Nothing in the store or in the holder can prevent its next write. The resource can: every holder sends the
// revision at which it got the lock, later holders have larger ones, and the resource refuses whoever comes with a
// smaller one than it has seen. `--stall` shows it: the sleeper's write is refused.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

var (
	listen   = flag.String("listen", "127.0.0.1:7100", "resource: address to serve on")
	resource = flag.String("resource", "http://127.0.0.1:7100", "work: the resource's URL")
	lockName = flag.String("lock", "locks/resource", "work: the lock's key prefix")
	name     = flag.String("name", "worker", "work: who writes")
	rounds   = flag.Int("rounds", 10, "work: how often to lock, write, unlock; 0 is for ever")
	hold     = flag.Duration("hold", 100*time.Millisecond, "work: how long the work takes that the lock guards")
	stall    = flag.Duration("stall", 0, "work: sleep this long between taking the lock and writing, as if suspended")
	ttl      = flag.Int("ttl", 5, "work: seconds after which a dead holder's lock is free")
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: lock resource|work [flags]; -h after the word lists them")
		os.Exit(2)
	}
	_ = flag.CommandLine.Parse(os.Args[2:]) // ends the program on an error
	ctx, stop := connect.Context()
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "lock:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, what string) error {
	switch what {
	case "resource":
		return serve(ctx, *listen)
	case "work":
		return work(ctx)
	}
	return fmt.Errorf("%q is neither resource nor work", what)
}
