// Command memory loads a million keys into one node and measures what they cost: resident memory 30 s after the
// load and at its peak, and how long a restart takes until the first linearizable read is answered, once after a
// clean stop and once after SIGKILL.
//
// The keys are written by etcd's benchmark tool as single puts (32-byte keys, 256-byte values, 1000 clients), so the
// log and the history are those that a million clients' writes leave, not a bulk import. The same is done with etcd
// beside it.
//
//	go run ./bench/memory                      both servers: a table on stdout
//	go run ./bench/memory -servers holdfast -keys 100000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

func main() {
	keys := flag.Int("keys", 1_000_000, "keys to load")
	settle := flag.Duration("settle", 30*time.Second, "pause before resident memory is read")
	servers := flag.String("servers", "etcd,holdfast", "which servers, in which order")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, strings.Split(*servers, ","), *keys, *settle); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, servers []string, keys int, settle time.Duration) error {
	dir, err := os.MkdirTemp("", "holdfast-memory-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tool, err := proc.Peer(ctx, "benchmark")
	if err != nil {
		return err
	}
	var results []result
	for _, server := range servers {
		binary, err := build(ctx, server, dir)
		if err != nil {
			return err
		}
		l := &load{server: server, binary: binary, tool: tool, keys: keys, settle: settle}
		r, err := l.measure(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", server, err)
		}
		results = append(results, r)
	}
	fmt.Printf("%d keys of 32 bytes with values of 256, one node, fsync on\n\n", keys)
	markdown(os.Stdout, results)
	return nil
}

func build(ctx context.Context, server, dir string) (string, error) {
	switch server {
	case "holdfast":
		return proc.ServerUnderTest(ctx, dir)
	case "etcd":
		return proc.Peer(ctx, "etcd")
	}
	return "", fmt.Errorf("no server %q: etcd or holdfast", server)
}
