package grpcproxy

import (
	"context"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// withAuth turns authentication on, with root, and with alice, who may use keys under a.
func withAuth(t *testing.T, c *clientv3.Client) {
	t.Helper()
	ctx := soon(t)
	must(c.RoleAdd(ctx, "root"))(t)
	must(c.UserAdd(ctx, "root", "root"))(t)
	must(c.UserGrantRole(ctx, "root", "root"))(t)
	must(c.RoleAdd(ctx, "a"))(t)
	must(c.RoleGrantPermission(ctx, "a", "a", "b", clientv3.PermissionType(clientv3.PermReadWrite)))(t)
	must(c.UserAdd(ctx, "alice", "alice"))(t)
	must(c.UserGrantRole(ctx, "alice", "a"))(t)
	must(c.AuthEnable(ctx))(t)
}

func as(user string) func(*clientv3.Config) {
	return func(c *clientv3.Config) { c.Username, c.Password = user, user }
}

// TestTokensArePassedOn: each client is who he is, in requests, watches and renewals; nobody reads from memory what
// another was shown.
func TestTokensArePassedOn(t *testing.T) {
	p, nobody, _ := behind(t)
	ctx := soon(t)
	must(nobody.Put(ctx, "secret", "s"))(t)
	must(nobody.Get(ctx, "secret"))(t) // it is in memory now
	withAuth(t, nobody)
	root, alice := connect(t, p.Addr(), as("root")), connect(t, p.Addr(), as("alice"))
	must(root.Get(ctx, "secret", clientv3.WithSerializable()))(t)
	must(alice.Put(ctx, "a1", "1"))(t)
	for name, f := range map[string]func() error{
		"nobody reads":      func() error { _, err := nobody.Get(ctx, "secret", clientv3.WithSerializable()); return err },
		"alice reads":       func() error { _, err := alice.Get(ctx, "secret", clientv3.WithSerializable()); return err },
		"alice writes":      func() error { _, err := alice.Put(ctx, "secret", ""); return err },
		"alice watches":     func() error { r := <-alice.Watch(ctx, "secret"); return r.Err() },
		"alice adds a user": func() error { _, err := alice.UserAdd(ctx, "x", "x"); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s, and it works", name)
		}
	}
	mine, all := watch(t, alice, "a", clientv3.WithPrefix()), watch(t, root, "a", clientv3.WithPrefix())
	must(alice.Put(ctx, "a2", "2"))(t)
	mine.expect("PUT a2=2")
	all.expect("PUT a2=2")
	lease := must(alice.Grant(ctx, 60))(t).ID
	must(alice.Put(ctx, "a3", "", clientv3.WithLease(lease)))(t)
	if r := must(alice.KeepAliveOnce(ctx, lease))(t); r.TTL != 60 {
		t.Errorf("%+v", r)
	}
}

// TestOneLeaseDoesNotEndTheOthers: a member ends a stream over a lease that its caller may not renew. The others of
// the same caller go on.
func TestOneLeaseDoesNotEndTheOthers(t *testing.T) {
	p, nobody, _ := behind(t)
	withAuth(t, nobody)
	root := connect(t, p.Addr(), as("root"))
	alice := connect(t, p.Addr(), as("alice"))
	ctx := soon(t)
	foreign := must(root.Grant(ctx, 60))(t).ID
	must(root.Put(ctx, "secret", "", clientv3.WithLease(foreign)))(t)
	own := must(alice.Grant(ctx, 2))(t).ID
	ch := must(alice.KeepAlive(t.Context(), own))(t)
	<-ch
	if _, err := alice.KeepAliveOnce(ctx, foreign); err != rpctypes.ErrPermissionDenied {
		t.Fatalf("a lease on a key that alice may not write: %v", err)
	}
	for deadline := time.After(3 * time.Second); ; {
		select {
		case r, ok := <-ch:
			if !ok || r.TTL != 2 {
				t.Fatalf("%+v, %t", r, ok)
			}
			continue
		case <-deadline:
		}
		break
	}
}

// TestRevokedPermission: a watch ends when its caller may no longer read, with the member's reason.
func TestRevokedPermission(t *testing.T) {
	p, nobody, _ := behind(t)
	withAuth(t, nobody)
	root, alice := connect(t, p.Addr(), as("root")), connect(t, p.Addr(), as("alice"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ch := alice.Watch(ctx, "a", clientv3.WithCreatedNotify())
	<-ch
	must(root.UserRevokeRole(ctx, "alice", "a"))(t)
	must(root.Put(ctx, "a", "no longer for alice"))(t)
	for r := range ch {
		if len(r.Events) > 0 {
			t.Errorf("%v", r.Events)
		}
	}
	if ctx.Err() != nil {
		t.Error("the watch goes on")
	}
}
