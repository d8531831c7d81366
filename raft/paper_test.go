package raft_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

// Each test here takes a sentence of the paper (or the thesis) and holds one
// node to it; TestScripts tells the longer stories.

// solo is one node of a cluster of n, and what it has put out. The test plays
// the other members.
type solo struct {
	t    *testing.T
	node *raft.Node
	sent []raft.Message
	last raft.Output
	// hold keeps writes from completing.
	hold    bool
	pending *raft.Persist
}

func soloConfig(id raft.NodeID) raft.Config {
	cfg := defaultConfig()
	cfg.ID, cfg.Incarnation, cfg.Boot = id, raft.Incarnation(100+id), 1
	cfg.Rand = rand.New(rand.NewPCG(1, uint64(id)))
	return cfg
}

// bootWith is a disk with a log of these terms, in term.
func bootWith(n int, term raft.Term, terms ...raft.Term) raft.Boot {
	s := store{hard: raft.HardState{Term: term}}
	s.snap.Config.Config = voters(n, 0)
	for i, t := range terms {
		e := raft.Entry{Index: raft.Index(i + 1), Term: t, Type: raft.EntryCommand, Data: fmt.Appendf(nil, "%d@%d", i+1, t)}
		e.CRC = raft.EntryCRC(e)
		s.entries = append(s.entries, e)
	}
	return s.boot(1000)
}

func newSolo(t *testing.T, boot raft.Boot) *solo {
	t.Helper()
	n, err := raft.New(soloConfig(1), boot)
	if err != nil {
		t.Fatal(err)
	}
	s := &solo{t: t, node: n}
	s.run()
	s.sent = nil
	return s
}

func (s *solo) run() {
	s.t.Helper()
	for {
		if s.pending != nil && !s.hold {
			p := s.pending
			s.pending = nil
			s.node.Persisted(p.Write)
			s.sent = append(s.sent, p.After...)
		}
		c := raft.Credit{Persist: s.pending == nil, ApplyBytes: 1 << 20}
		if !s.node.HasReady(c) {
			break
		}
		s.last = s.node.Output(c)
		s.sent = append(s.sent, s.last.Send...)
		if s.last.Persist != nil {
			s.pending = s.last.Persist
		}
		if k := len(s.last.Apply); k > 0 {
			s.node.Applied(s.last.Apply[k-1].Index)
		}
	}
	if err := raft.CheckState(s.node); err != nil {
		s.t.Fatal(err)
	}
}

// receive delivers m as from a member and returns what the node sends.
func (s *solo) receive(from raft.NodeID, m raft.Message) []raft.Message {
	s.t.Helper()
	m.From, m.To, m.Incarnation = from, 1, raft.Incarnation(100+from)
	s.sent = nil
	s.node.Receive(m)
	s.run()
	return s.sent
}

// lead makes the node leader of the next term of a cluster of n.
func (s *solo) lead(n int) {
	s.t.Helper()
	s.node.Campaign()
	s.run()
	for id := raft.NodeID(2); int(id) <= n/2+1; id++ {
		s.receive(id, raft.Message{Type: raft.RequestPreVoteReply, Term: s.node.Term() + 1})
	}
	for id := raft.NodeID(2); int(id) <= n/2+1; id++ {
		s.receive(id, raft.Message{Type: raft.RequestVoteReply, Term: s.node.Term()})
	}
	if s.node.Role() != raft.Leader {
		s.t.Fatalf("is %s after winning", s.node.Role())
	}
}

func (s *solo) tick(times int) {
	for range times {
		s.node.Tick()
		s.run()
	}
}

func count(ms []raft.Message, t raft.MessageType) int {
	n := 0
	for _, m := range ms {
		if m.Type == t {
			n++
		}
	}
	return n
}

// §5.1: "Current terms are exchanged whenever servers communicate; if one
// server's current term is smaller than the other's, then it updates its current
// term to the larger value. If a candidate or leader discovers that its term is
// out of date, it immediately reverts to follower state. If a server receives a
// request with a stale term number, it rejects the request."
func TestRaft_5_1_Terms(t *testing.T) {
	replies := []raft.MessageType{raft.RequestVoteReply, raft.AppendEntriesReply, raft.HeartbeatReply, raft.ReadIndexReply}
	for _, typ := range replies {
		s := newSolo(t, bootWith(3, 1, 1))
		s.lead(3)
		s.receive(2, raft.Message{Type: typ, Term: 9, Reject: true, Read: raft.ReadID{Node: 2}})
		if s.node.Role() != raft.Follower || s.node.Term() != 9 {
			t.Errorf("%s of a later term leaves a %s in term %d", typ, s.node.Role(), s.node.Term())
		}
	}
	stale := []raft.Message{
		{Type: raft.RequestVote, Term: 4}, {Type: raft.RequestPreVote, Term: 4},
		{Type: raft.AppendEntries, Term: 4}, {Type: raft.Heartbeat, Term: 4},
	}
	for _, m := range stale {
		s := newSolo(t, bootWith(3, 5, 1))
		sent := s.receive(2, m)
		if len(sent) != 1 || sent[0].Term != 5 || s.node.Leader() != 0 {
			t.Errorf("stale %s is answered with %v", m.Type, sent)
		}
	}
}

// §5.2: "A candidate wins an election if it receives votes from a majority of the
// servers in the full cluster for the same term."
func TestRaft_5_2_MajorityWins(t *testing.T) {
	for _, c := range []struct {
		size    int
		granted []raft.NodeID
		refused []raft.NodeID
		want    raft.Role
	}{
		{1, nil, nil, raft.Leader},
		{2, nil, nil, raft.Candidate},
		{2, []raft.NodeID{2}, nil, raft.Leader},
		{3, []raft.NodeID{2}, nil, raft.Leader},
		{3, []raft.NodeID{2}, []raft.NodeID{3}, raft.Leader},
		{3, nil, []raft.NodeID{2}, raft.Candidate},
		{3, nil, []raft.NodeID{2, 3}, raft.Follower},
		{4, []raft.NodeID{2}, nil, raft.Candidate},
		{4, []raft.NodeID{2}, []raft.NodeID{3, 4}, raft.Follower},
		{4, []raft.NodeID{2, 3}, nil, raft.Leader},
		{5, []raft.NodeID{2}, []raft.NodeID{3}, raft.Candidate},
		{5, []raft.NodeID{2, 3}, []raft.NodeID{4, 5}, raft.Leader},
		{5, []raft.NodeID{2, 2, 2}, nil, raft.Candidate}, // a voter counts once
		{5, []raft.NodeID{2, 9}, nil, raft.Candidate},    // a stranger doesn't
	} {
		t.Run(fmt.Sprintf("size=%d/granted=%d/refused=%d", c.size, c.granted, c.refused), func(t *testing.T) {
			cfg := soloConfig(1)
			cfg.DisablePreVote = true
			n, err := raft.New(cfg, bootWith(c.size, 0))
			if err != nil {
				t.Fatal(err)
			}
			s := &solo{t: t, node: n}
			n.Campaign()
			s.run()
			for _, id := range c.granted {
				s.receive(id, raft.Message{Type: raft.RequestVoteReply, Term: 1})
			}
			for _, id := range c.refused {
				s.receive(id, raft.Message{Type: raft.RequestVoteReply, Term: 1, Reject: true})
			}
			if n.Role() != c.want {
				t.Errorf("is %s, want %s", n.Role(), c.want)
			}
		})
	}
}

// §5.2: "Each server will vote for at most one candidate in a given term, on a
// first-come-first-served basis."
func TestRaft_5_2_OneVote(t *testing.T) {
	end := raft.EntryID{Term: 1, Index: 1}
	for _, c := range []struct{ vote, candidate raft.NodeID }{{0, 2}, {0, 3}, {2, 2}, {3, 3}, {2, 3}, {3, 2}} {
		b := bootWith(3, 2, 1)
		b.HardState.Vote = c.vote
		s := newSolo(t, b)
		sent := s.receive(c.candidate, raft.Message{Type: raft.RequestVote, Term: 2, LogEnd: end})
		granted := c.vote == 0 || c.vote == c.candidate
		if len(sent) != 1 || sent[0].Type != raft.RequestVoteReply || sent[0].Reject == granted {
			t.Errorf("vote is n%s, n%s asks: %v", c.vote, c.candidate, sent)
		}
	}
}

// §5.2: "Raft uses randomized election timeouts … chosen randomly from a fixed
// interval"; "each candidate restarts its randomized election timeout at the start
// of an election".
func TestRaft_5_2_RandomisedTimeout(t *testing.T) {
	cfg := soloConfig(1)
	n, err := raft.New(cfg, bootWith(3, 0))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]int{}
	for range 500 {
		waited := 0
		for campaigned := false; !campaigned; waited++ {
			n.Tick()
			for _, e := range n.Output(raft.Credit{Persist: false}).Events {
				campaigned = campaigned || e.Kind == raft.EventBecamePreCandidate
			}
		}
		seen[waited]++
	}
	for wait := range seen {
		if wait < cfg.ElectionTicks || wait >= 2*cfg.ElectionTicks {
			t.Errorf("waited %d ticks, outside [%d, %d)", wait, cfg.ElectionTicks, 2*cfg.ElectionTicks)
		}
	}
	if len(seen) != cfg.ElectionTicks {
		t.Errorf("only %d different timeouts in 500: %v", len(seen), seen)
	}
}

// §5.3: "When sending an AppendEntries RPC, the leader includes the index and term of
// the entry in its log that immediately precedes the new entries. If the follower
// does not find an entry in its log with the same index and term, then it refuses
// the new entries."
func TestRaft_5_3_ConsistencyCheck(t *testing.T) {
	for _, c := range []struct {
		prev   raft.EntryID
		reject bool
		hint   raft.EntryID
	}{
		{raft.EntryID{}, false, raft.EntryID{}},
		{raft.EntryID{Term: 1, Index: 1}, false, raft.EntryID{}},
		{raft.EntryID{Term: 2, Index: 2}, false, raft.EntryID{}},
		{raft.EntryID{Term: 1, Index: 2}, true, raft.EntryID{Term: 1, Index: 1}},
		{raft.EntryID{Term: 4, Index: 2}, true, raft.EntryID{Term: 2, Index: 2}},
		{raft.EntryID{Term: 3, Index: 3}, true, raft.EntryID{Term: 2, Index: 2}},
		{raft.EntryID{Term: 3, Index: 9}, true, raft.EntryID{Term: 2, Index: 2}},
	} {
		s := newSolo(t, bootWith(3, 4, 1, 2))
		sent := s.receive(2, raft.Message{Type: raft.AppendEntries, Term: 4, Prev: c.prev})
		if len(sent) != 1 || sent[0].Reject != c.reject || sent[0].Hint != c.hint {
			t.Errorf("prev %s is answered with %v", c.prev, sent)
		} else if !c.reject && sent[0].Match != c.prev.Index {
			t.Errorf("prev %s: match %d", c.prev, sent[0].Match)
		}
	}
}

// Figure 2, AppendEntries 3 and 4: "If an existing entry conflicts with a new one
// (same index but different terms), delete the existing entry and all that follow
// it. Append any new entries not already in the log."
func TestRaft_5_3_Conflicts(t *testing.T) {
	for _, c := range []struct {
		name string
		log  []raft.Term
		prev raft.EntryID
		new  []raft.Term
		want []raft.Term
	}{
		{"append", []raft.Term{1}, raft.EntryID{Term: 1, Index: 1}, []raft.Term{2, 3}, []raft.Term{1, 2, 3}},
		{"all there", []raft.Term{1, 2, 3}, raft.EntryID{Term: 1, Index: 1}, []raft.Term{2}, []raft.Term{1, 2, 3}},
		{"some there", []raft.Term{1, 2}, raft.EntryID{Term: 1, Index: 1}, []raft.Term{2, 3}, []raft.Term{1, 2, 3}},
		{"nothing new", []raft.Term{1, 2, 3}, raft.EntryID{Term: 1, Index: 1}, nil, []raft.Term{1, 2, 3}},
		{"conflict at once", []raft.Term{1, 2, 2}, raft.EntryID{Term: 1, Index: 1}, []raft.Term{3}, []raft.Term{1, 3}},
		{"conflict later", []raft.Term{1, 2, 2}, raft.EntryID{Term: 1, Index: 1}, []raft.Term{2, 3}, []raft.Term{1, 2, 3}},
		{"conflict at the start", []raft.Term{1, 1}, raft.EntryID{}, []raft.Term{2}, []raft.Term{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSolo(t, bootWith(3, 4, c.log...))
			m := raft.Message{Type: raft.AppendEntries, Term: 4, Prev: c.prev}
			for k, term := range c.new {
				e := raft.Entry{Index: c.prev.Index + raft.Index(k+1), Term: term}
				e.CRC = raft.EntryCRC(e)
				m.Entries = append(m.Entries, e)
			}
			s.receive(2, m)
			var got []raft.Term
			for i := raft.Index(1); i <= s.node.Status().Last; i++ {
				term, _ := s.node.TermAt(i)
				got = append(got, term)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("log has terms %v, want %v", got, c.want)
			}
		})
	}
}

// Figure 2, AppendEntries 5: "If leaderCommit > commitIndex, set commitIndex =
// min(leaderCommit, index of last new entry)."
func TestRaft_5_3_FollowerCommit(t *testing.T) {
	for _, c := range []struct {
		prev, commit, want raft.Index
	}{{3, 0, 0}, {3, 2, 2}, {3, 3, 3}, {3, 9, 3}, {1, 3, 1}} {
		s := newSolo(t, bootWith(3, 1, 1, 1, 1))
		s.receive(2, raft.Message{Type: raft.AppendEntries, Term: 1, Prev: raft.EntryID{Term: 1, Index: c.prev}, Commit: c.commit})
		if got := s.node.Commit(); got != c.want {
			t.Errorf("prev %d, leader's commit %d: commit %d, want %d", c.prev, c.commit, got, c.want)
		}
	}
}

// §5.4.1: "the voter denies its vote if its own log is more up-to-date than that of
// the candidate … If the logs have last entries with different terms, then the log
// with the later term is more up-to-date. If the logs end with the same term, then
// whichever log is longer is more up-to-date."
func TestRaft_5_4_1_UpToDate(t *testing.T) {
	for _, c := range []struct {
		end  raft.EntryID
		want bool
	}{
		{raft.EntryID{Term: 2, Index: 3}, true},
		{raft.EntryID{Term: 2, Index: 4}, true},
		{raft.EntryID{Term: 3, Index: 1}, true},
		{raft.EntryID{Term: 2, Index: 2}, false},
		{raft.EntryID{Term: 1, Index: 9}, false},
		{raft.EntryID{}, false},
	} {
		for _, typ := range []raft.MessageType{raft.RequestVote, raft.RequestPreVote} {
			s := newSolo(t, bootWith(3, 3, 1, 2, 2))
			sent := s.receive(2, raft.Message{Type: typ, Term: 4, LogEnd: c.end})
			if len(sent) != 1 || sent[0].Reject == c.want {
				t.Errorf("%s with a log up to %s: %v", typ, c.end, sent)
			}
		}
	}
}

// §5.4.2: "Raft never commits log entries from previous terms by counting replicas.
// Only log entries from the leader's current term are committed by counting
// replicas; once an entry from the current term has been committed in this way,
// then all prior entries are committed indirectly."
func TestRaft_5_4_2_OnlyOwnTermIsCounted(t *testing.T) {
	s := newSolo(t, bootWith(3, 2, 1, 2))
	s.lead(3)
	for i := raft.Index(1); i <= 2; i++ {
		s.receive(2, raft.Message{Type: raft.AppendEntriesReply, Term: 3, Match: i})
		if s.node.Commit() != 0 {
			t.Fatalf("commit %d with only entries of earlier terms on a majority", s.node.Commit())
		}
	}
	s.receive(2, raft.Message{Type: raft.AppendEntriesReply, Term: 3, Match: 3})
	if s.node.Commit() != 3 {
		t.Fatalf("commit %d, want 3 with the no-op on a majority", s.node.Commit())
	}
}

// Figure 2: "Persistent state on all servers (updated on stable storage before
// responding to RPCs)". Whatever is asked, an answer that rests on a change waits
// for the write.
func TestRaft_Figure_2_PersistBeforeResponding(t *testing.T) {
	entry := raft.Entry{Index: 2, Term: 2}
	entry.CRC = raft.EntryCRC(entry)
	end := raft.EntryID{Term: 1, Index: 1}
	meta := raft.SnapshotMeta{Last: raft.EntryID{Term: 2, Index: 9}, Config: raft.ConfigAt{Config: voters(3, 0)}}
	for _, m := range []raft.Message{
		{Type: raft.RequestVote, Term: 2, LogEnd: end},
		{Type: raft.RequestVote, Term: 2}, // refused, but of term 2
		{Type: raft.AppendEntries, Term: 2, Prev: end, Entries: []raft.Entry{entry}},
		{Type: raft.AppendEntries, Term: 2, Prev: raft.EntryID{Term: 2, Index: 5}}, // rejected, but of term 2
		{Type: raft.Heartbeat, Term: 2},
		{Type: raft.InstallSnapshot, Term: 2, Snapshot: &meta},
		{Type: raft.TimeoutNow, Term: 2},
	} {
		t.Run(m.Type.String(), func(t *testing.T) {
			s := newSolo(t, bootWith(3, 1, 1))
			s.hold = true
			if sent := s.receive(2, m); len(sent) > 0 {
				t.Fatalf("sends %v before anything is durable", sent)
			}
			p := s.pending
			if p == nil || p.HardState.Term < 2 || !p.MustSync {
				t.Fatalf("writes %+v", p)
			}
			s.hold = false
			s.run()
			if len(s.sent) == 0 {
				t.Fatalf("never answers")
			}
		})
	}
}

// §6: "…Once a given server adds the new configuration entry to its log, it uses that
// configuration for all future decisions (a server always uses the latest
// configuration in its log, regardless of whether the entry is committed)."
func TestRaft_6_LatestConfigurationInLog(t *testing.T) {
	s := newSolo(t, bootWith(1, 1, 1))
	s.lead(1)
	if _, err := s.node.ProposeConfig(raft.ConfigChange{Set: []raft.Member{{ID: 2, Voter: true}}}); err != nil {
		t.Fatal(err)
	}
	s.run()
	before := s.node.Commit()
	if _, err := s.node.Propose([][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	s.run()
	if s.node.Commit() != before {
		t.Fatalf("commits %d without n2, which counts since the change was appended", s.node.Commit())
	}
	s.receive(2, raft.Message{Type: raft.AppendEntriesReply, Term: 2, Match: s.node.Status().Last})
	if s.node.Commit() == before {
		t.Fatalf("does not commit with n2")
	}
}

// §7: "If instead the follower receives a snapshot that describes a prefix of its log
// (due to retransmission or by mistake), then log entries covered by the snapshot
// are deleted but entries following the snapshot are still valid and must be
// retained." (Here compaction is the driver's; the entries simply stay.)
func TestRaft_7_SnapshotOfAPrefix(t *testing.T) {
	s := newSolo(t, bootWith(3, 2, 1, 1, 2))
	meta := raft.SnapshotMeta{Last: raft.EntryID{Term: 1, Index: 2}, Config: raft.ConfigAt{Config: voters(3, 0)}}
	sent := s.receive(2, raft.Message{Type: raft.InstallSnapshot, Term: 2, Snapshot: &meta})
	st := s.node.Status()
	if st.Last != 3 || st.Commit != 2 || len(sent) != 1 || sent[0].Match != 2 {
		t.Fatalf("last %d, commit %d, sends %v", st.Last, st.Commit, sent)
	}
}

// Thesis §4.2.3: "if a server receives a RequestVote request within the minimum
// election timeout of hearing from a current leader, it does not update its term or
// grant its vote."
func TestThesis_4_2_3_LeaderStickiness(t *testing.T) {
	for _, transfer := range []bool{false, true} {
		for elapsed := range 2 * defaultConfig().ElectionTicks {
			s := newSolo(t, bootWith(3, 1, 1))
			s.receive(2, raft.Message{Type: raft.Heartbeat, Term: 1})
			for range elapsed {
				s.node.Tick()
			}
			s.run()
			s.receive(3, raft.Message{Type: raft.RequestVote, Term: 5, LogEnd: raft.EntryID{Term: 4, Index: 9}, Transfer: transfer})
			ignored := s.node.Term() == 1
			if want := elapsed < 10 && !transfer; ignored != want {
				t.Errorf("%d ticks after a heartbeat, transfer %t: ignored %t", elapsed, transfer, ignored)
			}
		}
	}
}

// Thesis §6.2: "a leader steps down if an election timeout elapses without a
// successful round of heartbeats to a majority of its cluster". Five members: it
// needs two of the four others.
func TestThesis_6_2_CheckQuorum(t *testing.T) {
	for answering, stays := range map[int]bool{0: false, 1: false, 2: true, 4: true} {
		s := newSolo(t, bootWith(5, 1, 1))
		s.lead(5)
		for range 4 * defaultConfig().ElectionTicks {
			s.tick(1)
			for k := range answering {
				if s.node.Role() == raft.Leader {
					s.receive(raft.NodeID(2+k), raft.Message{Type: raft.HeartbeatReply, Term: 2})
				}
			}
		}
		if got := s.node.Role() == raft.Leader; got != stays {
			t.Errorf("with %d of 4 answering: leads %t, want %t", answering, got, stays)
		}
		s.sent = nil
		s.tick(3)
		if n := count(s.sent, raft.Heartbeat); n > 0 && !stays {
			t.Errorf("goes on with heartbeats after stepping down")
		}
	}
}

// Thesis §9.6: "In the Pre-Vote algorithm, a candidate only increments its term if it
// first learns from a majority of the cluster that they would be willing to grant
// the candidate their votes".
func TestThesis_9_6_PreVote(t *testing.T) {
	s := newSolo(t, bootWith(3, 3, 1))
	s.tick(100)
	if s.node.Term() != 3 || count(s.sent, raft.RequestVote) > 0 {
		t.Fatalf("term %d after 100 ticks alone", s.node.Term())
	}
	s.receive(2, raft.Message{Type: raft.RequestPreVoteReply, Term: 9})
	if s.node.Role() != raft.PreCandidate {
		t.Fatalf("an answer about another term makes it %s", s.node.Role())
	}
	s.receive(2, raft.Message{Type: raft.RequestPreVoteReply, Term: 4})
	if s.node.Role() != raft.Candidate || s.node.Term() != 4 {
		t.Fatalf("is %s in term %d", s.node.Role(), s.node.Term())
	}
}

// Thesis §9.6, the other way round: without Pre-Vote, "a server that is partitioned
// from the rest of the cluster … will increment its term" with every timeout, and
// ask for votes at once. A leader without a quorum steps down all the same (§6.2).
func TestThesis_9_6_WithoutPreVote(t *testing.T) {
	cfg := soloConfig(1)
	cfg.DisablePreVote = true
	n, err := raft.New(cfg, bootWith(3, 3, 1))
	if err != nil {
		t.Fatal(err)
	}
	s := &solo{t: t, node: n}
	s.tick(100)
	campaigns := count(s.sent, raft.RequestVote) / 2
	if campaigns < 5 || s.node.Term() != raft.Term(3+campaigns) || count(s.sent, raft.RequestPreVote) > 0 {
		t.Fatalf("%d campaigns, term %d after 100 ticks alone", campaigns, s.node.Term())
	}
	s.receive(2, raft.Message{Type: raft.RequestVoteReply, Term: s.node.Term()})
	if s.node.Role() != raft.Leader {
		t.Fatalf("with a majority's votes it is %s", s.node.Role())
	}
	s.tick(2 * cfg.ElectionTicks)
	if s.node.Role() == raft.Leader {
		t.Error("leads on without a quorum")
	}
}

// Thesis §10.2.1: the leader may write to its own disk in parallel with replicating,
// "the leader may even commit an entry before it has been written to its own disk,
// if a majority of followers have written it to their disks".
func TestThesis_10_2_1_WriteInParallel(t *testing.T) {
	s := newSolo(t, bootWith(3, 1, 1))
	s.lead(3)
	s.hold = true
	s.sent = nil
	s.receive(2, raft.Message{Type: raft.AppendEntriesReply, Term: 2, Match: 2})
	s.receive(3, raft.Message{Type: raft.AppendEntriesReply, Term: 2, Match: 2})
	if _, err := s.node.Propose([][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	s.sent = nil
	s.run()
	if count(s.sent, raft.AppendEntries) != 2 {
		t.Fatalf("sends %v while its disk is busy", s.sent)
	}
	s.receive(2, raft.Message{Type: raft.AppendEntriesReply, Term: 2, Match: 3})
	if s.node.Commit() != 2 {
		t.Fatalf("commit %d with one durable copy of three", s.node.Commit())
	}
	s.receive(3, raft.Message{Type: raft.AppendEntriesReply, Term: 2, Match: 3})
	if st := s.node.Status(); st.Commit != 3 || st.Persisted != 2 {
		t.Fatalf("commit %d, durable here %d", st.Commit, st.Persisted)
	}
}
