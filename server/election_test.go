package server

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestElectionFlags: three members elect with and without pre-votes; without the
// advance nobody campaigns before a whole election timeout.
func TestElectionFlags(t *testing.T) {
	for _, asks := range []bool{true, false} {
		var log syncBuffer
		began := time.Now()
		newCluster(t, 3, func(c *Config) {
			c.PreVote, c.ElectionTickAdvance, c.ElectionMS = asks, false, 1500
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		if took := time.Since(began); took < 1500*time.Millisecond {
			t.Errorf("pre-vote %t: ready after %v", asks, took)
		}
		if strings.Count(log.String(), "raft: became candidate") == 0 || (strings.Count(log.String(), "raft: became pre-candidate") > 0) != asks {
			t.Errorf("pre-vote %t: %d pre-candidates, %d candidates", asks,
				strings.Count(log.String(), "raft: became pre-candidate"), strings.Count(log.String(), "raft: became candidate"))
		}
	}
}

// TestRaftTimeouts: what is below etcd's smallest is raised, and said; a snapshot's
// link never has less than the others.
func TestRaftTimeouts(t *testing.T) {
	for _, tt := range []struct{ read, write, wantRead, wantWrite, snapshot time.Duration }{
		{0, time.Second, 5 * time.Second, 5 * time.Second, 30 * time.Second},
		{6 * time.Second, 5 * time.Second, 6 * time.Second, 5 * time.Second, 30 * time.Second},
		{time.Minute, 7 * time.Second, time.Minute, 7 * time.Second, time.Minute},
	} {
		var log syncBuffer
		c := newCluster(t, 1, func(c *Config) {
			c.RaftReadTimeout, c.RaftWriteTimeout = tt.read, tt.write
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		got := c.members[0].networkConfig()
		if got.ReadTimeout != tt.wantRead || got.WriteTimeout != tt.wantWrite || got.SnapshotTimeout != tt.snapshot {
			t.Errorf("%v and %v become %v and %v, of snapshots %v", tt.read, tt.write, got.ReadTimeout, got.WriteTimeout, got.SnapshotTimeout)
		}
		for name, raised := range map[string]bool{"read": tt.read < tt.wantRead, "write": tt.write < tt.wantWrite} {
			if said := strings.Count(log.String(), "raft-"+name+"-timeout increased to minimum value: 5s") == 1; said != raised {
				t.Errorf("%v and %v: the log tells that the %s timeout is raised: %t", tt.read, tt.write, name, said)
			}
		}
	}
}
