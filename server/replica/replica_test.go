package replica

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/transport"
	"github.com/holdfast-db/holdfast/wal"
)

func TestSingleMember(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.tick(1)
	if got := c.leader(); got.id != 1 {
		t.Fatal("no leader at once")
	}
	n := c.node(1)
	n.mustPut("a", "1")
	if got := n.get("a"); got != "1" {
		t.Errorf("a = %q", got)
	}
	n.crash()
	n.start()
	if got := n.get("a"); got != "1" {
		t.Errorf("after restart a = %q", got)
	}
	if boot := n.r.Recovered().Boot; boot != 2 {
		t.Errorf("boot = %d", boot)
	}
}

// Every member takes writes and reads; followers forward.
func TestThreeMembers(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.leader()
	for i, m := range c.nodes {
		key := fmt.Sprintf("k%d", i)
		m.mustPut(key, "v"+key)
		for _, o := range c.nodes {
			if got := o.get(key); got != "v"+key {
				t.Errorf("member %d reads %q", o.id, got)
			}
		}
	}
	c.checkEqual()
}

// Many requests that come together become one entry.
func TestRequestsShareAnEntry(t *testing.T) {
	c := newCluster(t, 1, nil)
	n := c.leader()
	before := n.r.Apply.state.AppliedIndex()
	var rs []*Request
	answered := 0
	for i := range 100 {
		r := write(&mvcc.PutRequest{Key: fmt.Appendf(nil, "k%d", i), Value: []byte("v")})
		r.Done = func(r Reply) {
			if r.Err != nil || r.Result.Err != nil {
				t.Errorf("%v %v", r.Err, r.Result)
			}
			answered++
		}
		rs = append(rs, r)
	}
	n.queue = append(n.queue, SubmitEvent{Requests: rs})
	c.settle()
	if answered != 100 || n.r.Apply.state.AppliedIndex() != before+1 {
		t.Errorf("%d answered in %d entries", answered, n.r.Apply.state.AppliedIndex()-before)
	}
}

// A frame that the network delivers three times is applied once.
func TestDuplicatedForward(t *testing.T) {
	c := newCluster(t, 3, nil)
	f := c.follower()
	c.deliver = func(_, _ raft.NodeID, f transport.Frame) int {
		if f.Kind == transport.KindForward {
			return 3
		}
		return 1
	}
	f.mustPut("a", "1")
	got, err := f.ask(&Request{Kind: Read}).View.KV.Range(&mvcc.RangeRequest{Key: []byte("a")})
	if err != nil || got.KVs[0].Version != 1 {
		t.Errorf("version %d, %v", got.KVs[0].Version, err)
	}
	c.checkEqual()
}

// A forward that is lost is ambiguous: told as a timeout, never sent again.
func TestLostForward(t *testing.T) {
	c := newCluster(t, 3, nil)
	f := c.follower()
	sent := 0
	c.deliver = func(_, _ raft.NodeID, f transport.Frame) int {
		if f.Kind == transport.KindForward {
			sent++
			return 0
		}
		return 1
	}
	if r := f.put("a", "1"); r.Err != ErrTimeout || sent != 1 {
		t.Errorf("%v after %d sends", r.Err, sent)
	}
}

// A member that no longer leads says so, and the request goes to the one that
// does.
func TestForwardToFormerLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	f := c.follower()
	held := []Event{}
	c.deliver = func(from, _ raft.NodeID, fr transport.Frame) int {
		if fr.Kind == transport.KindForward {
			held = append(held, c.decode(from, fr))
			return 0
		}
		return 1
	}
	old := c.leader()
	reply := f.start1(write(&mvcc.PutRequest{Key: []byte("a"), Value: []byte("1")}))
	c.deliver = nil
	if r := old.ask(&Request{Kind: TransferLeader, Member: f.id}); r.Err != nil {
		t.Fatal(r.Err)
	}
	old.queue = append(old.queue, held...)
	c.settle()
	if *reply == nil || (*reply).Err != nil {
		t.Fatalf("reply %v", *reply)
	}
	if got := old.get("a"); got != "1" {
		t.Errorf("a = %q", got)
	}
	c.checkEqual()
}

// Without a leader a write waits, and is done when there is one.
func TestWriteWaitsForLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	reply := c.node(2).start1(write(&mvcc.PutRequest{Key: []byte("a"), Value: []byte("1")}))
	if *reply != nil {
		t.Fatal("answered without a leader")
	}
	c.leader()
	c.tick(2)
	if *reply == nil || (*reply).Err != nil {
		t.Fatalf("reply %+v", *reply)
	}
}

func TestNoQuorum(t *testing.T) {
	c := newCluster(t, 3, nil)
	l := c.leader()
	for _, m := range c.nodes {
		if m != l {
			m.crash()
		}
	}
	if r := l.ask(&Request{Kind: Read}); r.Err != ErrLeaderChanged && r.Err != ErrTimeout {
		t.Errorf("read: %v", r.Err)
	}
	if r := l.put("a", "1"); r.Err != ErrTimeout && r.Err != ErrTimeoutLeaderFailed {
		t.Errorf("put: %v", r.Err)
	}
}

// All crash at once, again and again; nothing acknowledged is lost.
func TestRestartAll(t *testing.T) {
	c := newCluster(t, 3, nil)
	for round := range 5 {
		key := fmt.Sprint("k", round)
		c.leader().mustPut(key, key)
		for _, m := range c.nodes {
			m.crash()
		}
		for _, m := range c.nodes {
			m.start()
		}
		for i := range round + 1 {
			key := fmt.Sprint("k", i)
			if got := c.leader().get(key); got != key {
				t.Fatalf("round %d: %s = %q", round, key, got)
			}
		}
	}
	c.checkEqual()
}

// A follower that was away too long gets a snapshot, and serves from it.
func TestSnapshotInstall(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.SnapshotLogBytesMin, cfg.CatchUpEntries = 32<<10, 10
		cfg.TailEntriesMax = 10
	})
	f := c.follower()
	f.mustPut("first", "x")
	f.crash()
	for i := range 300 {
		c.leader().mustPut(fmt.Sprintf("k%03d", i), string(make([]byte, 1000)))
	}
	if first := c.leader().r.Core.node.FirstIndex(); first < 50 {
		t.Fatalf("log still starts at %d", first)
	}
	f.start()
	c.tick(20)
	if f.r.Core.snaps.newest.Last.Index == 0 {
		t.Error("no snapshot installed")
	}
	if got := f.get("first"); got != "x" {
		t.Errorf("first = %q", got)
	}
	c.checkEqual()
	f.crash()
	f.start()
	c.checkEqual()
}

// A snapshot that takes longer to send than the next ones take to write is
// followed by the log, not by another snapshot: what follows it was kept.
func TestSlowSnapshotIsEnough(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.SnapshotLogBytesMin, cfg.CatchUpEntries, cfg.TailEntriesMax = 32<<10, 10, 10
	})
	f, l := c.follower(), c.leader()
	write := func(n int) {
		for range n {
			l.mustPut("k", string(make([]byte, 1000)))
		}
	}
	f.crash()
	write(200)
	var orders []SnapshotOrder
	var arrived []Event // held back
	c.slow = func(m *member, o SnapshotOrder) {
		n := len(f.queue)
		if ok, _ := m.stream(o); !ok {
			t.Fatal("the snapshot can't be streamed")
		}
		arrived = append(arrived, f.queue[n:]...)
		f.queue, orders = f.queue[:n:n], append(orders, o)
	}
	f.start()
	c.tick(5)
	if len(orders) != 1 {
		t.Fatalf("%d snapshots ordered", len(orders))
	}
	before := l.r.Core.snaps.newest.Last.Index
	write(28) // a batch takes 4 KiB: three or four snapshots
	if after := l.r.Core.snaps.newest.Last.Index; after < before+16 {
		t.Fatalf("newest snapshot at %d, was at %d: the test needs newer ones", after, before)
	}
	f.queue = append(f.queue, arrived...)
	l.queue = append(l.queue, SnapshotSentEvent{To: f.id, Last: orders[0].Last, OK: true})
	c.tick(20)
	if len(orders) != 1 {
		t.Errorf("%d snapshots ordered in all", len(orders))
	}
	c.checkEqual()
}

func TestSyncPolicies(t *testing.T) {
	for _, p := range []wal.Policy{{}, {Mode: wal.SyncAlways}, {Mode: wal.SyncInterval, Interval: time.Millisecond}} {
		t.Run(p.String(), func(t *testing.T) {
			c := newCluster(t, 3, func(cfg *Config) { cfg.Sync = p })
			for i := range 10 {
				c.nodes[i%3].mustPut(fmt.Sprint("k", i), "v")
			}
			c.checkEqual()
			for _, m := range c.nodes {
				m.crash()
				m.start()
			}
			for i := range 10 {
				if got := c.nodes[0].get(fmt.Sprint("k", i)); got != "v" {
					t.Errorf("k%d = %q", i, got)
				}
			}
		})
	}
}

func grant(c *cluster, m *member, id, ttl int64) {
	c.t.Helper()
	if r := m.ask(write(&state.LeaseGrantRequest{ID: id, TTL: ttl})); r.Err != nil || r.Result.Err != nil {
		c.t.Fatal(r)
	}
}

// A lease ends with its keys after its TTL, and not before; keep-alives from
// any member hold it up (100 ms a tick: 10 ticks a second).
func TestLeaseLife(t *testing.T) {
	c := newCluster(t, 3, nil)
	l, f := c.leader(), c.follower()
	grant(c, f, 7, 5)
	if r := f.ask(write(&mvcc.PutRequest{Key: []byte("a"), Value: []byte("1"), Lease: 7})); r.Result.Err != nil {
		t.Fatal(r.Result.Err)
	}
	c.tick(40)
	if r := f.ask(&Request{Kind: KeepAlive, Lease: 7}); r.Err != nil || r.TTL != 5 {
		t.Fatalf("keep-alive: %+v", r)
	}
	c.tick(40)
	if got := l.get("a"); got != "1" {
		t.Fatal("gone before its time")
	}
	if r := f.ask(&Request{Kind: TimeToLive, Lease: 7}); r.Err != nil || r.TTL > 1 || r.GrantedTTL != 5 {
		t.Errorf("TTL: %+v", r)
	}
	c.tick(20)
	if got := l.get("a"); got != "" {
		t.Error("still there after its time")
	}
	if r := f.ask(&Request{Kind: KeepAlive, Lease: 7}); r.Err != nil || r.TTL != -1 {
		t.Errorf("keep-alive of a lease that is gone: %+v", r)
	}
	c.checkEqual()
}

// A new leader gives every lease its full time again.
func TestLeaseSurvivesLeaderChange(t *testing.T) {
	c := newCluster(t, 3, nil)
	l := c.leader()
	grant(c, l, 7, 5)
	if r := l.ask(write(&mvcc.PutRequest{Key: []byte("a"), Value: []byte("1"), Lease: 7})); r.Result.Err != nil {
		t.Fatal(r.Result.Err)
	}
	c.tick(40)
	l.crash()
	next := c.leader()
	c.tick(45)
	if got := next.get("a"); got != "1" {
		t.Error("revoked before the full TTL under the new leader")
	}
	c.tick(30)
	if got := next.get("a"); got != "" {
		t.Error("never revoked")
	}
}

type watchSink struct{ got []mvcc.WatchResponse }

func (m *member) watch(req mvcc.WatchRequest) *watchSink {
	s := &watchSink{}
	m.c.streams++
	id := m.c.streams
	m.queue = append(m.queue,
		WatchOpenEvent{Stream: id, Sink: func(r []mvcc.WatchResponse) { s.got = append(s.got, r...) }},
		WatchGrantEvent{Stream: id, Credit: mvcc.Credit{Responses: 1 << 20, Bytes: 1 << 40}},
		WatchCreateEvent{Stream: id, Request: req})
	m.c.settle()
	return s
}

func (s *watchSink) events() (keys []string) {
	for _, r := range s.got {
		for _, e := range r.Events {
			keys = append(keys, fmt.Sprintf("%s@%d", e.KV.Key, e.KV.ModRevision))
		}
	}
	return keys
}

// Watchers see past and live events once and in order, on every member, and
// through a snapshot that is installed under them.
func TestWatch(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotLogBytesMin, cfg.CatchUpEntries = 16<<10, 5 })
	f := c.follower()
	var want []string
	put := func(i int) {
		key := fmt.Sprintf("k%03d", i)
		c.leader().mustPut(key, string(make([]byte, 500)))
		want = append(want, fmt.Sprintf("%s@%d", key, i+2))
	}
	for i := range 10 {
		put(i)
	}
	c.tick(2)
	sink := f.watch(mvcc.WatchRequest{Key: []byte("k"), End: []byte("l"), StartRevision: 1, ID: mvcc.AutoWatchID})
	for i := 10; i < 20; i++ {
		put(i)
	}
	c.deliver = func(from, to raft.NodeID, _ transport.Frame) int {
		if from == f.id || to == f.id {
			return 0
		}
		return 1
	}
	for i := 20; i < 120; i++ {
		put(i)
	}
	c.deliver = nil
	c.tick(40)
	if f.r.Core.snaps.newest.Last.Index == 0 {
		t.Error("no snapshot was installed")
	}
	if got := sink.events(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// Membership: a learner joins, catches up, is promoted; a member leaves.
func TestReconfigure(t *testing.T) {
	c := newCluster(t, 3, nil)
	l := c.leader()
	l.mustPut("a", "1")
	gone := c.follower()
	r := l.ask(&Request{Kind: Reconfigure, Change: &raft.ConfigChange{Remove: []raft.NodeID{gone.id}}})
	if r.Err != nil || len(r.Result.Members) != 2 {
		t.Fatalf("remove: %+v", r)
	}
	gone.crash()
	l.mustPut("b", "2")
	back := raft.Member{ID: gone.id, Voter: false, Address: "http://again"}
	if r := l.ask(&Request{Kind: Reconfigure, Change: &raft.ConfigChange{Set: []raft.Member{back}}}); r.Err != nil || len(r.Result.Members) != 3 {
		t.Fatalf("add: %+v", r)
	}
}

func TestOverload(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.PendingMax = 10 })
	l := c.leader()
	c.deliver = func(raft.NodeID, raft.NodeID, transport.Frame) int { return 0 }
	refused := 0
	for range 20 {
		if r := l.start1(write(&mvcc.PutRequest{Key: []byte("a")})); *r != nil && (*r).Err == ErrTooManyRequests {
			refused++
		}
	}
	if refused < 10 || refused > 11 {
		t.Errorf("%d of 20 refused", refused)
	}
	c.deliver = nil
	c.tick(100) // the others time out or are applied
	c.leader().mustPut("b", "2")
}

// While the apply actor is behind, the end of a lease passes others, if it is to,
// up to twice the gap; on the leader and from a follower alike.
func TestRevocationsPass(t *testing.T) {
	for _, priority := range []bool{false, true} {
		c := newCluster(t, 3, func(cfg *Config) { cfg.ApplyGapMax, cfg.PriorityRevoke = 100, priority })
		core := c.leader().r.Core
		for range 300 {
			c.leader().mustPut("a", "1")
		}
		put := write(&mvcc.PutRequest{Key: []byte("a")})
		revoke := write(&state.LeaseRevokeRequest{ID: 1})
		for _, tt := range []struct {
			gap         raft.Index
			put, revoke bool
		}{{100, true, true}, {101, false, priority}, {200, false, priority}, {201, false, false}} {
			core.applied = core.node.Commit() - tt.gap
			if got := core.admit(put) == nil; got != tt.put || got != (core.admitForeign(Write, put.Body) == answerOK) {
				t.Errorf("priority %t, gap %d: put admitted: %t", priority, tt.gap, got)
			}
			if got := core.admit(revoke) == nil; got != tt.revoke || got != (core.admitForeign(Write, revoke.Body) == answerOK) {
				t.Errorf("priority %t, gap %d: revocation admitted: %t", priority, tt.gap, got)
			}
			if core.admit(&Request{Kind: Read}) == nil != tt.put {
				t.Errorf("priority %t, gap %d: read", priority, tt.gap)
			}
		}
		core.applied = core.node.Commit()
	}
}

// Questions to a leader that doesn't answer count too.
func TestOverloadOfQuestions(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.PendingMax = 10 })
	f := c.follower()
	c.deliver = func(raft.NodeID, raft.NodeID, transport.Frame) int { return 0 }
	for _, kind := range []RequestKind{KeepAlive, TimeToLive, Read} {
		refused := 0
		for range 20 {
			if r := f.start1(&Request{Kind: kind, Lease: 1}); *r != nil && (*r).Err == ErrTooManyRequests {
				refused++
			}
		}
		if refused < 10 {
			t.Errorf("kind %d: %d of 20 refused", kind, refused)
		}
	}
}

// damage flips a bit in the middle of a file.
func (m *member) damage(name string) {
	m.c.t.Helper()
	f, err := m.fs.Open(name)
	if err != nil {
		m.c.t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	b := make([]byte, 1)
	if _, readErr := f.ReadAt(b, size/2); readErr != nil || err != nil {
		m.c.t.Fatal(err, readErr)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, size/2); err != nil {
		m.c.t.Fatal(err)
	}
}

// If the newest snapshot is damaged the one before it will do, with the log
// that follows it; life goes on from there, further snapshots included.
func TestDamagedSnapshot(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.SnapshotLogBytesMin, cfg.CatchUpEntries = 32<<10, 5 })
	m := c.leader()
	value := string(make([]byte, 1000))
	put := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			m.mustPut(fmt.Sprintf("k%03d", i), value)
		}
	}
	put(0, 100)
	for round := range 3 {
		infos, err := m.r.dir.List()
		if err != nil || len(infos) < 2 {
			t.Fatalf("snapshots %v, %v", infos, err)
		}
		newest := infos[len(infos)-1].Last
		m.crash()
		m.damage(fmt.Sprintf("/data/snap/%016x-%016x.snap", uint64(newest.Index), uint64(newest.Term)))
		m.start()
		if at := m.r.Core.snaps.newest.Last; at != infos[len(infos)-2].Last {
			t.Fatalf("round %d: started from %v of %v", round, at, infos)
		}
		c.leader()
		put(100+100*round, 200+100*round)
		for i := range 200 + 100*round {
			if got := m.get(fmt.Sprintf("k%03d", i)); got != value {
				t.Fatalf("round %d: k%03d is lost", round, i)
			}
		}
	}
}

// A member that is restarted before its log is long takes a snapshot all the
// same, once the log of all its lives together is, and not at every start.
func TestSnapshotAcrossRestarts(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.SnapshotLogBytesMin, cfg.CatchUpEntries = 128<<10, 5 })
	m := c.leader()
	for life := range 10 {
		for i := range 10 {
			m.mustPut(fmt.Sprintf("k%d-%d", life, i), string(make([]byte, 1000)))
		}
		m.crash()
		m.start()
		c.leader()
	}
	infos, err := m.r.dir.List()
	if err != nil || len(infos) == 0 {
		t.Fatalf("snapshots %v, %v", infos, err)
	}
	for range 3 {
		m.crash()
		m.start()
		c.leader()
	}
	if again, err := m.r.dir.List(); err != nil || fmt.Sprint(again) != fmt.Sprint(infos) {
		t.Errorf("idle restarts took snapshots: %v, before %v, %v", again, infos, err)
	}
}

// One snapshot for each stretch of the log, however much is written meanwhile.
func TestSnapshotsKeepTheirDistance(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.SnapshotLogBytesMin, cfg.CatchUpEntries = 64<<10, 5 })
	m := c.leader()
	at := []raft.Index{0}
	for range 300 {
		r := write(&mvcc.PutRequest{Key: []byte("k"), Value: make([]byte, 1000)})
		r.Done = func(Reply) {}
		m.queue = append(m.queue, SubmitEvent{Requests: []*Request{r}})
		for range 5 { // and not to the end: there is always more under way
			if len(m.queue) > 0 {
				ev := m.queue[0]
				m.queue = m.queue[1:]
				m.step(ev)
			}
		}
		if last := m.r.Core.snaps.newest.Last.Index; last != at[len(at)-1] {
			at = append(at, last)
		}
	}
	if len(at) < 3 {
		t.Fatalf("snapshots at %v", at)
	}
	for i := 2; i < len(at); i++ {
		if d := at[i] - at[i-1]; d < 12 { // 64 KiB of 4 KiB batches, one still under way
			t.Errorf("snapshots at %v", at)
			break
		}
	}
}

// Two snapshots installed in a row: the files before the second one stay until
// the state machine, which may still read the first, stands at the second.
func TestInstalledSnapshotStaysUntilRead(t *testing.T) {
	s := snapshots{}
	for _, i := range []raft.Index{10, 20} {
		s.restored(raft.SnapshotMeta{Last: raft.EntryID{Term: 1, Index: i}})
	}
	for _, c := range []struct{ applied, retired raft.Index }{{5, 0}, {10, 0}, {20, 20}, {21, 0}} {
		var out Output
		s.loaded(c.applied, &out)
		got := raft.Index(0)
		for _, ev := range out.Events {
			got = ev.(retireEvent).Last.Index
		}
		if got != c.retired {
			t.Errorf("applied %d: files before %d go, want %d", c.applied, got, c.retired)
		}
	}
}

// Where the log still reaches back far enough, both snapshots may be damaged.
func TestBothSnapshotsDamaged(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.SnapshotLogBytesMin = 32 << 10 })
	m := c.leader()
	value := string(make([]byte, 1000))
	put := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			m.mustPut(fmt.Sprintf("k%03d", i), value)
		}
	}
	put(0, 50)
	infos, err := m.r.dir.List()
	if err != nil || len(infos) != 2 {
		t.Fatalf("snapshots %v, %v", infos, err)
	}
	m.crash()
	for _, info := range infos {
		m.damage(fmt.Sprintf("/data/snap/%016x-%016x.snap", uint64(info.Last.Index), uint64(info.Last.Term)))
	}
	m.start()
	if at := m.r.Core.snaps.newest.Last.Index; at != 0 {
		t.Fatalf("started from %d", at)
	}
	c.leader()
	put(50, 150)
	m.crash()
	m.start()
	if at := m.r.Core.snaps.newest.Last.Index; at == 0 {
		t.Error("no sound snapshot was taken since")
	}
	c.leader()
	for i := range 150 {
		if got := m.get(fmt.Sprintf("k%03d", i)); got != value {
			t.Fatalf("k%03d is lost", i)
		}
	}
}

// A data directory is bound to its member and cluster.
func TestForeignDirectory(t *testing.T) {
	c := newCluster(t, 1, nil)
	n := c.node(1)
	n.crash()
	cfg := DefaultConfig()
	cfg.FS, cfg.Dir, cfg.Rand, cfg.Member, cfg.Cluster = n.fs, "/data", n.rng, 2, 0xc1
	if _, err := Open(cfg); err == nil {
		t.Error("opened another member's directory")
	}
}

// Snapshots that peers sent and that were never installed don't push out those
// that the log depends on.
func TestUselessSnapshots(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.SnapshotLogBytesMin, cfg.CatchUpEntries = 32<<10, 10 })
	m := c.leader()
	for _, index := range []raft.Index{5000, 6000} {
		meta := raft.SnapshotMeta{Last: raft.EntryID{Term: 1, Index: index}, Config: m.r.Apply.config}
		job := m.r.snapshotJob(m.r.Apply.state, meta)
		for done := false; !done; {
			var err error
			if done, err = job.Step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	part := fmt.Sprintf("%016x-%016x-%016x.part", 4000, 1, 7)
	f, err := m.fs.Create("/data/snap/" + part)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for i := range 100 {
		m.mustPut(fmt.Sprintf("k%03d", i), string(make([]byte, 1000)))
	}
	if first := m.r.Core.node.FirstIndex(); first < 10 {
		t.Fatalf("the log starts at %d: nothing was compacted", first)
	}
	infos, err := m.r.dir.List()
	if err != nil || len(infos) != 4 {
		t.Errorf("snapshots %v, %v", infos, err)
	}
	if _, err := m.fs.SizeOf("/data/snap/" + part); err != nil {
		t.Errorf("what came in of a snapshot at 4000, above all of its own: %v", err)
	}
	m.crash()
	m.start()
	c.leader()
	if got := m.get("k099"); len(got) != 1000 {
		t.Errorf("k099 has %d bytes", len(got))
	}
}

// A follower that is sent one snapshot after the other keeps the last one only.
func TestInstalledSnapshotsReplaceOlder(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.SnapshotLogBytesMin, cfg.CatchUpEntries, cfg.TailEntriesMax = 32<<10, 10, 10
	})
	l, f := c.leader(), c.follower()
	last := raft.Index(0)
	for round := range 3 {
		c.deliver = func(from, to raft.NodeID, _ transport.Frame) int {
			if from == f.id || to == f.id {
				return 0
			}
			return 1
		}
		for i := range 100 {
			l.mustPut(fmt.Sprintf("k%d-%03d", round, i), string(make([]byte, 1000)))
		}
		c.deliver = nil
		c.tick(40)
		if at := f.r.Core.snaps.newest.Last.Index; at <= last {
			t.Fatalf("round %d: newest snapshot at %d", round, at)
		}
		last = f.r.Core.snaps.newest.Last.Index
	}
	if infos, err := f.r.dir.List(); err != nil || len(infos) > 2 {
		t.Errorf("snapshots %v, %v", infos, err)
	}
	f.crash()
	f.start()
	c.checkEqual()
}

// At a start the log behind the last snapshot may be long, and the state machine
// has read none of it yet. A snapshot of the first few entries would let nothing
// go; and what it leaves behind counts towards the next one.
func TestSnapshotAfterReplay(t *testing.T) {
	logMin := int64(4 << 20)
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.SnapshotLogBytesMin, cfg.CatchUpEntries, cfg.ApplyBytesMax = logMin, 5, 256
	})
	m := c.leader()
	for i := range 200 {
		m.mustPut(fmt.Sprintf("k%03d", i), string(make([]byte, 1000)))
	}
	logMin = 64 << 10
	for range 3 {
		m.crash()
		m.start()
		c.leader()
		m.mustPut("k", "v")
		last, newest := m.r.Core.node.PersistedIndex(), m.r.Core.snaps.newest.Last.Index
		if last-newest > newest {
			t.Errorf("the log ends at %d, the newest snapshot at %d", last, newest)
		}
	}
	if behind := m.r.Core.persist.stats.BytesSinceSnapshot; behind >= 64<<10 {
		t.Errorf("%d bytes of log behind the newest snapshot", behind)
	}
}
