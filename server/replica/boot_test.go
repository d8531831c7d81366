package replica

import (
	"math/rand/v2"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

// campaignsAfter starts member 1 of five with a seed, tells it whom it reaches,
// and counts the ticks until it campaigns. The others are down.
func campaignsAfter(t *testing.T, seed uint64, short bool, reached []raft.NodeID) int {
	c := newCluster(t, 5, func(cfg *Config) {
		cfg.ShortFirstWait, cfg.Rand = short, rand.New(rand.NewPCG(seed, 1))
	})
	for _, m := range c.nodes[1:] {
		m.crash()
	}
	n := c.node(1)
	for _, id := range reached {
		n.queue = append(n.queue, PeerConnectedEvent{Peer: id})
	}
	for ticks := range 50 {
		if n.r.Core.node.Role() != raft.Follower {
			return ticks
		}
		c.tick(1)
	}
	t.Fatal("no campaign within 50 ticks")
	return 0
}

// TestFirstWait: the election timeout is ten ticks and its random part, up to
// twenty. Once three of five can elect somebody, two heartbeats of one tick are
// left of the ten.
func TestFirstWait(t *testing.T) {
	for name, tt := range map[string]struct {
		short   bool
		reached []raft.NodeID
		least   int
	}{
		"nobody":              {true, nil, 10},
		"one of four":         {true, []raft.NodeID{2}, 10},
		"the same one again":  {true, []raft.NodeID{2, 2, 2}, 10},
		"strangers":           {true, []raft.NodeID{1, 2, 9}, 10},
		"two of four":         {true, []raft.NodeID{2, 5}, 2},
		"all":                 {true, []raft.NodeID{2, 3, 4, 5}, 2},
		"all, but not wanted": {false, []raft.NodeID{2, 3, 4, 5}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[int]bool{}
			for seed := range uint64(100) {
				seen[campaignsAfter(t, seed, tt.short, tt.reached)] = true
			}
			for ticks := range seen {
				if ticks < tt.least || ticks >= tt.least+10 {
					t.Errorf("a campaign after %d ticks", ticks)
				}
			}
			if len(seen) < 8 {
				t.Errorf("the random part is gone: only %v in 100 starts", seen)
			}
		})
	}
}

// TestFirstWaitOnce: a member that has heard of a leader keeps to him for all of
// the election timeout, also if it is only then that it reaches the others.
func TestFirstWaitOnce(t *testing.T) {
	c := newCluster(t, 3, nil)
	leader, follower := c.leader(), c.follower()
	leader.crash()
	c.tick(1)
	for _, m := range c.nodes {
		follower.queue = append(follower.queue, PeerConnectedEvent{Peer: m.id})
	}
	c.tick(5)
	if got := follower.r.Core.node.Leader(); got != leader.id {
		t.Errorf("follows %d, want %d until the election timeout ends", got, leader.id)
	}
}

// TestLoneVoterNeverWaits, with the first wait shortened or not.
func TestLoneVoterNeverWaits(t *testing.T) {
	for _, short := range []bool{true, false} {
		c := newCluster(t, 1, func(cfg *Config) { cfg.ShortFirstWait = short })
		c.tick(1)
		if c.node(1).r.Core.node.Role() != raft.Leader {
			t.Errorf("short %t: a lone voter doesn't lead at its first tick", short)
		}
	}
}
