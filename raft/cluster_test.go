package raft_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/holdfast-db/holdfast/raft"
)

// store is a member's disk: what survives a crash.
type store struct {
	hard    raft.HardState
	snap    raft.SnapshotMeta
	prev    raft.EntryID // before entries[0]
	entries []raft.Entry
}

func (s *store) last() raft.Index { return s.prev.Index + raft.Index(len(s.entries)) }

// write does what a log does with a Persist.
func (s *store) write(p *raft.Persist) {
	s.hard = p.HardState
	if p.Reset != nil {
		s.snap, s.prev, s.entries = *p.Reset, p.Reset.Last, nil
	}
	if p.Truncate != 0 {
		if p.Truncate <= s.prev.Index || p.Truncate > s.last()+1 {
			panic(fmt.Sprintf("truncate at %d, disk has (%s, %d]", p.Truncate, s.prev, s.last()))
		}
		s.entries = slices.Clone(s.entries[:p.Truncate-s.prev.Index-1])
	}
	for _, e := range p.Entries {
		if e.Index != s.last()+1 || e.CRC != raft.EntryCRC(e) {
			panic(fmt.Sprintf("write %s after %d", e.ID(), s.last()))
		}
		s.entries = append(s.entries, e)
	}
	if p.HardState.Commit > s.last() {
		panic("durable commit above the durable log")
	}
}

func (s *store) compact(meta raft.SnapshotMeta, first raft.Index) {
	s.snap = meta
	k := int(first - s.prev.Index - 1)
	if k > 0 {
		s.prev = s.entries[k-1].ID()
		s.entries = slices.Clone(s.entries[k:])
	}
}

// boot is what recovery would find; tail limits the entries given in memory.
func (s *store) boot(tail int) raft.Boot {
	b := raft.Boot{HardState: s.hard, Snapshot: s.snap, First: s.prev.Index + 1, Last: s.last(), Prev: s.prev}
	for i, e := range s.entries {
		if i == 0 || e.Term != s.entries[i-1].Term {
			b.Terms = append(b.Terms, e.ID())
		}
		if e.Type == raft.EntryConfig && e.Index > s.snap.Config.At.Index {
			c, err := raft.DecodeConfiguration(e.Data)
			if err != nil {
				panic(err)
			}
			b.Configs = append(b.Configs, raft.ConfigAt{At: e.ID(), Config: c})
		}
	}
	b.Tail = slices.Clone(s.entries[max(0, len(s.entries)-tail):])
	return b
}

// member is a node and its driver.
type member struct {
	id          raft.NodeID
	incarnation raft.Incarnation
	boots       uint64
	node        *raft.Node // nil: down
	disk        store
	writes      []*raft.Persist // handed out, not durable
	hold        bool            // writes wait for the script
	applied     raft.EntryID
	wiped       bool
	checked     raft.Index // committed entries up to here were compared
	before      raft.Checkpoint
}

// cluster is a set of members, the network between them, and everything that
// must hold of them together.
type cluster struct {
	cfg      raft.Config
	initial  raft.Configuration
	members  []*member
	net      []raft.Message
	cut      map[[2]raft.NodeID]bool
	seed     uint64
	bootTail int
	// applyBytes is the credit for apply.
	applyBytes int

	out     strings.Builder
	quiet   bool
	checks  checker
	reads   []readAnswer
	events  map[string]int // how often each kind happened
	failure error
}

type readAnswer struct {
	member raft.NodeID
	ready  raft.ReadReady
}

func defaultConfig() raft.Config {
	return raft.Config{
		ElectionTicks: 10, HeartbeatTicks: 2, MessageEntriesMax: 64, MessageBytesMax: 1 << 16,
		InflightMessagesMax: 8, InflightBytesMax: 1 << 20, UncommittedBytesMax: 1 << 20,
		TailBytesMax: 1 << 20, TailEntriesMax: 1000,
	}
}

func newCluster(cfg raft.Config, initial raft.Configuration) *cluster {
	c := &cluster{
		cfg: cfg, initial: initial, cut: map[[2]raft.NodeID]bool{}, events: map[string]int{}, bootTail: 1000, applyBytes: 1 << 20,
	}
	c.checks.init()
	for _, m := range initial.Members {
		c.add(m.ID, initial)
		c.start(c.member(m.ID))
	}
	return c
}

// voters makes the initial configuration 1..voters, then learners.
func voters(voters, learners int) raft.Configuration {
	var c raft.Configuration
	for i := 1; i <= voters+learners; i++ {
		c.Members = append(c.Members, raft.Member{ID: raft.NodeID(i), Voter: i <= voters})
	}
	return c
}

func (c *cluster) add(id raft.NodeID, initial raft.Configuration) *member {
	m := &member{id: id, incarnation: raft.Incarnation(100 + id)}
	m.disk.snap.Config.Config = initial
	c.members = append(c.members, m)
	slices.SortFunc(c.members, func(a, b *member) int { return int(a.id) - int(b.id) })
	return m
}

func (c *cluster) member(id raft.NodeID) *member {
	for _, m := range c.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (c *cluster) start(m *member) {
	cfg := c.cfg
	m.boots++
	cfg.ID, cfg.Incarnation, cfg.Boot = m.id, m.incarnation, m.boots
	cfg.Rand = rand.New(rand.NewPCG(c.seed, uint64(m.id)<<8+m.boots))
	n, err := raft.New(cfg, m.disk.boot(c.bootTail))
	if err != nil {
		panic(err)
	}
	m.node, m.writes, m.applied = n, nil, m.disk.snap.Last
	m.before = n.Checkpoint()
	c.run(m)
}

// crash forgets everything that is not durable.
func (c *cluster) crash(m *member) {
	m.node, m.writes, m.checked = nil, nil, 0
}

// wipe loses the disk: another incarnation with the initial configuration.
func (c *cluster) wipe(m *member) {
	c.crash(m)
	m.incarnation += 1000
	m.wiped = true
	m.disk = store{}
	m.disk.snap.Config.Config = c.initial.Clone()
	delete(c.checks.votes, m.id)
}

func (c *cluster) logf(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(&c.out, format+"\n", args...)
	}
}

func (c *cluster) fail(err error) {
	if err != nil && c.failure == nil {
		c.failure = err
		fmt.Fprintf(&c.out, "FAILURE %v\n", err)
	}
}

// check verifies the member after an input or an output.
func (c *cluster) check(m *member) {
	after := m.node.Checkpoint()
	c.fail(raft.CheckStep(m.before, after))
	c.fail(raft.CheckState(m.node))
	m.before = after
	c.fail(c.checks.member(c, m))
}

// run performs a member's outputs until there is nothing left that its credit
// allows, then completes its writes unless the script holds them.
func (c *cluster) run(m *member) {
	for m.node != nil {
		c.check(m)
		for credit := c.credit(m); m.node.HasReady(credit); credit = c.credit(m) {
			c.perform(m, m.node.Output(credit))
			c.check(m)
		}
		if out := m.node.Output(c.credit(m)); !empty(out) {
			c.fail(fmt.Errorf("n%s: HasReady is false, but Output returns %+v", m.id, out))
		}
		if m.hold || len(m.writes) == 0 {
			return
		}
		c.persist(m)
	}
}

func empty(o raft.Output) bool {
	return o.Persist == nil && o.Restore == nil &&
		len(o.Send)+len(o.Apply)+len(o.Reads)+len(o.Load)+len(o.SendSnapshot)+len(o.Events) == 0
}

func (c *cluster) credit(m *member) raft.Credit {
	return raft.Credit{Persist: len(m.writes) == 0, ApplyBytes: c.applyBytes}
}

// persist completes the member's oldest write.
func (c *cluster) persist(m *member) {
	p := m.writes[0]
	m.writes = m.writes[1:]
	m.disk.write(p)
	c.fail(c.checks.durable(m))
	m.node.Persisted(p.Write)
	c.post(p.After)
}

func (c *cluster) perform(m *member, out raft.Output) {
	for _, e := range out.Events {
		c.events[e.Kind.String()]++
		c.logf("n%s: %s", m.id, e)
	}
	c.post(out.Send)
	if p := out.Persist; p != nil {
		m.writes = append(m.writes, p)
		if m.hold {
			c.logf("n%s: writes w%d %s", m.id, p.Write, describeWrite(p))
		}
	}
	if out.Restore != nil {
		m.applied = out.Restore.Last
		c.logf("n%s: restores %s", m.id, m.applied)
		c.fail(c.checks.applied(m, raft.Entry{Index: m.applied.Index, Term: m.applied.Term}))
		m.node.Applied(m.applied.Index)
	}
	c.apply(m, out.Apply)
	for _, r := range out.Reads {
		c.reads = append(c.reads, readAnswer{m.id, r})
		if r.Err != nil {
			c.logf("n%s: read %s: %v", m.id, r.ID, r.Err)
		} else {
			c.logf("n%s: read %s at index %d", m.id, r.ID, r.Index)
		}
	}
	for _, l := range out.Load {
		m.node.Loaded(m.load(l))
	}
	for _, to := range out.SendSnapshot {
		s := m.disk.snap
		msg := raft.Message{
			Type: raft.InstallSnapshot, From: m.id, To: to, Incarnation: m.incarnation, Term: m.node.Term(), Snapshot: &s,
		}
		c.post([]raft.Message{msg})
	}
}

func describeWrite(p *raft.Persist) string {
	s := fmt.Sprintf("term=%d vote=%s commit=%d", p.HardState.Term, p.HardState.Vote, p.HardState.Commit)
	if p.Reset != nil {
		s += fmt.Sprintf(" reset=%s", p.Reset.Last)
	}
	if p.Truncate != 0 {
		s += fmt.Sprintf(" truncate=%d", p.Truncate)
	}
	for _, e := range p.Entries {
		s += " " + e.ID().String()
	}
	return s
}

func (c *cluster) apply(m *member, es []raft.Entry) {
	for _, e := range es {
		if e.Index != m.applied.Index+1 {
			c.fail(fmt.Errorf("n%s: applies %s after %s", m.id, e.ID(), m.applied))
		}
		m.applied = e.ID()
		c.fail(c.checks.applied(m, e))
		if e.Type == raft.EntryCommand {
			c.logf("n%s: applies %s %q", m.id, e.ID(), e.Data)
		}
		if e.Type == raft.EntryConfig {
			cfg, _ := raft.DecodeConfiguration(e.Data)
			c.logf("n%s: applies %s config %s", m.id, e.ID(), cfg)
		}
	}
	if len(es) > 0 {
		m.node.Applied(m.applied.Index)
	}
}

// load reads from the member's disk, as the log would.
func (m *member) load(l raft.LoadRequest) raft.Loaded {
	r := raft.Loaded{Request: l}
	if l.From <= m.disk.prev.Index {
		r.Compacted = true
		return r
	}
	bytes := 0
	for i := l.From; i <= l.To && i <= m.disk.last(); i++ {
		e := m.disk.entries[i-m.disk.prev.Index-1]
		if bytes += len(e.Data); i > l.From && bytes > l.BytesMax {
			break
		}
		r.Entries = append(r.Entries, e)
	}
	return r
}

// post puts messages on the network, in order.
func (c *cluster) post(ms []raft.Message) {
	for _, m := range ms {
		if c.cut[[2]raft.NodeID{m.From, m.To}] {
			c.logf("%s (cut)", m)
			c.lost(m)
			continue
		}
		c.logf("%s", m)
		c.net = append(c.net, m)
	}
}

// lost tells the sender of a snapshot that it didn't arrive.
func (c *cluster) lost(m raft.Message) { c.snapshotSent(m, false) }

func (c *cluster) snapshotSent(m raft.Message, ok bool) {
	if from := c.member(m.From); m.Type == raft.InstallSnapshot && from.node != nil {
		from.node.SnapshotSent(m.To, m.Snapshot.Last, ok)
		c.check(from)
	}
}

// receive hands a message to its addressee.
func (c *cluster) receive(m raft.Message) {
	to := c.member(m.To)
	if to == nil || to.node == nil {
		c.lost(m)
		return
	}
	to.node.Receive(m)
	c.run(to)
	c.snapshotSent(m, true)
}

// take removes the messages that match from the network.
func (c *cluster) take(match func(raft.Message) bool) []raft.Message {
	var taken []raft.Message
	c.net = slices.DeleteFunc(c.net, func(m raft.Message) bool {
		if match(m) {
			taken = append(taken, m)
			return true
		}
		return false
	})
	return taken
}

// deliver delivers the messages that are on the network now.
func (c *cluster) deliver(match func(raft.Message) bool) int {
	ms := c.take(match)
	for _, m := range ms {
		c.receive(m)
	}
	return len(ms)
}

// stabilize delivers until nothing is on its way.
func (c *cluster) stabilize() {
	for range 1000 {
		n := c.deliver(func(raft.Message) bool { return true })
		for _, m := range c.members {
			if m.node != nil {
				c.run(m)
			}
		}
		if n == 0 && len(c.net) == 0 {
			return
		}
	}
	c.fail(fmt.Errorf("does not come to rest; on the network: %v", c.net))
}

func (c *cluster) tick(m *member) {
	m.node.Tick()
	c.run(m)
}

// snapshot lets a member take a snapshot of what it has applied and compact its
// log, keeping some entries.
func (c *cluster) snapshot(m *member, keep raft.Index) {
	at := m.applied
	if at.Index > m.disk.last() || at.Index <= m.disk.snap.Last.Index {
		return
	}
	if t, ok := m.node.TermAt(at.Index); !ok || t != at.Term || m.disk.entries[at.Index-m.disk.prev.Index-1].Term != at.Term {
		return
	}
	meta := raft.SnapshotMeta{Last: at, Config: m.node.ConfigurationAt(at.Index)}
	first := max(m.disk.prev.Index+1, at.Index+1-min(keep, at.Index))
	m.disk.compact(meta, first)
	m.node.Compact(meta, first)
	c.run(m)
}
