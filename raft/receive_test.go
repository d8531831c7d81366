package raft_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

// adversary makes inputs for one node out of bytes: messages whose fields are
// small and often plausible, but which no protocol stands behind, and driver
// calls in between. Nothing of it may panic, and the node must stay consistent
// with itself.
type adversary struct {
	bytes []byte
	node  *raft.Node
	disk  store
	pend  []*raft.Persist
}

func (a *adversary) n(limit int) int {
	if len(a.bytes) == 0 {
		return 0
	}
	b := a.bytes[0]
	a.bytes = a.bytes[1:]
	return int(b) % limit
}

func (a *adversary) entryID() raft.EntryID {
	return raft.EntryID{Term: raft.Term(a.n(6)), Index: raft.Index(a.n(8))}
}

func (a *adversary) configuration() raft.Configuration {
	c := voters(1+a.n(4), a.n(2))
	if a.n(3) == 0 {
		c.Members[0].OldVoter = true
	}
	if a.n(3) == 0 {
		c.Members[len(c.Members)-1].Incarnation = raft.Incarnation(100 + a.n(6))
	}
	return c
}

func (a *adversary) message() raft.Message {
	from := raft.NodeID(2 + a.n(4))
	m := raft.Message{
		Type: raft.MessageType(1 + a.n(14)), From: from, To: 1, Incarnation: raft.Incarnation(100 + from), Term: raft.Term(a.n(7)),
		Reject: a.n(3) == 0,
	}
	if a.n(8) == 0 {
		m.Life = raft.Life{Boot: uint64(a.n(3)), Nonce: uint64(a.n(3)), Term: raft.Term(a.n(7)), Last: raft.Index(a.n(8))}
	}
	switch m.Type {
	case raft.RequestPreVote, raft.RequestVote:
		m.LogEnd, m.Transfer = a.entryID(), a.n(4) == 0
	case raft.AppendEntries:
		m.Prev, m.Commit = a.entryID(), raft.Index(a.n(9))
		m.Entries = a.entries(m.Prev)
	case raft.AppendEntriesReply:
		m.Match, m.RejectedPrev, m.Hint = raft.Index(a.n(9)), a.entryID(), a.entryID()
	case raft.Heartbeat:
		m.Commit, m.Round = raft.Index(a.n(9)), uint64(a.n(4))
	case raft.HeartbeatReply:
		m.Round = uint64(a.n(4))
	case raft.InstallSnapshot:
		m.Snapshot = &raft.SnapshotMeta{Last: a.entryID(), Config: raft.ConfigAt{Config: a.configuration()}}
	case raft.Disown:
		m.Fence = &raft.Fence{Nonce: uint64(a.n(40)), Mark: raft.PeerMark{ID: 1, Incarnation: 101}}
	case raft.ReadIndex, raft.ReadIndexReply:
		m.Read = raft.ReadID{Node: from, Incarnation: m.Incarnation, Seq: uint64(a.n(3))}
		m.Commit = raft.Index(a.n(9))
	}
	return m
}

func (a *adversary) entries(prev raft.EntryID) []raft.Entry {
	var es []raft.Entry
	for range a.n(4) {
		e := raft.Entry{Index: prev.Index + 1, Term: max(prev.Term, 1) + raft.Term(a.n(2)), Type: raft.EntryCommand, Data: []byte{1}}
		if a.n(4) == 0 {
			e.Type, e.Data = raft.EntryConfig, raft.AppendConfiguration(nil, a.configuration())
		}
		e.CRC = raft.EntryCRC(e)
		es = append(es, e)
		prev = e.ID()
	}
	return es
}

func (a *adversary) act() {
	switch a.n(10) {
	case 0:
		a.node.Tick()
	case 1:
		a.node.Campaign()
	case 2:
		_, _ = a.node.Propose([][]byte{{1}})
	case 3:
		_, _ = a.node.ProposeConfig(raft.ConfigChange{Set: []raft.Member{{ID: raft.NodeID(1 + a.n(6)), Voter: a.n(2) == 0}}})
	case 4:
		_, _ = a.node.ReadIndex()
	case 5:
		_ = a.node.Transfer(raft.NodeID(a.n(6)))
	case 6:
		a.persisted()
	default:
		a.node.Receive(a.message())
	}
}

func (a *adversary) persisted() {
	if len(a.pend) > 0 {
		a.disk.write(a.pend[0])
		a.node.Persisted(a.pend[0].Write)
		a.pend = a.pend[1:]
	}
}

// output plays a driver with a correct disk.
func (a *adversary) output() {
	credit := raft.Credit{Persist: len(a.pend) == 0, ApplyBytes: a.n(4)}
	out := a.node.Output(credit)
	if out.Persist != nil {
		a.pend = append(a.pend, out.Persist)
	}
	m := member{disk: a.disk}
	for _, l := range out.Load {
		a.node.Loaded(m.load(l))
	}
	if out.Restore != nil {
		a.node.Applied(out.Restore.Last.Index)
	}
	if k := len(out.Apply); k > 0 {
		a.node.Applied(out.Apply[k-1].Index)
	}
	for _, to := range out.SendSnapshot {
		a.node.SnapshotSent(to, raft.EntryID{}, false)
	}
}

func (a *adversary) run() error {
	before := a.node.Checkpoint()
	for len(a.bytes) > 0 {
		for _, step := range []func(){a.act, a.output} {
			step()
			after := a.node.Checkpoint()
			if err := errors.Join(raft.CheckStep(before, after), raft.CheckState(a.node)); err != nil {
				return err
			}
			before = after
		}
	}
	return nil
}

func newAdversary(bytes []byte) (*adversary, error) {
	a := &adversary{bytes: bytes}
	a.disk.snap.Config.Config = voters(1+a.n(4), a.n(2))
	cfg := soloConfig(1)
	cfg.ElectionTicks, cfg.HeartbeatTicks, cfg.PeerClosedTicks = 3, 1, 2
	cfg.MessageEntriesMax, cfg.TailEntriesMax, cfg.Nonce = 2, 1, 39
	var err error
	a.node, err = raft.New(cfg, a.disk.boot(0))
	return a, err
}

// FuzzReceive: whatever messages come, in whatever order, a node neither panics
// nor contradicts itself.
func FuzzReceive(f *testing.F) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		b := make([]byte, 400)
		for k := range b {
			b[k] = byte(rnd.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := newAdversary(b)
		if err != nil {
			t.Skip(err)
		}
		if err := a.run(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestReceiveRandom is FuzzReceive with many long inputs.
func TestReceiveRandom(t *testing.T) {
	for seed := range 1500 / raceDivisor {
		rnd := rand.New(rand.NewPCG(uint64(seed), 3))
		b := make([]byte, 50+rnd.IntN(1000))
		for k := range b {
			b[k] = byte(rnd.Uint32())
		}
		a, err := newAdversary(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestReceiveMalformed: a message that contradicts itself is dropped with an
// Event, and nothing else happens.
func TestReceiveMalformed(t *testing.T) {
	entry := func(i raft.Index, term raft.Term) raft.Entry { return raft.Entry{Index: i, Term: term} }
	one := raft.EntryID{Term: 1, Index: 1}
	for name, m := range map[string]raft.Message{
		"type 0":              {Type: raft.MessageNone},
		"type unknown":        {Type: 99},
		"term 0":              {Type: raft.Heartbeat, Term: 0},
		"term out of range":   {Type: raft.Heartbeat, Term: 1 << 63},
		"index out of range":  {Type: raft.AppendEntries, Term: 9, Prev: raft.EntryID{Term: 1, Index: 1 << 63}},
		"log end of later":    {Type: raft.RequestVote, Term: 9, LogEnd: raft.EntryID{Term: 10, Index: 1}},
		"entries with a gap":  {Type: raft.AppendEntries, Term: 9, Prev: one, Entries: []raft.Entry{entry(3, 1)}},
		"entries falling":     {Type: raft.AppendEntries, Term: 9, Prev: one, Entries: []raft.Entry{entry(2, 3), entry(3, 2)}},
		"entries below prev":  {Type: raft.AppendEntries, Term: 9, Prev: raft.EntryID{Term: 3, Index: 1}, Entries: []raft.Entry{entry(2, 2)}},
		"entry of later term": {Type: raft.AppendEntries, Term: 9, Prev: one, Entries: []raft.Entry{entry(2, 10)}},
		"entry type":          {Type: raft.AppendEntries, Term: 9, Prev: one, Entries: []raft.Entry{{Index: 2, Term: 1, Type: 7}}},
		"entry config":        {Type: raft.AppendEntries, Term: 9, Prev: one, Entries: []raft.Entry{{Index: 2, Term: 1, Type: raft.EntryConfig, Data: []byte{9}}}},
		"no snapshot":         {Type: raft.InstallSnapshot, Term: 9},
		"snapshot of nothing": {Type: raft.InstallSnapshot, Term: 9, Snapshot: &raft.SnapshotMeta{}},
		"snapshot of later":   {Type: raft.InstallSnapshot, Term: 9, Snapshot: &raft.SnapshotMeta{Last: raft.EntryID{Term: 10, Index: 5}}},
		"no read id":          {Type: raft.ReadIndex, Term: 9},
	} {
		n, err := raft.New(soloConfig(1), bootWith(3, 1, 1))
		if err != nil {
			t.Fatal(err)
		}
		n.Output(raft.Credit{})
		before := n.Checkpoint()
		m.From, m.To, m.Incarnation = 2, 1, 102
		n.Receive(m)
		events := n.Output(raft.Credit{}).Events
		if len(events) != 1 || events[0].Kind != raft.EventMessageDropped || events[0].Reason != raft.ReasonMalformed || n.Checkpoint() != before {
			t.Errorf("%s: %v", name, events)
		}
	}
	for name, m := range map[string]raft.Message{
		"from itself":     {Type: raft.Heartbeat, From: 1, To: 1, Incarnation: 101, Term: 9},
		"from nobody":     {Type: raft.Heartbeat, To: 1, Incarnation: 101, Term: 9},
		"for another":     {Type: raft.Heartbeat, From: 2, To: 3, Incarnation: 102, Term: 9},
		"no incarnation":  {Type: raft.Heartbeat, From: 2, To: 1, Term: 9},
		"commit too high": {Type: raft.Heartbeat, From: 2, To: 1, Incarnation: 102, Term: 1, Commit: 5},
	} {
		n, err := raft.New(soloConfig(1), bootWith(3, 1, 1))
		if err != nil {
			t.Fatal(err)
		}
		n.Receive(m)
		if n.Term() != 1 || n.Leader() != 0 {
			t.Errorf("%s: term %d, leader n%s", name, n.Term(), n.Leader())
		}
	}
}

// TestNew: what contradicts itself on the disk, or in the configuration, is an
// error and not a running member.
func TestNew(t *testing.T) {
	ok := func() (raft.Config, raft.Boot) { return soloConfig(1), bootWith(3, 4, 1, 1, 3) }
	for name, f := range map[string]func(*raft.Config, *raft.Boot){
		"id":               func(c *raft.Config, _ *raft.Boot) { c.ID = 0 },
		"incarnation":      func(c *raft.Config, _ *raft.Boot) { c.Incarnation = 0 },
		"rand":             func(c *raft.Config, _ *raft.Boot) { c.Rand = nil },
		"heartbeat":        func(c *raft.Config, _ *raft.Boot) { c.HeartbeatTicks = c.ElectionTicks },
		"limit":            func(c *raft.Config, _ *raft.Boot) { c.MessageBytesMax = 0 },
		"peer closed":      func(c *raft.Config, _ *raft.Boot) { c.PeerClosedTicks = -1 },
		"commit":           func(_ *raft.Config, b *raft.Boot) { b.HardState.Commit = 4 },
		"term":             func(_ *raft.Config, b *raft.Boot) { b.HardState.Term = 2 },
		"terms missing":    func(_ *raft.Config, b *raft.Boot) { b.Terms = nil },
		"terms falling":    func(_ *raft.Config, b *raft.Boot) { b.Terms = append(b.Terms, raft.EntryID{Term: 2, Index: 3}) },
		"terms outside":    func(_ *raft.Config, b *raft.Boot) { b.Terms = append(b.Terms, raft.EntryID{Term: 4, Index: 4}) },
		"terms repeated":   func(_ *raft.Config, b *raft.Boot) { b.Terms = append(b.Terms[:1:1], raft.EntryID{Term: 1, Index: 2}) },
		"prev":             func(_ *raft.Config, b *raft.Boot) { b.Prev.Index = 1 },
		"last":             func(_ *raft.Config, b *raft.Boot) { b.Last = 2 },
		"tail":             func(_ *raft.Config, b *raft.Boot) { b.Tail[2].Term = 1 },
		"tail short":       func(_ *raft.Config, b *raft.Boot) { b.Tail = b.Tail[:2] },
		"snapshot beyond":  func(_ *raft.Config, b *raft.Boot) { b.Snapshot.Last = raft.EntryID{Term: 3, Index: 4} },
		"snapshot not in":  func(_ *raft.Config, b *raft.Boot) { b.Snapshot.Last = raft.EntryID{Term: 2, Index: 2} },
		"config not in":    func(_ *raft.Config, b *raft.Boot) { b.Configs = []raft.ConfigAt{{At: raft.EntryID{Term: 2, Index: 2}}} },
		"config malformed": func(_ *raft.Config, b *raft.Boot) { b.Snapshot.Config.Config.Members[0].ID = 9 },
	} {
		c, b := ok()
		b.Snapshot.Config.Config = b.Snapshot.Config.Config.Clone()
		f(&c, &b)
		if _, err := raft.New(c, b); err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.HasPrefix(err.Error(), "raft: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := raft.New(ok()); err != nil {
		t.Error(err)
	}
	if _, err := raft.New(soloConfig(1), raft.Boot{Snapshot: raft.SnapshotMeta{Config: raft.ConfigAt{Config: voters(3, 0)}}}); err != nil {
		t.Errorf("new member: %v", err)
	}
}
