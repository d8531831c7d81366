// Command torture kills real servers under load and judges what they promised; see package torture. `make torture`
// runs it; it prints a line a round and a table at the end, and exits with 1 if a promise was broken, with 2 if no
// verdict could be had.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
	"github.com/holdfast-db/holdfast/internal/torture"
)

func main() {
	c := torture.Defaults()
	seconds := 60
	flag.IntVar(&c.Rounds, "rounds", 10, "rounds on one cluster")
	flag.IntVar(&seconds, "seconds", seconds, "length of a round's load")
	flag.IntVar(&c.Members, "members", c.Members, "members of the cluster")
	flag.IntVar(&c.Writers, "writers", c.Writers, "concurrent clients that write")
	flag.IntVar(&c.Keys, "keys", c.Keys, "keys that they write to")
	flag.IntVar(&c.Watchers, "watchers", c.Watchers, "concurrent watchers")
	flag.Uint64Var(&c.Seed, "seed", uint64(time.Now().UnixNano()), "of requests and faults (their timing is the machine's)")
	flag.StringVar(&c.KeepDir, "keep", filepath.Join("bin", "torture"), "where the history of a failed round goes")
	flag.Parse()
	c.Length, c.Progress = time.Duration(seconds)*time.Second, os.Stderr
	os.Exit(run(c))
}

func run(c torture.Config) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The client library reports each retry; with servers dying all the time that would be most of the output.
	os.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	dir, err := os.MkdirTemp("", "holdfast-torture-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	c.Dir = dir
	if c.Binary, err = proc.ServerUnderTest(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Fprintf(os.Stderr, "%s, seed %d: %d rounds of %v, %d writers on %d keys, %d watchers\n",
		filepath.Base(c.Binary), c.Seed, c.Rounds, c.Length, c.Writers, c.Keys, c.Watchers)
	result, err := torture.Run(ctx, c)
	result.Markdown(os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	case !result.OK():
		return 1
	}
	return 0
}
