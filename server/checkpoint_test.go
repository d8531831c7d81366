package server

import (
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// With the feature on, what a lease has lost stays lost when the leader changes;
// one that was renewed has its time.
func TestLeaseCheckpoints(t *testing.T) {
	for _, gate := range []bool{false, true} {
		c := newCluster(t, 3, func(cfg *Config) {
			cfg.leaseCheckpoints = 200 * time.Millisecond
			if gate {
				cfg.FeatureGates = "LeaseCheckpoint=true,LeaseCheckpointPersist=true"
			}
		})
		cli := c.client()
		ctx := within(t, 60*time.Second)
		lost, err := cli.Grant(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		renewed, err := cli.Grant(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if r, err := cli.KeepAliveOnce(ctx, renewed.ID); err != nil || r.TTL != 100 {
			t.Fatalf("%v, %v", r, err)
		}
		leader := c.leader()
		if err := c.members[leader].Stop(); err != nil {
			t.Fatal(err)
		}
		rest := c.client((leader+1)%3, (leader+2)%3)
		ttl := func(id clientv3.LeaseID) int64 {
			r, err := rest.TimeToLive(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return r.TTL
		}
		if got := ttl(lost.ID); got < 90 || gate && got > 98 || !gate && got < 99 { // an election timeout is added
			t.Errorf("gate %t: %d s", gate, got)
		}
		if got := ttl(renewed.ID); got < 99 {
			t.Errorf("gate %t: renewed: %d s", gate, got)
		}
	}
}
