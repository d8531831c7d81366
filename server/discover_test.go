package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/server/discovery"
)

// seekers are members of a new cluster that find each other through a service.
func seekers(t *testing.T, n int, edit func(*Config)) *cluster {
	c := &cluster{t: t, configs: make([]Config, n), members: make([]*Server, n)}
	for i := range c.configs {
		cfg := DefaultConfig()
		cfg.Name, cfg.Logger = fmt.Sprintf("s%d", i+1), slog.New(slog.DiscardHandler)
		cfg.DataDir = filepath.Join(t.TempDir(), cfg.Name)
		client, peer := freeURL(t), freeURL(t)
		cfg.ListenClientURLs, cfg.AdvertiseClientURLs, cfg.ListenPeerURLs, cfg.InitialAdvertisePeerURLs = client, client, peer, peer
		edit(&cfg)
		c.configs[i] = cfg
	}
	return c
}

// startAll starts the members at once, since each waits for the others.
func (c *cluster) startAll() (errs []error) {
	errs = make([]error, len(c.configs))
	done := make(chan int)
	for i := range c.configs {
		go func() {
			c.members[i], errs[i] = Start(c.configs[i])
			done <- i
		}()
	}
	for range c.configs {
		<-done
	}
	return errs
}

// TestDiscovery: three members find each other through another cluster, under the
// ids that they have registered; a fourth is refused; a restart asks nobody; one
// that is told to stop doesn't wait on.
func TestDiscovery(t *testing.T) {
	service := newCluster(t, 1)
	kv := service.client()
	ctx := within(t, 30*time.Second)
	seek := func(token string) func(*Config) {
		return func(c *Config) {
			c.Discovery.Token, c.Discovery.Endpoints, c.Starting = token, service.configs[0].AdvertiseClientURLs, ctx
		}
	}
	if errs := seekers(t, 1, seek("t")).startAll(); !errors.Is(errs[0], discovery.ErrNoSize) {
		t.Errorf("without a size: %v", errs[0])
	}
	if _, err := kv.Put(ctx, "/_etcd/registry/t/_config/size", "3"); err != nil {
		t.Fatal(err)
	}
	c := seekers(t, 3, seek("t"))
	if err := errors.Join(c.startAll()...); err != nil {
		t.Fatal(err)
	}
	for i := range c.members {
		c.ready(i)
	}
	t.Cleanup(c.stop)
	registered(t, ctx, kv, c)
	if errs := seekers(t, 1, seek("t")).startAll(); !errors.Is(errs[0], discovery.ErrFull) || !strings.Contains(errs[0].Error(), "failed to join discovery cluster (discovery: cluster is full") {
		t.Errorf("a fourth: %v", errs[0])
	}
	id := c.members[0].MemberID()
	if err := c.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	c.configs[0].Discovery.Endpoints = "127.0.0.1:1"
	c.start(0)
	c.ready(0)
	if got := c.members[0].MemberID(); got != id {
		t.Errorf("after a restart %x, it was %x", got, id)
	}
}

// registered compares the members with the registry's keys.
func registered(t *testing.T, ctx context.Context, kv *clientv3.Client, c *cluster) {
	t.Helper()
	list, err := c.client().MemberList(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, m := range list.Members {
		want = append(want, fmt.Sprintf("/_etcd/registry/t/members/%x %s=%s", m.ID, m.Name, m.PeerURLs[0]))
	}
	keys, err := kv.Get(ctx, "/_etcd/registry/t/members/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.Kvs {
		got = append(got, string(k.Key)+" "+string(k.Value))
	}
	slices.Sort(want)
	if slices.Sort(got); len(got) != 3 || !slices.Equal(got, want) {
		t.Errorf("registered: %q\nmembers: %q", got, want)
	}
}

// TestDiscoveryEnds: a member that waits for others, or for a service that isn't
// there, ends when it is told to; what it has registered counts when it is back.
func TestDiscoveryEnds(t *testing.T) {
	service := newCluster(t, 1)
	ctx := within(t, 30*time.Second)
	if _, err := service.client().Put(ctx, "/_etcd/registry/t/_config/size", "2"); err != nil {
		t.Fatal(err)
	}
	for _, endpoints := range []string{service.configs[0].AdvertiseClientURLs, freeURL(t)} {
		var log syncBuffer
		starting, cancel := context.WithCancel(ctx)
		c := seekers(t, 1, func(c *Config) {
			c.Discovery.Token, c.Discovery.Endpoints, c.Discovery.RequestTimeout, c.Starting = "t", endpoints, 200*time.Millisecond, starting
			c.Logger = NewLogger(&log, slog.LevelInfo)
		})
		go func() {
			for ctx.Err() == nil && !strings.Contains(log.String(), "waiting for peers") && !strings.Contains(log.String(), "retry connecting") {
				time.Sleep(5 * time.Millisecond)
			}
			cancel()
		}()
		if errs := c.startAll(); !errors.Is(errs[0], context.Canceled) {
			t.Errorf("%s: %v\n%s", endpoints, errs[0], log.String())
		}
	}
	keys, err := service.client().Get(ctx, "/_etcd/registry/t/members/", clientv3.WithPrefix())
	if err != nil || len(keys.Kvs) != 1 {
		t.Errorf("registered: %v, %v", keys, err)
	}
}

// TestDiscoveryLogin: a service that knows its users ends the start of a stranger,
// of one with a wrong password, and of one who may not read there.
func TestDiscoveryLogin(t *testing.T) {
	service := newCluster(t, 1, func(c *Config) { c.BcryptCost = 4 })
	kv, ctx := service.client(), within(t, 30*time.Second)
	for _, do := range []func() error{
		func() error { _, err := kv.Put(ctx, "/_etcd/registry/t/_config/size", "1"); return err },
		func() error { _, err := kv.UserAdd(ctx, "root", "pw"); return err },
		func() error { _, err := kv.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := kv.UserAdd(ctx, "u", "pw"); return err },
		func() error { _, err := kv.AuthEnable(ctx); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ user, password, want string }{
		{"", "", "user name is empty"},
		{"u", "no", "authentication failed, invalid user ID or password"},
		{"u", "pw", "permission denied"},
		{"root:pw", "", ""},
	} {
		c := seekers(t, 1, func(c *Config) {
			c.Discovery.Token, c.Discovery.Endpoints, c.Starting = "t", service.configs[0].AdvertiseClientURLs, ctx
			c.Discovery.User, c.Discovery.Password = tt.user, tt.password
		})
		err := c.startAll()[0]
		if err == nil {
			c.ready(0)
			t.Cleanup(c.stop)
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q, %q: %v, want %q", tt.user, tt.password, err, tt.want)
		}
	}
}

// TestDiscoveryRefused: flags that contradict each other, or the registry.
func TestDiscoveryRefused(t *testing.T) {
	service := newCluster(t, 1)
	kv, ctx := service.client(), within(t, 30*time.Second)
	for key, value := range map[string]string{"bad/_config/size": "none", "same/_config/size": "2", "same/members/1": "s1=http://127.0.0.1:1"} {
		if _, err := kv.Put(ctx, "/_etcd/registry/"+key, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		token string
		edit  func(*Config)
		want  string
	}{
		{"bad", func(*Config) {}, "failed to join discovery cluster (discovery: size key is bad"},
		{"same", func(*Config) {}, `two members have the same name: 1 and`},
		{"bad", func(c *Config) { c.InitialClusterState = "existing" }, "discovery URL should not be set when joining existing initial cluster"},
		{"", func(*Config) {}, "both --discovery-token and --discovery-endpoints must be set"},
		{"bad", func(c *Config) { c.InitialCluster = "s1=" + c.InitialAdvertisePeerURLs }, `Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"`},
		{"bad", func(c *Config) { c.DiscoverySRV = "example.com" }, `Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"`},
	} {
		c := seekers(t, 1, func(c *Config) {
			c.Discovery.Token, c.Discovery.Endpoints, c.Starting = tt.token, service.configs[0].AdvertiseClientURLs, ctx
			tt.edit(c)
		})
		if errs := c.startAll(); errs[0] == nil || !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.token, errs[0], tt.want)
		}
	}
}
