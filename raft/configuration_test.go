package raft

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// row makes a member from a word: 1v voter, 2l learner, 3o old, 4b both, 5x
// leaving (old), 6y leaving learner.
func row(s string) Member {
	m := Member{ID: NodeID(s[0] - '0')}
	switch s[1] {
	case 'v':
		m.Voter = true
	case 'o':
		m.OldVoter = true
	case 'b':
		m.Voter, m.OldVoter = true, true
	case 'x':
		m.OldVoter, m.Leaving = true, true
	case 'y':
		m.Leaving = true
	}
	return m
}

func conf(rows ...string) Configuration {
	var c Configuration
	for _, r := range rows {
		c.Members = append(c.Members, row(r))
	}
	return c
}

// TestRaft_6_JointConfigurations: each change of voters has a joint
// configuration on its way, and ends where it should.
func TestRaft_6_JointConfigurations(t *testing.T) {
	for _, c := range []struct {
		name        string
		now         Configuration
		change      ConfigChange
		joint, want Configuration // joint empty: one entry is enough
	}{
		{"add a learner", conf("1v"), ConfigChange{Set: []Member{row("2l")}}, conf(), conf("1v", "2l")},
		{"remove a learner", conf("1v", "2l"), ConfigChange{Remove: []NodeID{2}}, conf(), conf("1v")},
		{"add a voter", conf("1v"), ConfigChange{Set: []Member{row("2v")}}, conf("1b", "2v"), conf("1v", "2v")},
		{"promote", conf("1v", "2l"), ConfigChange{Set: []Member{row("2v")}}, conf("1b", "2v"), conf("1v", "2v")},
		{"demote", conf("1v", "2v"), ConfigChange{Set: []Member{row("1l")}}, conf("1o", "2b"), conf("1l", "2v")},
		{"remove a voter", conf("1v", "2v"), ConfigChange{Remove: []NodeID{1}}, conf("1x", "2b"), conf("2v")},
		{"replace", conf("1v", "2v"), ConfigChange{Set: []Member{row("3v")}, Remove: []NodeID{1}},
			conf("1x", "2b", "3v"), conf("2v", "3v")},
		{"remove a learner with a voter", conf("1v", "2l", "3v"), ConfigChange{Remove: []NodeID{2, 3}},
			conf("1b", "2y", "3x"), conf("1v")},
		{"remove an unknown member", conf("1v"), ConfigChange{Remove: []NodeID{9}}, conf(), conf("1v")},
	} {
		t.Run(c.name, func(t *testing.T) {
			next, err := c.now.change(c.change)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(next.Members, c.want.Members) {
				t.Fatalf("change gives %s, want %s", next, c.want)
			}
			if c.now.sameVoters(&next) {
				if len(c.joint.Members) > 0 {
					t.Fatalf("goes in one entry, want joint %s", c.joint)
				}
				return
			}
			joint := c.now.joint(next)
			if !slices.Equal(joint.Members, c.joint.Members) || joint.Check() != nil {
				t.Errorf("joint is %s (%v), want %s", joint, joint.Check(), c.joint)
			}
			if final := joint.final(); !slices.Equal(final.Members, c.want.Members) {
				t.Errorf("final is %s, want %s", final, c.want)
			}
		})
	}
}

func TestConfigChangeRefused(t *testing.T) {
	bound := conf("1v", "2v")
	bound.Members[1].Incarnation = 7
	other := row("2v")
	other.Incarnation = 8
	long := row("3l")
	long.Address = string(make([]byte, AddressBytesMax+1))
	for name, ch := range map[string]ConfigChange{
		"no voter":     {Set: []Member{row("1l"), row("2l")}},
		"nobody":       {Remove: []NodeID{1, 2}},
		"twice":        {Set: []Member{row("3l"), row("3v")}},
		"both":         {Set: []Member{row("3l")}, Remove: []NodeID{3}},
		"zero":         {Set: []Member{{Voter: true}}},
		"rebind":       {Set: []Member{other}},
		"long address": {Set: []Member{long}},
		"long context": {Context: make([]byte, ContextBytesMax+1)},
	} {
		if next, err := bound.change(ch); !errors.Is(err, ErrBadConfiguration) {
			t.Errorf("%s: gives %s, %v", name, next, err)
		}
	}
	// A row without an incarnation keeps the bound one.
	next, err := bound.change(ConfigChange{Set: []Member{{ID: 2, Voter: true, Address: "a"}}})
	if m, _ := next.Find(2); err != nil || m.Incarnation != 7 || m.Address != "a" {
		t.Errorf("row is %+v, %v", m, err)
	}
}

// TestQuorumModel compares the quorum arithmetic with its definition: an index
// is held if more than half of each side hold it.
func TestQuorumModel(t *testing.T) { rapid.Check(t, quorumModel) }

func FuzzQuorum(f *testing.F) { fuzz.Model(f, quorumModel) }

func quorumModel(t *rapid.T) {
	var c Configuration
	match := map[NodeID]Index{}
	for id := NodeID(1); id <= NodeID(rapid.IntRange(1, 9).Draw(t, "members")); id++ {
		c.Members = append(c.Members, Member{ID: id, Voter: rapid.Bool().Draw(t, "voter"), OldVoter: rapid.Bool().Draw(t, "old")})
		match[id] = Index(rapid.IntRange(0, 6).Draw(t, "match"))
	}
	got := c.held(func(id NodeID) Index { return match[id] })
	want, any := Index(0), false
	for i := Index(1); i <= 6; i++ {
		if heldBy(&c, match, i, func(m Member) bool { return m.Voter }) &&
			heldBy(&c, match, i, func(m Member) bool { return m.OldVoter }) {
			want = i
		}
	}
	for _, m := range c.Members {
		any = any || m.votes()
	}
	if !any {
		want = 0
	}
	if got != want {
		t.Fatalf("%v with %v: held %d, want %d", c.Members, match, got, want)
	}
	yes := c.quorum(func(id NodeID) bool { return match[id] >= 3 })
	if yes != (want >= 3) {
		t.Fatalf("quorum of those at 3 or above: %t, held %d", yes, want)
	}
}

func heldBy(c *Configuration, match map[NodeID]Index, i Index, side func(Member) bool) bool {
	n, have := 0, 0
	for _, m := range c.Members {
		if side(m) {
			n++
			if match[m.ID] >= i {
				have++
			}
		}
	}
	return n == 0 || 2*have > n
}
