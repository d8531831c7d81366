// Package connect is what the examples share: how they open a client, and how they tell an answer from no answer.
//
// The second part is the one worth reading. A request to a replicated store has three outcomes, not two: done,
// refused, and *unclear*. Unclear means that the leader died, or the network, after the request had left: it may have
// been done, it may never be. A client library repeats reads by itself, for reading twice harms nobody. It never
// repeats writes, for only the program knows whether writing twice does. So every program here that writes has an
// answer to "what if I do this twice?": a guard in the transaction that makes the second time do nothing.
package connect

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Endpoints is the flag that all examples take. The variable spares typing it with each command.
var Endpoints = flag.String("endpoints", cmp.Or(os.Getenv("ENDPOINTS"), "http://localhost:2379"),
	"client URLs of the members, separated by commas ($ENDPOINTS)")

// Client opens a client with all members' addresses, so that it can go on with another when one dies. The keep-alive
// pings notice a member that is gone without a word (power, a cable) in 6 s; without them it would take TCP minutes.
func Client() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:            strings.Split(*Endpoints, ","),
		DialTimeout:          5 * time.Second,
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: time.Second,
		PermitWithoutStream:  true,
		Logger:               zap.NewNop(), // the library reports every retry; the examples report what matters to them
	})
}

// Context ends when the program is asked to stop: Ctrl-C or SIGTERM.
func Context() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
}

// Attempt bounds one request. An election takes one to two seconds, so less than that gives up too early.
const Attempt = 3 * time.Second

// Unclear tells whether a request that failed with err may have been done all the same, now or later: it timed out,
// or the connection or the leader went away. Every other error is a refusal, and nothing was done.
func Unclear(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, rpctypes.ErrTimeout) {
		return true
	}
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		return known.Code() == codes.Unavailable || known.Code() == codes.DeadlineExceeded
	}
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}

// Retry runs f, each time with Attempt's deadline, until its outcome is clear or ctx ends. What f does must do no harm
// when it happens twice. An error that f gets while ctx ends is returned as it is.
func Retry(ctx context.Context, f func(context.Context) error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		attempt, cancel := context.WithTimeout(ctx, Attempt)
		err := f(attempt)
		cancel()
		if !Unclear(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// Watch follows keys from a revision on and gives each change to seen, once and in order. It returns when ctx ends, or
// with ErrCompacted when the next change to see has been compacted: whoever wants to go on must read what is there now.
//
// The client library takes a watch to another member when its connection breaks. What it leaves to its caller is a
// member that is cut off from the others and says "no leader" (it says so because of WithRequireLeader; without that it
// would keep silent, and the watch with it). Then this goes on elsewhere, behind the last change seen.
func Watch(ctx context.Context, client *clientv3.Client, key string, from int64, seen func(*clientv3.Event),
	opts ...clientv3.OpOption) error {
	for ctx.Err() == nil {
		err := stretch(ctx, client, key, &from, seen, opts)
		if err != nil && !Unclear(err) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// ErrCompacted: changes were missed.
var ErrCompacted = rpctypes.ErrCompacted

// stretch is one watch; it moves from behind what it has seen.
func stretch(ctx context.Context, client *clientv3.Client, key string, from *int64, seen func(*clientv3.Event),
	opts []clientv3.OpOption) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for r := range client.Watch(ctx, key, append(opts, clientv3.WithRev(*from))...) {
		if err := r.Err(); err != nil {
			return err
		}
		for _, e := range r.Events {
			seen(e)
		}
		if n := len(r.Events); n > 0 {
			*from = r.Events[n-1].Kv.ModRevision + 1
		}
	}
	return nil
}
