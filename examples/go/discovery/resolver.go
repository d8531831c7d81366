package main

import (
	"context"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/resolver"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// scheme is what a gRPC target begins with that is to be resolved here: holdfast:///greeter.
const scheme = "holdfast"

// builder makes a resolver for each gRPC channel.
type builder struct{ client *clientv3.Client }

func (b builder) Scheme() string { return scheme }

func (b builder) Build(target resolver.Target, channel resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{
		client: b.client, channel: channel, prefix: prefixOf(target.Endpoint()),
		cancel: cancel, done: make(chan struct{}),
	}
	go f.run(ctx)
	return f, nil
}

// follower tells a channel which servers there are, as long as the channel lives.
type follower struct {
	client  *clientv3.Client
	channel resolver.ClientConn
	prefix  string
	cancel  context.CancelFunc
	done    chan struct{}
}

// ResolveNow is gRPC's wish for fresh addresses after a failed call. They are always fresh here.
func (f *follower) ResolveNow(resolver.ResolveNowOptions) {}

// Close ends the watch.
func (f *follower) Close() { f.cancel(); <-f.done }

// run reads all servers, then follows the changes; when the changes break off, it starts over. What was known stays in
// use in the meantime: an old list of servers is better than none, for most servers on it are still there.
func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	for ctx.Err() == nil {
		servers, revision, err := f.read(ctx)
		if err != nil {
			f.channel.ReportError(err)
			pause(ctx, 500*time.Millisecond)
			continue
		}
		f.tell(servers)
		f.follow(ctx, servers, revision+1)
	}
}

func (f *follower) read(ctx context.Context) (servers map[string]string, revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, connect.Attempt)
	defer cancel()
	r, err := f.client.Get(ctx, f.prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, 0, err
	}
	servers = map[string]string{}
	for _, kv := range r.Kvs {
		servers[string(kv.Key)] = string(kv.Value)
	}
	return servers, r.Header.Revision, nil
}

// follow applies changes from a revision on. It returns when ctx ends, or when the watch cannot go on: its next revision
// has been compacted, so that what happened in between is not known any more.
func (f *follower) follow(ctx context.Context, servers map[string]string, from int64) {
	_ = connect.Watch(ctx, f.client, f.prefix, from, func(e *clientv3.Event) {
		if e.Type == clientv3.EventTypeDelete {
			delete(servers, string(e.Kv.Key))
		} else {
			servers[string(e.Kv.Key)] = string(e.Kv.Value)
		}
		f.tell(servers)
	}, clientv3.WithPrefix())
}

func (f *follower) tell(servers map[string]string) {
	var state resolver.State
	for _, address := range servers {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	slices.SortFunc(state.Addresses, func(a, b resolver.Address) int {
		if a.Addr < b.Addr {
			return -1
		}
		return 1
	})
	_ = f.channel.UpdateState(state) // an empty list is an "error" to gRPC: calls fail until a server comes
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
