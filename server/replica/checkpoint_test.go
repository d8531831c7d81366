package replica

import (
	"math"
	"testing"

	"github.com/holdfast-db/holdfast/server/state"
)

// What a new leader gives a lease: with checkpoints what remained of it at the
// last one, without them, or for a short lease, all of its TTL.
func TestCheckpoints(t *testing.T) {
	for _, tt := range []struct {
		every, ttl  int64 // seconds
		least, most int64 // what remains under the new leader
	}{
		{0, 100, 99, 102},
		{5, 100, 60, 72}, // 40 s have passed, a checkpoint is at most 5 s old; an election timeout is added
		{200, 100, 99, 102},
	} {
		c := newCluster(t, 3, func(cfg *Config) { cfg.CheckpointTicks = int(tt.every * 10) })
		l := c.leader()
		grant(c, l, -7, tt.ttl)
		grant(c, l, 9, tt.ttl)
		c.tick(400)
		l.crash()
		next := c.leader()
		for _, id := range []int64{-7, 9} {
			r := next.ask(&Request{Kind: TimeToLive, Lease: id})
			if r.Err != nil || r.TTL < tt.least || r.TTL > tt.most || r.GrantedTTL != tt.ttl {
				t.Errorf("every %d s: lease %d: %+v, want %d to %d", tt.every, id, r, tt.least, tt.most)
			}
		}
		c.checkEqual()
	}
}

// A lease that is renewed keeps its promise under the next leader, once the
// checkpoint was taken back; the asker is told to do that, on a follower too.
func TestRenewedAfterCheckpoint(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.CheckpointTicks = 50 })
	l, f := c.leader(), c.follower()
	grant(c, l, 7, 100)
	c.tick(400)
	for _, m := range []*member{l, f} {
		if r := m.ask(&Request{Kind: KeepAlive, Lease: 7}); r.Err != nil || r.TTL != 100 || r.GrantedTTL != 0 {
			t.Errorf("member %d: %+v", m.id, r)
		}
	}
	taken := write(&state.LeaseCheckpointRequest{Checkpoints: []state.LeaseCheckpoint{{ID: 7}}})
	if r := f.ask(taken); r.Err != nil || r.Result.Err != nil {
		t.Fatalf("%+v", r)
	}
	if r := f.ask(&Request{Kind: KeepAlive, Lease: 7}); r.Err != nil || r.TTL != 100 || r.GrantedTTL != 100 {
		t.Errorf("afterwards: %+v", r)
	}
	l.crash()
	if r := c.leader().ask(&Request{Kind: TimeToLive, Lease: 7}); r.TTL < 99 {
		t.Errorf("under the next leader: %+v", r)
	}
}

// Many leases take many ticks, and each gets its turn.
func TestCheckpointsOfMany(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.CheckpointTicks = 50 })
	l := c.leader()
	const leases = 2*checkpointsPerTick + 5
	for i := range leases {
		grant(c, l, int64(i-100)*1000+1, 1000)
	}
	c.tick(200)
	without := 0
	l.r.Apply.state.AscendLeasesFrom(math.MinInt64, func(lease state.Lease) bool {
		if lease.Remaining == 0 || lease.Remaining >= 1000 {
			without++
		}
		return true
	})
	if without > 0 {
		t.Errorf("%d of %d have no checkpoint", without, leases)
	}
}

// A checkpoint that is on its way when a lease is renewed ends nothing: the asker
// is told to take it back, and what was counted before is void then.
func TestRenewedWhileCheckpointIsOnItsWay(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.CheckpointTicks = 50 })
	l := c.leader()
	grant(c, l, 7, 100)
	c.tick(20)
	counted := l.r.Apply.state.AppliedIndex()
	l.r.Apply.lessor.deadline[7].checkpoint = true // proposed, as checkpointLeases does
	if r := l.ask(&Request{Kind: KeepAlive, Lease: 7}); r.Err != nil || r.TTL != 100 || r.GrantedTTL != 0 {
		t.Errorf("%+v", r)
	}
	taken := write(&state.LeaseCheckpointRequest{Checkpoints: []state.LeaseCheckpoint{{ID: 7}}})
	if r := l.ask(taken); r.Err != nil || r.Result.Err != nil {
		t.Fatalf("%+v", r)
	}
	late := write(&state.LeaseCheckpointRequest{AsOf: counted, Checkpoints: []state.LeaseCheckpoint{{ID: 7, Remaining: 1}}})
	if r := l.ask(late); r.Err != nil || r.Result.Err != nil {
		t.Fatalf("%+v", r)
	}
	if r := l.ask(&Request{Kind: KeepAlive, Lease: 7}); r.Err != nil || r.TTL != 100 || r.GrantedTTL != 100 {
		t.Errorf("afterwards: %+v", r)
	}
	l.crash()
	if r := c.leader().ask(&Request{Kind: TimeToLive, Lease: 7}); r.TTL < 99 {
		t.Errorf("under the next leader: %+v", r)
	}
}
