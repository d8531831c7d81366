package server

import (
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestNewCompactor(t *testing.T) {
	for _, tt := range []struct {
		mode, retention string
		look, pause     time.Duration // 0: no compactor
		err             string
	}{
		{"periodic", "0", 0, 0, ""},
		{"revision", "0", 0, 0, ""},
		{"periodic", "0s", 0, 0, ""},
		{"periodic", "1", 6 * time.Minute, time.Hour, ""},
		{"periodic", "72h", 6 * time.Minute, time.Hour, ""},
		{"periodic", "10m", time.Minute, 10 * time.Minute, ""},
		{"revision", "1000", 5 * time.Minute, 5 * time.Minute, ""},
		{"periodic", "soon", 0, 0, "error parsing CompactionRetention"},
		{"periodic", "-1h", 0, 0, "must not be negative"},
		{"", "1", 0, 0, "--auto-compaction-mode"},
	} {
		c, err := newCompactor(tt.mode, tt.retention, time.Now())
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s %s: %v, want %q", tt.mode, tt.retention, err, tt.err)
		}
		if (c != nil) != (tt.look > 0) || c != nil && (c.look != tt.look || c.pause != tt.pause) {
			t.Errorf("%s %s: %+v", tt.mode, tt.retention, c)
		}
	}
}

// By number: so many revisions stay, and nothing is asked twice.
func TestCompactByRevision(t *testing.T) {
	now := time.Now()
	c, err := newCompactor("revision", "100", now)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		revision, at int64
		due          bool
	}{{50, -50, false}, {100, 0, false}, {150, 50, true}, {150, 50, false}, {151, 51, true}} {
		at, due := c.due(now, tt.revision)
		if at != tt.at || due != tt.due {
			t.Errorf("at revision %d: %d, %t", tt.revision, at, due)
		}
		if due {
			c.done(now, at)
		}
	}
}

// By age: what was the newest revision a period ago; once an hour if the period
// is longer; again at the next look if it failed.
func TestCompactByAge(t *testing.T) {
	start := time.Now()
	c, err := newCompactor("periodic", "2h", start)
	if err != nil {
		t.Fatal(err)
	}
	var compacted []int64
	fail := true
	for minute := 6; minute <= 6*60; minute += 6 {
		now := start.Add(time.Duration(minute) * time.Minute)
		at, due := c.due(now, int64(minute)) // one revision a minute
		if !due {
			continue
		}
		if at != int64(minute)-120 {
			t.Errorf("in minute %d: %d, want what was new two hours before", minute, at)
		}
		if fail = !fail; fail {
			continue
		}
		compacted = append(compacted, at)
		c.done(now, at)
	}
	if len(compacted) < 3 || compacted[0] > 18 || compacted[1]-compacted[0] < 60 || compacted[1]-compacted[0] > 72 {
		t.Errorf("compacted at %v", compacted)
	}
}

// The leader compacts by itself, the others follow.
func TestAutoCompaction(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.AutoCompactionRetention = "500ms" })
	ctx := within(t, 30*time.Second)
	client := c.client()
	for range 20 {
		if _, err := client.Put(ctx, "k", "v"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool {
		for _, s := range c.members {
			if s.Status().Compact < 20 {
				return false
			}
		}
		return true
	})
	if _, err := client.Get(ctx, "k", clientv3.WithRev(10)); err == nil {
		t.Error("revision 10 can still be read")
	}
}
