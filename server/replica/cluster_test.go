package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/transport"
)

// cluster drives replicas in lockstep: every event is delivered at once, in
// order. Random schedules are the simulator's business; here tests say exactly
// what happens.
type cluster struct {
	t     *testing.T
	nodes []*member
	// deliver, if set, says how many copies of a frame arrive.
	deliver func(from, to raft.NodeID, f transport.Frame) int
	tweak   func(*Config)
	// slow, if set, takes snapshot orders instead of carrying them out.
	slow    func(*member, SnapshotOrder)
	streams mvcc.StreamID
}

// member is one process of the cluster, with its disk.
type member struct {
	c     *cluster
	id    raft.NodeID
	fs    *disk.Mem
	r     *Replica // nil: down
	queue []Event
	rng   *rand.Rand
	ended error // why it stopped for good
}

func newCluster(t *testing.T, n int, tweak func(*Config)) *cluster {
	c := &cluster{t: t, tweak: tweak}
	for i := range n {
		m := &member{c: c, id: raft.NodeID(i + 1), fs: disk.NewMem(), rng: rand.New(rand.NewPCG(uint64(i), 7))}
		c.nodes = append(c.nodes, m)
	}
	for _, m := range c.nodes {
		m.start()
	}
	return c
}

func (m *member) start() {
	m.c.t.Helper()
	r, err := Open(m.config())
	if err != nil {
		m.c.t.Fatalf("member %d: %v", m.id, err)
	}
	m.r, m.queue = r, nil
}

func (m *member) config() Config {
	cfg := DefaultConfig()
	cfg.FS, cfg.Dir, cfg.Rand = m.fs, "/data", m.rng
	cfg.Member, cfg.Cluster, cfg.SegmentBytes = m.id, 0xc1, 64<<10
	cfg.TickMicros, cfg.ElectionTicks, cfg.HeartbeatTicks = 100_000, 10, 1
	cfg.RequestTimeoutTicks, cfg.PeerClosedTick = 70, 0
	for _, o := range m.c.nodes {
		cfg.Initial.Members = append(cfg.Initial.Members, raft.Member{ID: o.id, Voter: true, Address: fmt.Sprintf("http://n%d", o.id)})
	}
	if m.c.tweak != nil {
		m.c.tweak(&cfg)
	}
	return cfg
}

// crash kills the process; the page cache survives.
func (m *member) crash() {
	m.fs.Kill()
	m.r, m.queue = nil, nil
}

func (c *cluster) node(id raft.NodeID) *member { return c.nodes[id-1] }

func (c *cluster) tick(n int) {
	for range n {
		for _, m := range c.nodes {
			if m.r != nil {
				m.queue = append(m.queue, TickEvent{ToCore}, TickEvent{ToLog}, TickEvent{ToApply})
			}
		}
		c.settle()
	}
}

// settle runs until nothing is left to do without time passing.
func (c *cluster) settle() {
	for busy := true; busy; {
		busy = false
		for _, m := range c.nodes {
			for m.r != nil && len(m.queue) > 0 {
				busy = true
				ev := m.queue[0]
				m.queue = m.queue[1:]
				m.step(ev)
			}
		}
	}
}

func (m *member) step(ev Event) {
	var out Output
	actor := m.r.Actor(ActorOf(ev))
	actor.Step(ev, &out)
	actor.Flush(&out)
	if errors.Is(out.Fatal, ErrForgotten) {
		m.ended = out.Fatal
		m.crash()
		return
	}
	if out.Fatal != nil {
		m.c.t.Fatalf("member %d: %v", m.id, out.Fatal)
	}
	if err := raft.CheckState(m.r.Core.node); err != nil {
		m.c.t.Fatalf("member %d: %v", m.id, err)
	}
	for _, e := range out.Trace {
		m.c.t.Logf("n%d %v", m.id, e)
	}
	m.queue = append(m.queue, out.Events...)
	for _, f := range out.Frames {
		m.send(f)
	}
	for _, j := range out.Jobs {
		var err error
		for done := false; !done && err == nil; {
			done, err = j.Step()
		}
		m.queue = append(m.queue, JobDoneEvent{Job: j, Err: err})
	}
	for _, t := range out.Timers {
		m.queue = append(m.queue, t.Event)
	}
	for _, o := range out.Snapshots {
		if m.c.slow != nil {
			m.c.slow(m, o)
			continue
		}
		ok, unreadable := m.stream(o)
		m.queue = append(m.queue, SnapshotSentEvent{To: o.To, Last: o.Last, OK: ok, Unreadable: unreadable})
	}
}

func (m *member) send(f OutFrame) {
	frame, _, err := transport.DecodeFrame(f.Frame)
	if err != nil {
		m.c.t.Fatal(err)
	}
	copies, to := 1, m.c.node(f.To)
	if m.c.deliver != nil {
		copies = m.c.deliver(m.id, f.To, frame)
	}
	for range copies {
		if to.r != nil {
			to.queue = append(to.queue, m.c.decode(m.id, frame))
		}
	}
}

func (c *cluster) decode(from raft.NodeID, f transport.Frame) Event {
	ev, err := DecodeFrame(from, f)
	if err != nil {
		c.t.Fatal(err)
	}
	return ev
}

func (m *member) stream(o SnapshotOrder) (ok, unreadable bool) {
	to := m.c.node(o.To)
	file, err := m.r.OpenSnapshot(o.Last)
	if err != nil || to.r == nil {
		return false, err != nil
	}
	defer file.Close()
	recv, err := to.r.ReceiveSnapshot(file.Incoming())
	if err != nil {
		m.c.t.Fatal(err)
	}
	buf := make([]byte, file.Size()-recv.Offset())
	if _, err := file.ReadAt(buf, recv.Offset()); err != nil {
		m.c.t.Logf("n%d can't send %v: %v", m.id, o.Last, err)
		return false, true
	}
	if err := recv.Write(recv.Offset(), buf); err != nil {
		m.c.t.Fatal(err)
	}
	meta, err := recv.Finish()
	if err != nil {
		m.c.t.Fatal(err)
	}
	inc := raft.Incarnation(m.r.Core.origin.Incarnation)
	to.queue = append(to.queue, SnapshotArrivedEvent{From: m.id, Incarnation: inc, Term: o.Term, Meta: meta})
	return true, false
}

// leader ticks until a member leads, has applied an entry of its term, and the
// log holds a configuration.
func (c *cluster) leader() *member {
	c.t.Helper()
	for range 200 {
		for _, m := range c.nodes {
			if m.r != nil && m.r.Apply.lessor.term != 0 && m.r.Apply.lessor.term == m.r.Core.term &&
				m.r.Core.configAt.Index != 0 {
				return m
			}
		}
		c.tick(1)
	}
	c.t.Fatal("no leader within 200 ticks")
	return nil
}

func (c *cluster) follower() *member {
	l := c.leader()
	for _, m := range c.nodes {
		if m != l && m.r != nil {
			return m
		}
	}
	c.t.Fatal("no follower")
	return nil
}

// ask submits a request and ticks until it is answered.
func (m *member) ask(r *Request) Reply {
	m.c.t.Helper()
	reply := m.start1(r)
	for range 200 {
		if *reply != nil {
			return **reply
		}
		m.c.tick(1)
	}
	m.c.t.Fatal("no answer within 200 ticks")
	return Reply{}
}

func (m *member) start1(r *Request) **Reply {
	reply := new(*Reply)
	r.Done = func(got Reply) {
		if *reply != nil {
			m.c.t.Fatal("answered twice")
		}
		*reply = &got
	}
	m.queue = append(m.queue, SubmitEvent{Requests: []*Request{r}})
	m.c.settle()
	return reply
}

func (m *member) put(key, value string) Reply {
	m.c.t.Helper()
	return m.ask(write(&mvcc.PutRequest{Key: []byte(key), Value: []byte(value)}))
}

func (m *member) mustPut(key, value string) {
	m.c.t.Helper()
	if r := m.put(key, value); r.Err != nil || r.Result.Err != nil {
		m.c.t.Fatalf("put %s: %v %v", key, r.Err, r.Result)
	}
}

func write(b state.Body) *Request { return &Request{Kind: Write, Body: state.AppendBody(nil, b)} }

// get reads one key, linearizably.
func (m *member) get(key string) string {
	m.c.t.Helper()
	r := m.ask(&Request{Kind: Read})
	if r.Err != nil {
		m.c.t.Fatalf("read: %v", r.Err)
	}
	got, err := r.View.KV.Range(&mvcc.RangeRequest{Key: []byte(key)})
	if err != nil {
		m.c.t.Fatal(err)
	}
	if len(got.KVs) == 0 {
		return ""
	}
	return string(got.KVs[0].Value)
}

// checkEqual fails unless all members stand at the same state.
func (c *cluster) checkEqual() {
	c.t.Helper()
	c.tick(5)
	want := c.leader().r.Apply.state
	for _, m := range c.nodes {
		if m.r == nil {
			continue
		}
		if s := m.r.Apply.state; s.AppliedIndex() != want.AppliedIndex() || s.Hash() != want.Hash() {
			c.t.Errorf("member %d at %d with hash %x, leader at %d with %x", m.id, s.AppliedIndex(), s.Hash(), want.AppliedIndex(), want.Hash())
		}
	}
}
