package server

import (
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// The alarm goes after two looks in a row below the limit, and only if it is there.
func TestDisarmer(t *testing.T) {
	s := &settings{Config: Config{QuotaBytes: 1000, NoSpaceDisarmPercent: 80}}
	d := s.newDisarmer()
	for i, tt := range []struct {
		raised bool
		bytes  int64
		disarm bool
	}{
		{false, 0, false}, {false, 0, false}, // no alarm
		{true, 999, false}, {true, 800, false}, {true, 799, false}, {true, 800, false}, // full again
		{true, 799, false}, {true, 0, true}, {true, 0, true}, // it wasn't possible: again
		{false, 0, false}, {true, 0, false}, {true, 0, true}, // a new one
	} {
		if got := d.look(tt.raised, tt.bytes); got != tt.disarm {
			t.Errorf("look %d: %t", i, got)
		}
	}
	for _, s := range []*settings{{Config: Config{QuotaBytes: 1000}}, {Config: Config{QuotaBytes: -1, NoSpaceDisarmPercent: 80}}} {
		if s.newDisarmer() != nil {
			t.Errorf("%+v", s.Config)
		}
	}
	if huge := (&settings{Config: Config{QuotaBytes: 1<<63 - 1, NoSpaceDisarmPercent: 95}}).newDisarmer(); huge.below <= 0 {
		t.Errorf("overflow: %d", huge.below)
	}
}

// Over the quota the alarm is raised; when compaction has made room it goes by
// itself, but not the one of a member that isn't this one.
func TestNoSpaceGoesByItself(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.QuotaBytes, cfg.NoSpaceDisarmPercent = 53248, 50 })
	cli := c.client()
	ctx := within(t, 30*time.Second)
	fill(t, cli, "k", 4096)
	member := c.members[0].MemberID()
	if alarms, err := cli.AlarmList(ctx); err != nil || len(alarms.Alarms) != 1 || alarms.Alarms[0].MemberID != member {
		t.Fatalf("%v, %v", alarms, err)
	}
	time.Sleep(2500 * time.Millisecond) // still full
	if _, err := cli.Put(ctx, "k", "v"); err != rpctypes.ErrNoSpace {
		t.Fatalf("while it is full: %v", err)
	}
	got, err := cli.Get(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cli.Compact(ctx, got.Header.Revision); err != nil {
		t.Fatal(err)
	}
	for _, err = cli.Put(ctx, "k", "v"); err == rpctypes.ErrNoSpace; _, err = cli.Put(ctx, "k", "v") {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
}

// fill puts until there is no space.
func fill(t *testing.T, cli *clientv3.Client, key string, bytes int) {
	t.Helper()
	value := strings.Repeat("v", bytes)
	for range 1000 {
		if _, err := cli.Put(within(t, 10*time.Second), key, value); err == rpctypes.ErrNoSpace {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("never full")
}
