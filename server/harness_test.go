package server

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/holdfast-db/holdfast/internal/proc"
	"github.com/holdfast-db/holdfast/raft"
)

// cluster is a number of members in this process, on loopback.
type cluster struct {
	t       testing.TB
	configs []Config
	members []*Server
}

// newCluster starts n members and waits until all serve.
func newCluster(t testing.TB, n int, edit ...func(*Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, configs: make([]Config, n), members: make([]*Server, n)}
	var initial []string
	for i := range c.configs {
		peer, client := freeURL(t), freeURL(t)
		cfg := DefaultConfig()
		cfg.Name = fmt.Sprintf("n%d", i+1)
		cfg.DataDir = filepath.Join(t.TempDir(), cfg.Name)
		cfg.ListenClientURLs, cfg.AdvertiseClientURLs = client, client
		cfg.ListenPeerURLs, cfg.InitialAdvertisePeerURLs = peer, peer
		cfg.Logger = slog.New(slog.DiscardHandler)
		for _, f := range edit {
			f(&cfg)
		}
		c.configs[i] = cfg
		initial = append(initial, cfg.Name+"="+cfg.InitialAdvertisePeerURLs)
	}
	for i := range c.configs {
		c.configs[i].InitialCluster = strings.Join(initial, ",")
		c.start(i)
	}
	for i := range c.members {
		c.ready(i)
	}
	t.Cleanup(c.stop)
	return c
}

func (c *cluster) start(i int) {
	c.t.Helper()
	s, err := Start(c.configs[i])
	if err != nil {
		c.t.Fatal(err)
	}
	c.members[i] = s
}

func (c *cluster) ready(i int) {
	c.t.Helper()
	select {
	case <-c.members[i].Ready():
	case <-c.members[i].Stopped():
		c.t.Fatalf("member %d ended: %v", i, c.members[i].Err())
	case <-time.After(20 * time.Second):
		c.t.Fatalf("member %d is not ready: %+v", i, c.members[i].Status())
	}
}

func (c *cluster) stop() {
	for i, s := range c.members {
		if err := s.Stop(); err != nil {
			c.t.Errorf("member %d: %v", i, err)
		}
	}
}

// leader returns the index of the member that leads.
func (c *cluster) leader() int {
	c.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for i, s := range c.members {
			if s.Status().Raft.Role == raft.Leader {
				return i
			}
		}
	}
	c.t.Fatal("no leader")
	return -1
}

// client connects to some members, all by default.
func (c *cluster) client(members ...int) *clientv3.Client {
	c.t.Helper()
	var endpoints []string
	for i, cfg := range c.configs {
		for _, m := range members {
			if m == i {
				endpoints = append(endpoints, cfg.AdvertiseClientURLs)
			}
		}
		if len(members) == 0 {
			endpoints = append(endpoints, cfg.AdvertiseClientURLs)
		}
	}
	cli, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { cli.Close() })
	return cli
}

func freeURL(t testing.TB) string {
	t.Helper()
	port, err := proc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// within is a context for one test step.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
