package raft

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func leaderOfOne(t *testing.T) *Node {
	t.Helper()
	cfg := Config{
		ID: 1, Incarnation: 101, Boot: 1, ElectionTicks: 10, HeartbeatTicks: 2, Rand: rand.New(rand.NewPCG(1, 1)),
		MessageEntriesMax: 10, MessageBytesMax: 1000, InflightMessagesMax: 4, InflightBytesMax: 1000,
		UncommittedBytesMax: 1000, TailBytesMax: 1000, TailEntriesMax: 10,
	}
	n, err := New(cfg, Boot{Snapshot: SnapshotMeta{Config: ConfigAt{Config: conf("1v", "2l")}}})
	if err != nil {
		t.Fatal(err)
	}
	n.Campaign()
	for credit := (Credit{Persist: true, ApplyBytes: 100}); n.HasReady(credit); {
		out := n.Output(credit)
		if out.Persist != nil {
			n.Persisted(out.Persist.Write)
		}
		if k := len(out.Apply); k > 0 {
			n.Applied(out.Apply[k-1].Index)
		}
	}
	if err := CheckState(n); err != nil || n.role != Leader {
		t.Fatalf("is %s: %v", n.role, err)
	}
	return n
}

// TestCheckStateFinds: each invariant is found when it is broken, so a run that
// passes says something.
func TestCheckStateFinds(t *testing.T) {
	for want, f := range map[string]func(*Node){
		"log start ≤ commit":               func(n *Node) { n.log.commit = 9 },
		"applied ≤ handed":                 func(n *Node) { n.applier.applied = 9 },
		"no entry of a later term":         func(n *Node) { n.log.terms.runs[0].Term = 9 },
		"persisted < next":                 func(n *Node) { n.writer.persisted = 9 },
		"the tail ends with the log":       func(n *Node) { n.log.tail.next = 9 },
		"durable ≤ handed out":             func(n *Node) { n.writer.durable.Term = 9 },
		"only a leader has progress":       func(n *Node) { n.role = Follower },
		"a leader follows itself":          func(n *Node) { n.leader = 2 },
		"the durable vote stands":          func(n *Node) { n.vote = 2 },
		"the configuration is in the log":  func(n *Node) { n.configs.stack[0].At = EntryID{1, 9} },
		"the no-op is in the log":          func(n *Node) { n.lead.noop = 9 },
		"a quorum holds":                   func(n *Node) { n.writer.persisted = 0 },
		"uncommitted bytes":                func(n *Node) { n.lead.uncommittedBytes = -1 },
		"the read round has begun":         func(n *Node) { n.lead.reads.flight.number = 9 },
		"no progress for n2":               func(n *Node) { n.lead.progress = nil },
		"match < next ≤ last+1":            func(n *Node) { n.lead.progress[0].next = 0 },
		"only a pipeline has messages":     func(n *Node) { n.lead.progress[0].inflight = []flight{{1, 0}} },
		"bytes in flight":                  func(n *Node) { n.lead.progress[0].inflightBytes = 5 },
		"no echo of a round":               func(n *Node) { n.lead.progress[0].round = 99 },
		"bad configuration":                func(n *Node) { n.configs.stack[0].Config = conf("1v", "1v") },
		"a candidate has no leader":        func(n *Node) { n.role, n.lead = Candidate, nil },
		"a candidate votes for itself":     func(n *Node) { n.role, n.lead, n.leader, n.term, n.vote = Candidate, nil, 0, 9, 2 },
		"a leader's term is durable":       func(n *Node) { n.term = 9 },
		"the lowest configuration":         func(n *Node) { n.log.commit, n.applier, n.configs.stack[0].At.Index = 0, applier{}, 1 },
		"what is not written is in memory": func(n *Node) { n.writer.next, n.writer.persisted, n.log.tail.entries = 1, 0, nil },
	} {
		n := leaderOfOne(t)
		f(n)
		err := CheckState(n)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestCheckStepFinds: so is each way to go back.
func TestCheckStepFinds(t *testing.T) {
	at := Checkpoint{
		ID: 1, Role: Leader, Term: 5, Vote: 1, Leader: 1, Commit: 5, Handed: 4, Applied: 3,
		Prev: EntryID{1, 2}, End: EntryID{5, 9}, Durable: HardState{Term: 5}, Issued: 7,
	}
	if err := CheckStep(at, at); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]func(*Checkpoint){
		"the same member":           func(c *Checkpoint) { c.ID = 2 },
		"terms never fall":          func(c *Checkpoint) { c.Term = 4 },
		"one vote a term":           func(c *Checkpoint) { c.Vote = 2 },
		"one leader a term":         func(c *Checkpoint) { c.Leader = 2 },
		"commit never falls":        func(c *Checkpoint) { c.Commit = 4 },
		"applied never falls":       func(c *Checkpoint) { c.Applied = 2 },
		"the log's start":           func(c *Checkpoint) { c.Prev = EntryID{1, 1} },
		"a leader only appends":     func(c *Checkpoint) { c.End.Index = 8 },
		"committed entries stay":    func(c *Checkpoint) { c.Role, c.End.Index = Follower, 4 },
		"durable terms never fall":  func(c *Checkpoint) { c.Durable.Term = 4 },
		"write numbers rise":        func(c *Checkpoint) { c.Issued = 6 },
		"a new leader opens its":    func(c *Checkpoint) { c.Term, c.Vote, c.Leader = 6, 1, 1 },
		"one vote a term: [{ID:1 ":  func(c *Checkpoint) { c.Vote = 0 },
		"applied never falls: [{ID": func(c *Checkpoint) { c.Handed = 3 },
	} {
		after := at
		f(&after)
		if err := CheckStep(at, after); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
