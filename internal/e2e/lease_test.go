package e2e

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaseLife: grant, attach, look, revoke; a revoke deletes the keys in one revision.
func leaseLife(u *user) {
	ctx := timeout(u.T, 30*time.Second)
	granted := must(u.client.Grant(ctx, 100))(u)
	if granted.TTL != 100 || granted.ID <= 0 {
		u.Fatalf("grant: %+v", granted)
	}
	for _, k := range []string{"b", "a"} {
		must(u.client.Put(ctx, u.key(k), k, clientv3.WithLease(granted.ID)))(u)
	}
	live := must(u.client.TimeToLive(ctx, granted.ID, clientv3.WithAttachedKeys()))(u)
	if live.GrantedTTL != 100 || live.TTL < 90 || live.TTL > 100 {
		u.Errorf("time to live: %+v", live)
	}
	slices.SortFunc(live.Keys, func(a, b []byte) int { return slices.Compare(a, b) })
	if len(live.Keys) != 2 || string(live.Keys[0]) != u.key("a") || string(live.Keys[1]) != u.key("b") {
		u.Errorf("attached keys: %q", live.Keys)
	}
	all := must(u.client.Leases(ctx))(u).Leases
	if !slices.ContainsFunc(all, func(l clientv3.LeaseStatus) bool { return l.ID == granted.ID }) {
		u.Errorf("the lease is not among %v", all)
	}
	before := must(u.client.Get(ctx, u.key("a")))(u).Kvs[0].ModRevision
	w := u.client.Watch(ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithRev(before+1))
	must(u.client.Revoke(ctx, granted.ID))(u)
	events := u.collect(w, 2)
	if got := u.story(events); got != "DELETE a | DELETE b" || events[0].Kv.ModRevision != events[1].Kv.ModRevision {
		u.Errorf("revoke: %s at %d and %d", got, events[0].Kv.ModRevision, events[1].Kv.ModRevision)
	}
	if gone := must(u.client.TimeToLive(ctx, granted.ID))(u); gone.TTL != -1 {
		u.Errorf("a revoked lease has TTL %d, want −1", gone.TTL)
	}
}

// leaseExpiry: not before the TTL, and not long after it. The shortest TTL is 1.5 election timeouts, rounded up.
func leaseExpiry(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	start := time.Now()
	granted := must(u.client.Grant(ctx, 1))(u)
	if granted.TTL != 2 {
		u.Fatalf("a TTL of 1 s was raised to %d, want 2", granted.TTL)
	}
	rev := must(u.client.Put(ctx, u.key("k"), "v", clientv3.WithLease(granted.ID)))(u).Header.Revision
	granted2 := time.Now()
	w := u.client.Watch(ctx, u.key("k"), clientv3.WithRev(rev+1))
	if got := u.story(u.collect(w, 1)); got != "DELETE k" {
		u.Fatal(got)
	}
	if lived := time.Since(start); lived < 2*time.Second {
		u.Errorf("it expired after %v", lived)
	}
	if late := time.Since(granted2); late > 8*time.Second {
		u.Errorf("it expired only after %v", late)
	}
	if _, err := u.client.KeepAliveOnce(ctx, granted.ID); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		u.Errorf("keep-alive of an expired lease: %v", err)
	}
}

// leaseKeepAlive: kept alive through any member it outlives its TTL; left alone it goes.
func leaseKeepAlive(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	endpoints := u.cluster.Endpoints()
	granted := must(u.client.Grant(ctx, 2))(u)
	must(u.client.Put(ctx, u.key("k"), "v", clientv3.WithLease(granted.ID)))(u)
	keeping, stop := context.WithCancel(ctx)
	defer stop()
	replies := must(connect(u.T, endpoints[len(endpoints)-1]).KeepAlive(keeping, granted.ID))(u)
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); {
		r, open := <-replies
		if !open || r.TTL != 2 {
			u.Fatalf("keep-alive: open %t, %+v", open, r)
		}
	}
	if got := must(u.client.Get(ctx, u.key("k")))(u); got.Count != 1 {
		u.Fatal("the key is gone although its lease was kept alive")
	}
	stop()
	for must(u.client.Get(ctx, u.key("k")))(u).Count != 0 {
		time.Sleep(50 * time.Millisecond) // ctx bounds it
	}
}

func leaseErrors(u *user) {
	ctx := timeout(u.T, 30*time.Second)
	if _, err := u.client.Grant(ctx, 9_000_000_001); !errors.Is(err, rpctypes.ErrLeaseTTLTooLarge) {
		u.Errorf("a TTL of nine billion and one: %v", err)
	}
	if _, err := u.client.Revoke(ctx, 0x7eadbeef); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		u.Errorf("revoke of an unknown lease: %v", err)
	}
	if r := must(u.client.TimeToLive(ctx, 0x7eadbeef))(u); r.TTL != -1 {
		u.Errorf("time to live of an unknown lease: %+v", r)
	}
}
