package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/wal"
)

// TestFailedDisk: when the disk fails to sync the member stops by itself and
// says why; after a repair everything acknowledged is there.
func TestFailedDisk(t *testing.T) {
	mem := disk.NewMem()
	var broken atomic.Bool
	mem.SetInjector(func(op disk.Op) disk.Fault {
		if op.Kind == disk.OpSync && broken.Load() {
			return disk.Fault{Err: disk.ErrIO}
		}
		return disk.Fault{}
	})
	c := newCluster(t, 1, func(cfg *Config) { cfg.fs, cfg.DataDir = mem, "data" })
	cli := c.client()
	ctx := within(t, 20*time.Second)
	acknowledged := 0
	for i := range 100 {
		broken.Store(i == 50)
		if _, err := cli.Put(ctx, fmt.Sprintf("k%03d", i), "v"); err != nil {
			break
		}
		acknowledged++
	}
	if acknowledged != 50 {
		t.Errorf("%d puts were acknowledged, the disk failed at the 51st", acknowledged)
	}
	select {
	case <-c.members[0].Stopped():
	case <-time.After(5 * time.Second):
		t.Fatal("the member goes on with a failed disk")
	}
	if err := c.members[0].Err(); !errors.Is(err, wal.ErrFailed) || !errors.Is(err, disk.ErrIO) {
		t.Errorf("the member ended with %v", err)
	}
	broken.Store(false)
	c.start(0)
	c.ready(0)
	for i := range acknowledged {
		got, err := c.client().Get(ctx, fmt.Sprintf("k%03d", i))
		if err != nil || len(got.Kvs) != 1 {
			t.Fatalf("acknowledged put %d after the restart: %v, %v", i, got, err)
		}
	}
}

// TestPowerLossDisk: a member on a disk that keeps in memory what was not synced serves, and its next life, which
// finds only what was synced, has everything acknowledged.
func TestPowerLossDisk(t *testing.T) {
	mem := disk.NewMem()
	c := newCluster(t, 1, func(cfg *Config) { cfg.fs, cfg.DataDir, cfg.TestDisk = mem, "data", "powerloss" })
	ctx := within(t, 20*time.Second)
	for i := range 20 {
		if _, err := c.client().Put(ctx, fmt.Sprintf("k%03d", i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	left := mem.Crash(rand.New(rand.NewPCG(1, 1)), disk.CrashOptions{DropAll: true})
	other := newCluster(t, 1, func(cfg *Config) { cfg.fs, cfg.DataDir, cfg.TestDisk = left, "data", "powerloss" })
	got, err := other.client().Get(ctx, "k", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || got.Count != 20 {
		t.Fatalf("after a power loss: %v, %v", got, err)
	}
}
