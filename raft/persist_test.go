package raft_test

import (
	"slices"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

func entries(term raft.Term, from, to raft.Index) []raft.Entry {
	var es []raft.Entry
	for i := from; i <= to; i++ {
		e := raft.Entry{Index: i, Term: term, Type: raft.EntryCommand, Data: []byte("x")}
		e.CRC = raft.EntryCRC(e)
		es = append(es, e)
	}
	return es
}

// complete finishes the write under way and lets the node go on to the next.
func (s *solo) complete() raft.Persist {
	s.t.Helper()
	if s.pending == nil {
		s.t.Fatal("writes nothing")
	}
	p := s.pending
	s.pending, s.sent = nil, nil
	s.node.Persisted(p.Write)
	s.sent = append(s.sent, p.After...)
	s.run()
	return *p
}

// TestPersistSupersededByReset: a write that is under way when a snapshot replaces
// the log vouches for nothing, though its entries reach past the snapshot.
func TestPersistSupersededByReset(t *testing.T) {
	s := newSolo(t, bootWith(3, 3, 1))
	s.hold = true
	s.receive(2, raft.Message{Type: raft.AppendEntries, Term: 3, Prev: raft.EntryID{Term: 1, Index: 1}, Entries: entries(2, 2, 9)})
	meta := raft.SnapshotMeta{Last: raft.EntryID{Term: 3, Index: 4}, Config: raft.ConfigAt{Config: voters(3, 0)}}
	s.receive(2, raft.Message{Type: raft.InstallSnapshot, Term: 3, Snapshot: &meta})
	s.complete()
	if st := s.node.Status(); st.Persisted != 0 || len(s.sent) > 1 {
		t.Fatalf("after the old write %d is durable, sends %v", st.Persisted, s.sent)
	}
	if s.last.Restore != nil {
		t.Fatalf("restores before the reset is durable")
	}
	p := s.complete()
	if st := s.node.Status(); p.Reset == nil || p.Truncate != 0 || len(p.Entries) > 0 || st.Persisted != 4 || st.Applied != 1 && st.Applied != 0 {
		t.Fatalf("wrote %+v, status %+v", p, st)
	}
}

// TestPersistResetThenEntries: what is appended behind a snapshot goes with its
// reset in one write, or after it.
func TestPersistResetThenEntries(t *testing.T) {
	s := newSolo(t, bootWith(3, 3, 1))
	s.hold = true
	s.receive(2, raft.Message{Type: raft.AppendEntries, Term: 3, Prev: raft.EntryID{Term: 1, Index: 1}, Entries: entries(3, 2, 2)})
	meta := raft.SnapshotMeta{Last: raft.EntryID{Term: 3, Index: 4}, Config: raft.ConfigAt{Config: voters(3, 0)}}
	s.receive(2, raft.Message{Type: raft.InstallSnapshot, Term: 3, Snapshot: &meta})
	s.receive(2, raft.Message{Type: raft.AppendEntries, Term: 3, Prev: meta.Last, Entries: entries(3, 5, 6), Commit: 6})
	s.complete()
	p := s.complete()
	if p.Reset == nil || p.Reset.Last != meta.Last || len(p.Entries) != 2 || p.Entries[0].Index != 5 || p.HardState.Commit != 6 {
		t.Fatalf("wrote %+v", p)
	}
	if count(p.After, raft.AppendEntriesReply) != 1 || p.After[0].Match != 6 {
		t.Fatalf("acknowledges %v", p.After)
	}
}

// TestPersistCommitAlone: a commit index that nothing else carries is written when
// a heartbeat interval has passed, once, and needs no sync.
func TestPersistCommitAlone(t *testing.T) {
	s := newSolo(t, bootWith(3, 1, 1, 1))
	s.receive(2, raft.Message{Type: raft.Heartbeat, Term: 1, Commit: 2})
	if s.pending != nil || s.last.Persist != nil {
		t.Fatalf("writes at once: %+v", s.last.Persist)
	}
	s.hold = true
	s.tick(defaultConfig().HeartbeatTicks)
	p := s.pending
	if p == nil || p.MustSync || p.HardState.Commit != 2 || len(p.Entries) > 0 {
		t.Fatalf("writes %+v", p)
	}
	s.complete()
	s.tick(3 * defaultConfig().HeartbeatTicks)
	if s.pending != nil {
		t.Fatalf("writes again: %+v", s.pending)
	}
}

// TestPersistOneAtATime: against one credit there is one write, and what came in
// meanwhile is one more.
func TestPersistOneAtATime(t *testing.T) {
	s := newSolo(t, bootWith(1, 1, 1))
	s.lead(1)
	s.hold = true
	for range 5 {
		if _, err := s.node.Propose([][]byte{[]byte("a"), []byte("b")}); err != nil {
			t.Fatal(err)
		}
		s.run()
	}
	if n := len(s.pending.Entries); n != 2 {
		t.Fatalf("first write has %d entries", n)
	}
	s.complete()
	if n := len(s.pending.Entries); n != 8 {
		t.Fatalf("second write has %d entries", n)
	}
	s.complete()
	if st := s.node.Status(); st.Commit != st.Last || s.pending != nil {
		t.Fatalf("commit %d of %d", st.Commit, st.Last)
	}
}

// TestApplyCredit: entries are handed out within the credit, but one always fits;
// without credit nothing is.
func TestApplyCredit(t *testing.T) {
	n, err := raft.New(soloConfig(1), bootWith(3, 1, 1, 1, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	n.Receive(raft.Message{Type: raft.Heartbeat, From: 2, To: 1, Incarnation: 102, Term: 1, Commit: 4})
	n.Output(raft.Credit{})
	for _, step := range []struct{ credit, want int }{{0, 0}, {1, 1}, {6, 2}, {100, 1}, {100, 0}} {
		c := raft.Credit{ApplyBytes: step.credit}
		if ready := n.HasReady(c); ready != (step.want > 0) {
			t.Errorf("credit %d: HasReady is %t", step.credit, ready)
		}
		if got := len(n.Output(c).Apply); got != step.want {
			t.Errorf("credit %d: %d entries, want %d", step.credit, got, step.want)
		}
	}
}

// TestDriverErrors: a driver that breaks the conversation is stopped, with the
// numbers.
func TestDriverErrors(t *testing.T) {
	meta := raft.SnapshotMeta{Last: raft.EntryID{Term: 1, Index: 2}}
	for name, f := range map[string]func(*raft.Node){
		"a write that was never issued": func(n *raft.Node) { n.Persisted(99) },
		"applied beyond handed out":     func(n *raft.Node) { n.Applied(3) },
		"compact beyond applied":        func(n *raft.Node) { n.Compact(meta, 2) },
		"propose nothing":               func(n *raft.Node) { _, _ = n.Propose(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			n, err := raft.New(soloConfig(1), bootWith(3, 1, 1, 1, 1))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(n)
		})
	}
}

// TestLoadedStale: an answer that was overtaken is ignored.
func TestLoadedStale(t *testing.T) {
	b := bootWith(3, 1, 1, 1, 1)
	b.Tail = nil
	n, err := raft.New(soloConfig(1), b)
	if err != nil {
		t.Fatal(err)
	}
	heartbeat := raft.Message{Type: raft.Heartbeat, From: 2, To: 1, Incarnation: 102, Term: 1, Commit: 2}
	n.Receive(heartbeat)
	out := n.Output(raft.Credit{ApplyBytes: 100})
	if len(out.Load) != 1 || out.Load[0] != (raft.LoadRequest{From: 1, To: 2, BytesMax: 100}) {
		t.Fatalf("asks for %v", out.Load)
	}
	n.Loaded(raft.Loaded{Request: raft.LoadRequest{From: 2, To: 2}, Compacted: true})            // never asked
	n.Loaded(raft.Loaded{Request: raft.LoadRequest{Member: 3, From: 1, To: 2}, Compacted: true}) // not a leader
	if out := n.Output(raft.Credit{ApplyBytes: 100}); len(out.Apply)+len(out.Load) > 0 {
		t.Fatalf("asks again, or applies: %+v", out)
	}
	s := store{}
	for i := raft.Index(1); i <= 2; i++ {
		e := raft.Entry{Index: i, Term: 1}
		e.CRC = raft.EntryCRC(e)
		s.entries = append(s.entries, e)
	}
	n.Loaded(raft.Loaded{Request: out.Load[0], Entries: s.entries})
	if out := n.Output(raft.Credit{ApplyBytes: 100}); len(out.Apply) != 2 {
		t.Fatalf("applies %v", out.Apply)
	}
}

// TestLoadCompactedWhileSilent: entries for a member that was silent for so long
// turn out to be compacted. When it speaks again it is served, even if nothing
// is proposed any more.
func TestLoadCompactedWhileSilent(t *testing.T) {
	boot := bootWith(3, 1, 1, 1, 1, 1, 1, 1)
	boot.Tail = nil
	s := newSolo(t, boot)
	s.lead(2)
	// hear returns what the node then does for member 3.
	hear := func(from raft.NodeID, m raft.Message) (o raft.Output) {
		m.From, m.To, m.Incarnation, m.Term = from, 1, raft.Incarnation(100+from), s.node.Term()
		s.node.Receive(m)
		o = s.node.Output(raft.Credit{})
		o.Load = slices.DeleteFunc(o.Load, func(l raft.LoadRequest) bool { return l.Member != 3 })
		return o
	}
	hear(2, raft.Message{Type: raft.AppendEntriesReply, Match: 7})
	o := hear(3, raft.Message{Type: raft.AppendEntriesReply, Match: 1})
	if len(o.Load) != 1 || o.Load[0].From != 2 {
		t.Fatalf("asks for %v", o.Load)
	}
	for range 2 * soloConfig(1).ElectionTicks {
		s.node.Tick()
		hear(2, raft.Message{Type: raft.HeartbeatReply})
	}
	s.node.Loaded(raft.Loaded{Request: o.Load[0], Compacted: true})
	if o := s.node.Output(raft.Credit{}); len(o.SendSnapshot) > 0 {
		t.Fatal("a snapshot for a member that doesn't answer")
	}
	if o := hear(3, raft.Message{Type: raft.HeartbeatReply}); len(o.Load)+len(o.SendSnapshot) == 0 {
		t.Error("the member speaks again and gets nothing")
	}
}
