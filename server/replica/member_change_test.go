package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// join makes the machine of a member that is yet to be added.
func (c *cluster) join() *member {
	n := len(c.nodes)
	m := &member{c: c, id: raft.NodeID(n + 1), fs: disk.NewMem(), rng: rand.New(rand.NewPCG(uint64(n), 7))}
	c.nodes = append(c.nodes, m)
	return m
}

// startEmpty starts it as one that knows of nobody.
func (m *member) startEmpty() {
	tweak := m.c.tweak
	m.c.tweak = func(cfg *Config) {
		if tweak != nil {
			tweak(cfg)
		}
		cfg.Initial = raft.Configuration{}
	}
	m.start()
	m.c.tweak = tweak
}

func changeMember(m MemberChange) *Request {
	return &Request{Kind: ChangeMember, Body: AppendMemberChange(nil, m)}
}

// A voter is added while it isn't there: the answer comes at once, the quorum
// stays what it was, and once the member is started it becomes a voter by
// itself. All of it through a follower.
func TestAddVoter(t *testing.T) {
	for _, size := range []int{1, 3} {
		c := newCluster(t, size, nil)
		via := c.leader()
		if size > 1 {
			via = c.follower()
		}
		joiner := c.join()
		r := via.ask(changeMember(MemberChange{Op: AddMember, ID: joiner.id, URLs: []string{"http://new"}}))
		if r.Err != nil || len(r.Result.Members) != size+1 || r.Result.Members[size].Learner {
			t.Fatalf("of %d: %+v", size, r)
		}
		c.tick(50)
		via.mustPut("a", "1")
		joiner.startEmpty()
		c.tick(30)
		config := c.leader().r.Core.node.Status().Config.Config
		if m, _ := config.Find(joiner.id); !m.Voter || m.Joining {
			t.Fatalf("of %d: %+v", size, m)
		}
		if got := joiner.get("a"); got != "1" {
			t.Errorf("of %d: the new member reads %q", size, got)
		}
		c.checkEqual()
	}
}

// Refusals reach the client, wherever it asked; they leave nothing behind.
func TestMemberChangeErrors(t *testing.T) {
	c := newCluster(t, 3, nil)
	dead := c.join()
	add := MemberChange{Op: AddMember, ID: dead.id, URLs: []string{"http://new"}, Learner: true, LearnersMax: 1}
	if r := c.leader().ask(changeMember(add)); r.Err != nil || !r.Result.Members[3].Learner {
		t.Fatalf("add a learner: %+v", r)
	}
	c.leader().mustPut("a", "1")
	for _, via := range []*member{c.leader(), c.follower()} {
		for _, tt := range []struct {
			change MemberChange
			want   error
		}{
			{MemberChange{Op: AddMember, ID: 2, URLs: []string{"http://x"}}, ErrMemberExists},
			{MemberChange{Op: AddMember, ID: 9, URLs: []string{"http://x", "http://n2"}}, ErrPeerURLExists},
			{MemberChange{Op: AddMember, ID: 9, URLs: []string{"http://x"}, Learner: true, LearnersMax: 1}, ErrTooManyLearners},
			{MemberChange{Op: RemoveMember, ID: 9}, ErrMemberNotFound},
			{MemberChange{Op: UpdateMember, ID: 9, URLs: []string{"http://x"}}, ErrMemberNotFound},
			{MemberChange{Op: UpdateMember, ID: 1, URLs: []string{"http://n2"}}, ErrPeerURLExists},
			{MemberChange{Op: PromoteMember, ID: 9}, ErrMemberNotFound},
			{MemberChange{Op: PromoteMember, ID: 1}, ErrNotLearner},
			{MemberChange{Op: PromoteMember, ID: dead.id}, ErrLearnerNotReady},
		} {
			if r := via.ask(changeMember(tt.change)); !errors.Is(r.Err, tt.want) {
				t.Errorf("%+v through %d: %v, want %v", tt.change, via.id, r.Err, tt.want)
			}
		}
	}
	if r := c.follower().ask(changeMember(MemberChange{Op: UpdateMember, ID: 1, URLs: []string{"http://n1"}})); r.Err != nil {
		t.Errorf("an update that changes nothing: %v", r.Err)
	}
	c.checkEqual()
}

// Two changes at once: the second waits for the first, it isn't refused.
func TestMemberChangesWait(t *testing.T) {
	c := newCluster(t, 3, nil)
	l, f := c.leader(), c.follower()
	var replies []**Reply
	for i, via := range []*member{l, f, l} {
		replies = append(replies, via.start1(changeMember(MemberChange{
			Op: UpdateMember, ID: raft.NodeID(i + 1), URLs: []string{fmt.Sprintf("http://moved%d", i)},
		})))
	}
	c.tick(10)
	for i, r := range replies {
		if *r == nil || (*r).Err != nil {
			t.Errorf("change %d: %+v", i, *r)
		}
	}
}

// A frame that arrives twice changes the members once, and is answered well.
func TestMemberChangeTwice(t *testing.T) {
	c := newCluster(t, 3, nil)
	f := c.follower()
	c.deliver = func(_, _ raft.NodeID, fr transport.Frame) int {
		if fr.Kind == transport.KindForward {
			return 2
		}
		return 1
	}
	r := f.ask(changeMember(MemberChange{Op: AddMember, ID: c.join().id, URLs: []string{"http://new"}, Learner: true, LearnersMax: 1}))
	if r.Err != nil || len(r.Result.Members) != 4 {
		t.Fatalf("%+v", r)
	}
}

// A change that finds no leader waits for one.
func TestMemberChangeWithoutLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	gone, f := c.leader(), c.follower()
	gone.crash()
	r := f.ask(changeMember(MemberChange{Op: RemoveMember, ID: gone.id}))
	if r.Err != nil && !errors.Is(r.Err, ErrTimeoutLeaderFailed) {
		t.Fatalf("%+v", r)
	}
	if r := c.leader().ask(changeMember(MemberChange{Op: RemoveMember, ID: gone.id})); r.Err != nil && !errors.Is(r.Err, ErrMemberNotFound) {
		t.Fatalf("%+v", r)
	}
	if !c.leader().r.Apply.state.Removed(uint64(gone.id)) {
		t.Error("the state doesn't know that the member was removed")
	}
}

// A member that is removed while it runs learns of it.
func TestRemovedLearnsIt(t *testing.T) {
	c := newCluster(t, 3, nil)
	for _, gone := range []*member{c.follower(), c.leader()} {
		via := c.follower()
		if via == gone {
			via = c.leader()
		}
		if r := via.ask(changeMember(MemberChange{Op: RemoveMember, ID: gone.id})); r.Err != nil {
			t.Fatal(r.Err)
		}
		c.tick(5)
		if !gone.r.Apply.state.Removed(uint64(gone.id)) {
			t.Errorf("member %d doesn't know that it was removed", gone.id)
		}
		gone.crash()
	}
}

func TestMemberChangeCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := MemberChange{Op: MemberOp(rapid.IntRange(1, 4).Draw(t, "op")), ID: raft.NodeID(rapid.Uint64Min(1).Draw(t, "id"))}
		if m.Op == AddMember || m.Op == UpdateMember {
			m.URLs = rapid.SliceOfN(rapid.StringMatching(`[a-z:/]{1,20}`), 1, 3).Draw(t, "urls")
		}
		if m.Op == AddMember {
			m.Learner, m.LearnersMax = rapid.Bool().Draw(t, "learner"), rapid.Uint64().Draw(t, "max")
		}
		b := AppendMemberChange(nil, m)
		got, err := DecodeMemberChange(b)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v became %+v, %v", m, got, err)
		}
		for n := range b {
			if _, err := DecodeMemberChange(b[:n]); !errors.Is(err, ErrBadMemberChange) {
				t.Fatalf("%d of %d bytes: %v", n, len(b), err)
			}
		}
	})
}

func FuzzDecodeMemberChange(f *testing.F) {
	f.Add(AppendMemberChange(nil, MemberChange{Op: AddMember, ID: 7, URLs: []string{"http://a:1", "http://b:2"}, Learner: true, LearnersMax: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMemberChange(b)
		if err != nil {
			return
		}
		again, err := DecodeMemberChange(AppendMemberChange(nil, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

// New addresses change nothing else of a member: a learner stays one, and so does
// who is joining (etcd #21736 made voters of learners).
func TestUpdateKeepsRole(t *testing.T) {
	config := raft.Configuration{Members: []raft.Member{
		{ID: 1, Voter: true, Address: "http://a"}, {ID: 2, Address: "http://b"}, {ID: 3, Joining: true, Address: "http://c"},
	}}
	for _, before := range config.Members {
		m := MemberChange{Op: UpdateMember, ID: before.ID, URLs: []string{"http://moved"}}
		change, err := m.against(&config)
		want := before
		want.Address = "http://moved"
		if err != nil || len(change.Set) != 1 || change.Set[0] != want {
			t.Errorf("%+v, %v; want %+v", change, err, want)
		}
	}
}
