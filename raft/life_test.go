package raft

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// remembering is member 1 of three; it remembers of member 2: start 4, term 7,
// entry 50 acknowledged there.
func remembering(t *testing.T, peers ...PeerMark) *Node {
	t.Helper()
	n, err := New(Config{
		ID: 1, Incarnation: 101, Boot: 2, Nonce: 12, ElectionTicks: 10, HeartbeatTicks: 2, Rand: rand.New(rand.NewPCG(1, 1)),
		MessageEntriesMax: 10, MessageBytesMax: 1000, InflightMessagesMax: 4, InflightBytesMax: 1000,
		UncommittedBytesMax: 1000, TailBytesMax: 1000, TailEntriesMax: 10,
	}, Boot{HardState: HardState{Term: 7}, Snapshot: SnapshotMeta{Config: ConfigAt{Config: conf("1v", "2v", "3v")}}, Peers: peers})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var mark2 = PeerMark{ID: 2, Incarnation: 102, Boot: 4, Nonce: 44, Term: 7, Match: 50}

func sentBy(n *Node, kind MessageType) (list []Message) {
	for _, m := range n.Output(Credit{}).Send {
		if m.Type == kind {
			list = append(list, m)
		}
	}
	return list
}

// TestAdmit: which life counts, told what is remembered.
func TestAdmit(t *testing.T) {
	for name, c := range map[string]struct {
		life    Life
		admit   bool
		forgets bool // for good
	}{
		"the same life":                          {Life{Boot: 4, Nonce: 44, Term: 6, Last: 10}, true, false},
		"a late message of an earlier life":      {Life{Boot: 3, Nonce: 33, Term: 6, Last: 9}, false, false},
		"the next life, all there":               {Life{Boot: 5, Nonce: 55, Term: 7, Last: 50}, true, false},
		"the next life, a later term, cut":       {Life{Boot: 5, Nonce: 55, Term: 8, Last: 20}, true, false},
		"the next life, a lower term":            {Life{Boot: 5, Nonce: 55, Term: 6, Last: 90}, false, true},
		"the next life, an entry short":          {Life{Boot: 5, Nonce: 55, Term: 7, Last: 49}, false, true},
		"a copy that counts as far":              {Life{Boot: 4, Nonce: 45, Term: 7, Last: 50}, false, true},
		"a copy of long ago":                     {Life{Boot: 2, Nonce: 20, Term: 1, Last: 1}, false, false},
		"a message that tells of no life":        {Life{}, true, false},
		"a life much later, with all and more":   {Life{Boot: 9, Nonce: 99, Term: 9, Last: 99}, true, false},
		"a life much later, that lacks an entry": {Life{Boot: 9, Nonce: 99, Term: 7, Last: 3}, false, true},
	} {
		n := remembering(t, mark2)
		n.Receive(Message{Type: RequestPreVote, From: 2, To: 1, Incarnation: 102, Term: 9, LogEnd: EntryID{Term: 7, Index: 99}, Life: c.life})
		out := n.Output(Credit{})
		granted := slices.ContainsFunc(out.Send, func(m Message) bool { return m.Type == RequestPreVoteReply && !m.Reject })
		told := slices.ContainsFunc(out.Send, func(m Message) bool {
			return m.Type == Disown && m.Fence.Nonce == c.life.Nonce && m.Fence.Mark.Boot == 4 && m.Fence.Mark.Match == 50
		})
		if granted != c.admit || told != !c.admit || n.marks.disowned(2) != c.forgets {
			t.Errorf("%s: granted %v, told %v, disowned %v; mark %s", name, granted, told, n.marks.disowned(2), n.marks.find(2))
		}
		// What was found out is kept, also over this member's own start.
		list, _, _ := n.PeerMarks()
		again := remembering(t, list...)
		again.Receive(Message{Type: RequestPreVote, From: 2, To: 1, Incarnation: 102, Term: 20, LogEnd: EntryID{Term: 19, Index: 99},
			Life: Life{Boot: 10, Nonce: 100, Term: 19, Last: 99}})
		if got := len(sentBy(again, RequestPreVoteReply)) == 1; got == c.forgets {
			t.Errorf("%s: a later life of it is heard: %v", name, got)
		}
	}
}

// TestMarksRise: what is remembered is what was durable there, and no more.
func TestMarksRise(t *testing.T) {
	life := Life{Boot: 1, Nonce: 5}
	from2 := func(m Message) Message {
		m.From, m.To, m.Incarnation, m.Life = 2, 1, 102, life
		return m
	}
	n := remembering(t)
	for _, c := range []struct {
		m    Message
		term Term
		turn bool
	}{
		{Message{Type: RequestPreVote, Term: 90}, 0, true},       // would campaign; the life itself is new
		{Message{Type: RequestPreVoteReply, Term: 90}, 0, false}, // echoed
		{Message{Type: RequestPreVoteReply, Term: 5, Reject: true}, 5, true},
		{Message{Type: HeartbeatReply, Term: 5}, 5, false},
		{Message{Type: HeartbeatReply, Term: 4}, 5, false}, // late
		{Message{Type: AppendEntriesReply, Term: 6, Reject: true, Match: 70}, 6, true},
	} {
		before, _ := n.MarksMoved()
		n.Receive(from2(c.m))
		after, _ := n.MarksMoved()
		if p := n.marks.find(2); p.Term != c.term || p.Match != 0 || (after > before) != c.turn {
			t.Errorf("after %v: %s, turned %v", c.m, p, after > before)
		}
	}
	n.Receive(from2(Message{Type: AppendEntriesReply, Term: 6, Match: 30}))
	n.Receive(from2(Message{Type: AppendEntriesReply, Term: 6, Match: 20}))
	if p := n.marks.find(2); p.Match != 30 {
		t.Errorf("acknowledged 30, remembered %s", p)
	}
	// Another incarnation is another disk: it owes nothing.
	m := from2(Message{Type: HeartbeatReply, Term: 1})
	m.Incarnation, m.Life = 103, Life{Boot: 1, Nonce: 6}
	n.heard = nil // as after a start: nobody is bound
	n.Receive(m)
	if p := n.marks.find(2); p.Incarnation != 103 || p.Term != 1 || p.Match != 0 {
		t.Errorf("another incarnation: %s", p)
	}
}

// TestDisowned: who hears that it has forgotten falls silent for good; answers
// to an earlier life of it are not for it.
func TestDisowned(t *testing.T) {
	n := remembering(t)
	told := Message{Type: Disown, From: 2, To: 1, Incarnation: 102, Term: 1,
		Fence: &Fence{Nonce: 11, Mark: PeerMark{ID: 1, Incarnation: 101, Boot: 3, Term: 9, Match: 4}}}
	n.Receive(told)
	if out := n.Output(Credit{}); out.Fenced != nil {
		t.Fatal("it was another life that was meant")
	}
	told.Fence = &Fence{Nonce: 12, Mark: told.Fence.Mark}
	n.Receive(told)
	f := n.Output(Credit{}).Fenced
	if f == nil || f.By != 2 || f.Mark.Boot != 3 || f.Life.Boot != 2 || f.Life.Term != 7 {
		t.Fatalf("notice %+v", f)
	}
	for range 100 {
		n.Tick()
	}
	n.Campaign()
	n.Receive(Message{Type: RequestVote, From: 3, To: 1, Incarnation: 103, Term: 30, LogEnd: EntryID{Term: 29, Index: 99}})
	if out := n.Output(Credit{Persist: true}); len(out.Send) > 0 || out.Persist != nil || n.Term() != 7 {
		t.Errorf("it goes on: %+v", out)
	}
}

// TestAnnounce: the first tick tells all others of this life, and a link that
// comes up tells its member once more.
func TestAnnounce(t *testing.T) {
	n := remembering(t)
	n.Tick()
	first := sentBy(n, Announce)
	n.Tick()
	n.Announce(3)
	again := sentBy(n, Announce)
	if len(first) != 2 || first[0].Life != (Life{Boot: 2, Nonce: 12, Term: 7}) || len(again) != 1 || again[0].To != 3 {
		t.Errorf("announced %v, then %v", first, again)
	}
	other := remembering(t)
	other.Receive(Message{Type: Announce, From: 2, To: 1, Incarnation: 102, Term: 30, Life: Life{Boot: 1, Nonce: 1}})
	if other.Term() != 7 {
		t.Error("a member that comes back makes nobody step up")
	}
}

// TestLeaderForgetsAcknowledgements: an entry needs a quorum of disks that hold
// it; that of a member which has forgotten is none.
func TestLeaderForgetsAcknowledgements(t *testing.T) {
	n := leaderOfOne(t)
	if n.matchOf(2) != 0 {
		t.Fatal("nothing is acknowledged yet")
	}
	say := func(m Message, life Life) {
		m.From, m.To, m.Incarnation, m.Term, m.Life = 2, 1, 102, n.Term(), life
		n.Receive(m)
	}
	say(Message{Type: AppendEntriesReply, Match: 1}, Life{Boot: 1, Nonce: 7})
	if n.matchOf(2) != 1 {
		t.Fatal("acknowledged, and not counted")
	}
	say(Message{Type: HeartbeatReply}, Life{Boot: 2, Nonce: 8, Term: n.Term(), Last: 0})
	if n.matchOf(2) != 0 || n.acknowledgedBy(2) != 1 {
		t.Error("the acknowledgement of a disk that forgot still counts")
	}
	if err := CheckState(n); err != nil {
		t.Error(err)
	}
}
