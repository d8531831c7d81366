package grpcproxy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

// resolverRetry is the pause after what failed.
const resolverRetry = time.Second

// resolver lets proxies of one prefix find each other. Each puts a key
//
//	PREFIX/ADDRESS   {"Op":0,"Addr":"10.0.0.1:23790","Metadata":"{\"name\":\"host\"}"}
//
// that lasts as long as it renews a lease: the format of etcd's package naming,
// whose resolver clients can use on the same prefix.
type resolver struct {
	client    *clientv3.Client
	prefix    string
	advertise string
	ttl       int // seconds
	log       *slog.Logger

	mu    sync.Mutex
	known map[string]endpoints.Endpoint // by key
}

// place is what stands in an endpoint's metadata.
type place struct {
	Name string `json:"name"`
}

// proxies are those that are registered, in the order of their keys.
func (r *resolver) proxies() (out []*pb.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.known {
		var p place
		_ = json.Unmarshal([]byte(fmt.Sprint(e.Metadata)), &p) // another kind of proxy may have none
		out = append(out, &pb.Member{Name: p.Name, ClientURLs: []string{e.Addr}})
	}
	slices.SortFunc(out, func(a, b *pb.Member) int { return cmp.Compare(a.ClientURLs[0], b.ClientURLs[0]) })
	return out
}

// run registers and watches until ctx ends. The key is gone when it returns, if
// the members could be told.
func (r *resolver) run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { r.again(ctx, "watch endpoints", r.watch) })
	r.again(ctx, "register the proxy", r.register)
}

// again does something until ctx ends, with a pause after each end.
func (r *resolver) again(ctx context.Context, what string, do func(context.Context) error) {
	for ctx.Err() == nil {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("failed to "+what, "prefix", r.prefix, "error", err.Error())
		}
		select {
		case <-time.After(resolverRetry):
		case <-ctx.Done():
		}
	}
}

func (r *resolver) register(ctx context.Context) error {
	session, err := concurrency.NewSession(r.client, concurrency.WithTTL(r.ttl), concurrency.WithContext(ctx))
	if err != nil {
		return err
	}
	defer r.revoke(session)
	manager, err := endpoints.NewManager(r.client, r.prefix)
	if err != nil {
		return err
	}
	meta, err := json.Marshal(place{hostname()})
	if err != nil {
		return err
	}
	endpoint := endpoints.Endpoint{Addr: r.advertise, Metadata: string(meta)}
	if err := manager.AddEndpoint(ctx, r.prefix+"/"+r.advertise, endpoint, clientv3.WithLease(session.Lease())); err != nil {
		return err
	}
	r.log.Info("registered session with lease", "addr", r.advertise, "lease-ttl", r.ttl)
	select {
	case <-ctx.Done():
	case <-session.Done():
		r.log.Warn("session expired; possible network partition or server restart")
	}
	return nil
}

// revoke takes the key away, so that clients needn't find out.
func (r *resolver) revoke(session *concurrency.Session) {
	session.Orphan()
	ctx, cancel := context.WithTimeout(context.Background(), resolverRetry)
	defer cancel()
	if _, err := r.client.Revoke(ctx, session.Lease()); err != nil {
		r.log.Debug("the lease ends by itself", "error", err.Error())
	}
}

// watch follows the registered proxies. The channel holds those of now before
// anything else: listed apart, one that leaves in between would never go.
func (r *resolver) watch(ctx context.Context) error {
	manager, err := endpoints.NewManager(r.client, r.prefix)
	if err != nil {
		return err
	}
	updates, err := manager.NewWatchChannel(ctx)
	if err != nil {
		return err
	}
	r.begin(updates)
	for batch := range updates {
		r.apply(batch)
	}
	return nil
}

// begin exchanges what was known for those of now.
func (r *resolver) begin(updates endpoints.WatchChannel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = map[string]endpoints.Endpoint{}
	select {
	case batch := <-updates:
		r.change(batch)
	default: // nobody is there
	}
}

func (r *resolver) apply(batch []*endpoints.Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change(batch)
}

func (r *resolver) change(batch []*endpoints.Update) {
	for _, u := range batch {
		switch u.Op {
		case endpoints.Add:
			r.known[u.Key] = u.Endpoint
		case endpoints.Delete:
			delete(r.known, u.Key)
		}
	}
}
