package api

import (
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// Peer URLs are what etcd takes for some, and can be dialled besides.
func TestPeerURLs(t *testing.T) {
	for _, tt := range []struct {
		in   []string
		want string // of the first; "" if they are refused
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"http://a:1"}, "http://a:1"},
		{[]string{" https://[::1]:2380 "}, "https://[::1]:2380"},
		{[]string{"http://b:1", "http://a:1"}, "http://a:1"},
		{[]string{"unix://a:1"}, "unix://a:1"},
		{[]string{"unix:///run/x"}, "unix:///run/x"},
		{[]string{"http://a:1", "http://a"}, ""},
		{[]string{"http://a:"}, ""},
		{[]string{"http://a:1/"}, ""},
		{[]string{"http://a:1/x"}, ""},
		{[]string{"a:1"}, ""},
		{[]string{"ftp://a:1"}, ""},
		{[]string{"unix://"}, ""},
		{[]string{"http://a:1?x=1,2"}, ""},
		{[]string{"http://%zz:1"}, ""},
	} {
		got, err := peerURLs(tt.in)
		if (err == nil) != (tt.want != "") || err == nil && got[0] != tt.want {
			t.Errorf("%q: %q, %v", tt.in, got, err)
		}
		if err != nil && err != rpctypes.ErrGRPCMemberBadURLs {
			t.Errorf("%q: %v", tt.in, err)
		}
	}
}

// clusterOf makes voters 1 … n, of whom some have started, seen by the fake (7,
// always the last), and a learner 50. All are connected for the given times.
func clusterOf(t *testing.T, n, started int, ages ...time.Duration) *fakeBackend {
	b := newFake(t)
	b.limits.StrictReconfig, b.limits.LearnersMax = true, 1
	b.connected = map[uint64]time.Duration{}
	members := []state.ConfigMember{{ID: 50, Learner: true}}
	for i := range n {
		id := uint64(i + 1)
		if i == n-1 {
			id = fakeMember
		} else if i < len(ages) && ages[i] > 0 {
			b.connected[id] = ages[i]
		}
		members = append(members, state.ConfigMember{ID: id})
	}
	b.index++
	if err := b.state.ApplyConfig(b.index, fakeTerm, state.Membership{Members: members, Final: true}, nil); err != nil {
		t.Fatal(err)
	}
	for i, m := range b.state.Members() {
		if m.ID != 50 && n-i <= started {
			if _, err := b.Propose(bg, &state.MemberAttributesRequest{Member: m.ID, Name: "started"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

// --strict-reconfig-check, rule by rule, with etcd's answers.
func TestStrictReconfig(t *testing.T) {
	const long, short = 6 * time.Second, 4 * time.Second
	add := func(s *Service) error {
		_, err := s.MemberAdd(bg, &pb.MemberAddRequest{PeerURLs: []string{"http://x:1"}})
		return err
	}
	addLearner := func(s *Service) error {
		_, err := s.MemberAdd(bg, &pb.MemberAddRequest{PeerURLs: []string{"http://x:1"}, IsLearner: true})
		return err
	}
	remove := func(id uint64) func(*Service) error {
		return func(s *Service) error {
			_, err := s.MemberRemove(bg, &pb.MemberRemoveRequest{ID: id})
			return err
		}
	}
	promote := func(s *Service) error {
		_, err := s.MemberPromote(bg, &pb.MemberPromoteRequest{ID: 50})
		return err
	}
	unhealthy, unstarted := rpctypes.ErrGRPCUnhealthy, rpctypes.ErrGRPCMemberNotEnoughStarted
	for name, tt := range map[string]struct {
		backend *fakeBackend
		do      func(*Service) error
		want    error
	}{
		"add to one":                            {clusterOf(t, 1, 1), add, nil},
		"add to three, all well":                {clusterOf(t, 3, 3, long, long), add, nil},
		"add to three, one down":                {clusterOf(t, 3, 3, long), add, unhealthy},
		"add to three, too early":               {clusterOf(t, 3, 3, long, short), add, unhealthy},
		"add to four, one down":                 {clusterOf(t, 4, 4, long, long), add, nil},
		"add to five, one down":                 {clusterOf(t, 5, 5, long, long, long), add, nil},
		"add to five, two down":                 {clusterOf(t, 5, 5, long, long), add, unhealthy},
		"add to two, one not started":           {clusterOf(t, 2, 1), add, unstarted},
		"add to four, one not started":          {clusterOf(t, 4, 3, long, long), add, nil},
		"a learner, one not started":            {clusterOf(t, 2, 1, long), addLearner, nil},
		"a learner, one down":                   {clusterOf(t, 3, 3, long), addLearner, unhealthy},
		"remove one of three that is well":      {clusterOf(t, 3, 3, long, long), remove(1), nil},
		"remove one of three, another down":     {clusterOf(t, 3, 3, long), remove(1), unhealthy},
		"remove the one that is down":           {clusterOf(t, 3, 3, long), remove(2), nil},
		"remove too early":                      {clusterOf(t, 3, 3, short, short), remove(1), unhealthy},
		"remove itself":                         {clusterOf(t, 3, 3, long, long), remove(fakeMember), nil},
		"remove a started one of two":           {clusterOf(t, 2, 1, long), remove(fakeMember), unstarted},
		"remove the one that has never started": {clusterOf(t, 2, 1), remove(1), nil},
		"remove the learner":                    {clusterOf(t, 3, 3), remove(50), nil},
		"promote":                               {clusterOf(t, 3, 3), promote, nil},
		"promote with few started":              {clusterOf(t, 3, 1), promote, unstarted},
	} {
		if err := tt.do(NewService(tt.backend)); err != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if asked := len(tt.backend.changes) > 0; asked != (tt.want == nil) {
			t.Errorf("%s: proposed: %t", name, asked)
		}
		tt.backend.limits.StrictReconfig = false
		if err := tt.do(NewService(tt.backend)); err != nil {
			t.Errorf("%s, without the check: %v", name, err)
		}
	}
}

// What the leader refuses is told in etcd's words; replies have no revision.
func TestMemberChanges(t *testing.T) {
	b := newFake(t)
	s := NewService(b)
	added, err := s.MemberAdd(bg, &pb.MemberAddRequest{PeerURLs: []string{"http://b:1", "http://a:1"}})
	if err != nil || added.Header.Revision != 0 || added.Member.ID != 99 || added.Member.PeerURLs[0] != "http://a:1" {
		t.Errorf("%v, %v", added, err)
	}
	if m := b.changes[0]; m.Op != replica.AddMember || m.ID != 99 || m.Learner {
		t.Errorf("%+v", m)
	}
	if _, err := s.MemberUpdate(bg, &pb.MemberUpdateRequest{ID: 1}); err != rpctypes.ErrGRPCMemberBadURLs {
		t.Errorf("update to no URL: %v", err)
	}
	if _, err := s.MemberRemove(bg, &pb.MemberRemoveRequest{}); err != rpctypes.ErrGRPCMemberNotFound {
		t.Errorf("remove nobody: %v", err)
	}
	for err, want := range map[error]error{
		replica.ErrMemberExists:    rpctypes.ErrGRPCMemberExist,
		replica.ErrMemberNotFound:  rpctypes.ErrGRPCMemberNotFound,
		replica.ErrPeerURLExists:   rpctypes.ErrGRPCPeerURLExist,
		replica.ErrNotLearner:      rpctypes.ErrGRPCMemberNotLearner,
		replica.ErrLearnerNotReady: rpctypes.ErrGRPCLearnerNotReady,
		replica.ErrTooManyLearners: rpctypes.ErrGRPCTooManyLearners,
		raft.ErrNotLeader:          rpctypes.ErrGRPCNotLeader,
		replica.ErrTimeout:         rpctypes.ErrGRPCTimeout,
	} {
		b.fail = err
		if _, got := s.MemberUpdate(bg, &pb.MemberUpdateRequest{ID: 1, PeerURLs: []string{"http://x:1"}}); got != want {
			t.Errorf("%v became %v, want %v", err, got, want)
		}
	}
}
