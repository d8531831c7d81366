package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/raft"
)

// lay prepares a member that isn't in the cluster yet, with the flags that
// `member add` tells an operator to start it with.
func (c *cluster) lay() int {
	c.t.Helper()
	cfg := c.configs[0]
	i := len(c.configs)
	cfg.Name = fmt.Sprintf("n%d", i+1)
	cfg.DataDir = c.t.TempDir() + "/" + cfg.Name
	peer, client := freeURL(c.t), freeURL(c.t)
	cfg.ListenClientURLs, cfg.AdvertiseClientURLs = client, client
	cfg.ListenPeerURLs, cfg.InitialAdvertisePeerURLs = peer, peer
	cfg.InitialCluster += "," + cfg.Name + "=" + peer
	cfg.InitialClusterState, cfg.InitialClusterToken = "existing", "whatever"
	c.configs, c.members = append(c.configs, cfg), append(c.members, nil)
	return i
}

// A cluster grows from one member to three and shrinks again, with each change
// asked of another member; what was written before is everywhere.
func TestGrowAndShrink(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.StrictReconfigCheck = false })
	ctx := within(t, 60*time.Second)
	if _, err := c.client(0).Put(ctx, "k", "v"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		i := c.lay()
		via := c.client(i - 1)
		c.configs[i].InitialCluster = c.configs[i-1].InitialCluster + strings.TrimPrefix(c.configs[i].InitialCluster, c.configs[0].InitialCluster)
		added, err := via.MemberAdd(ctx, []string{c.configs[i].InitialAdvertisePeerURLs})
		if err != nil {
			t.Fatal(err)
		}
		if added.Member.IsLearner || len(added.Members) != i+1 || added.Header.Revision != 0 {
			t.Fatalf("%v", added)
		}
		if _, err := via.Put(ctx, "k", "while it isn't there"); err != nil {
			t.Fatal(err)
		}
		c.start(i)
		c.ready(i)
		if c.members[i].MemberID() != added.Member.ID {
			t.Errorf("joined as %x, added as %x", c.members[i].MemberID(), added.Member.ID)
		}
		if got, err := c.client(i).Get(ctx, "k", clientv3.WithSerializable()); err != nil || len(got.Kvs) != 1 {
			t.Errorf("the new member reads %v, %v", got, err)
		}
	}
	eventually(t, func() bool { return !c.members[2].Status().Learner && voters(c) == 3 })
	// A restart with the same flags finds the same identity.
	id := c.members[2].MemberID()
	if err := c.members[2].Stop(); err != nil {
		t.Fatal(err)
	}
	c.start(2)
	c.ready(2)
	if c.members[2].MemberID() != id {
		t.Errorf("restarted as %x, was %x", c.members[2].MemberID(), id)
	}
	for _, gone := range []int{c.leader(), 0} {
		if gone == 0 && isStopped(c.members[0]) {
			gone = 1
		}
		if _, err := c.client((gone+1)%3, (gone+2)%3).MemberRemove(ctx, c.members[gone].MemberID()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.members[gone].Stopped():
		case <-time.After(10 * time.Second):
			t.Fatalf("member %d goes on after it was removed", gone)
		}
		if err := c.members[gone].Err(); err != nil {
			t.Errorf("member %d: %v", gone, err)
		}
		eventually(t, func() bool { return agree(c, c.members[gone].MemberID()) }) // what goes to a dead leader is lost
	}
}

// agree reports whether those that run know one leader, who isn't the one gone.
func agree(c *cluster, gone uint64) bool {
	leaders := map[raft.NodeID]bool{}
	for _, s := range c.members {
		if !isStopped(s) {
			leaders[s.Status().Raft.Leader] = true
		}
	}
	return len(leaders) == 1 && !leaders[0] && !leaders[raft.NodeID(gone)]
}

func isStopped(s *Server) bool {
	select {
	case <-s.Stopped():
		return true
	default:
		return false
	}
}

func voters(c *cluster) (n int) {
	for _, m := range c.members[c.leader()].Status().Raft.Config.Config.Members {
		if m.Voter {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 15 s")
		}
	}
}

// A member that was down while it was removed is told when it is back, and ends.
func TestRemovedWhileDown(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.StrictReconfigCheck = false })
	ctx := within(t, 60*time.Second)
	gone := c.members[2].MemberID()
	if err := c.members[2].Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.client(0, 1).MemberRemove(ctx, gone); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond) // the leader tries to tell it, two elections long
	c.start(2)
	select {
	case <-c.members[2].Stopped():
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	// With its data gone and another id it is welcome again.
	if _, err := c.client(0).MemberAdd(ctx, []string{c.configs[2].InitialAdvertisePeerURLs}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(c.configs[2].DataDir); err != nil {
		t.Fatal(err)
	}
	c.configs[2].InitialClusterState = "existing"
	c.start(2)
	c.ready(2)
	if c.members[2].MemberID() == gone {
		t.Error("it has its old id again")
	}
}

// A learner serves what etcd's learners serve, and becomes a voter on request.
func TestLearner(t *testing.T) {
	c := newCluster(t, 1)
	ctx := within(t, 60*time.Second)
	first := c.client(0)
	if _, err := first.Put(ctx, "k", "v"); err != nil {
		t.Fatal(err)
	}
	i := c.lay()
	added, err := first.MemberAddAsLearner(ctx, []string{c.configs[i].InitialAdvertisePeerURLs})
	if err != nil {
		t.Fatal(err)
	}
	if !added.Member.IsLearner {
		t.Errorf("%v", added)
	}
	wants := func(what string, err, want error) {
		t.Helper()
		if rpctypes.Error(err) != rpctypes.Error(want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err = first.MemberPromote(ctx, added.Member.ID)
	wants("promote one that isn't there", err, rpctypes.ErrGRPCLearnerNotReady)
	_, err = first.MemberAddAsLearner(ctx, []string{"http://127.0.0.1:1"})
	wants("a second learner", err, rpctypes.ErrGRPCTooManyLearners)
	c.start(i)
	c.ready(i)
	learner := c.client(i)
	if got, err := learner.Get(ctx, "k", clientv3.WithSerializable()); err != nil || len(got.Kvs) != 1 {
		t.Errorf("a serializable read: %v, %v", got, err)
	}
	_, err = learner.Get(ctx, "k")
	wants("a linearizable read", err, rpctypes.ErrGRPCNotSupportedForLearner)
	_, err = learner.MemberList(ctx)
	wants("member list", err, rpctypes.ErrGRPCNotSupportedForLearner)
	_, err = first.MoveLeader(ctx, added.Member.ID)
	wants("lead", err, rpctypes.ErrGRPCBadLeaderTransferee)
	if st, err := learner.Status(ctx, c.configs[i].AdvertiseClientURLs); err != nil || !st.IsLearner {
		t.Errorf("status: %v, %v", st, err)
	}
	var promoted *clientv3.MemberPromoteResponse
	eventually(t, func() bool { // once its acknowledgement of the last entry is here
		promoted, err = first.MemberPromote(ctx, added.Member.ID)
		return rpctypes.Error(err) != rpctypes.ErrMemberLearnerNotReady
	})
	if err != nil || len(promoted.Members) != 2 || promoted.Members[0].IsLearner || promoted.Members[1].IsLearner {
		t.Fatalf("promote: %v, %v", promoted, err)
	}
	_, err = first.MemberPromote(ctx, added.Member.ID)
	wants("promote again", err, rpctypes.ErrGRPCMemberNotLearner)
	eventually(t, func() bool { return !c.members[i].Status().Learner })
	if _, err := learner.Put(ctx, "k", "w"); err != nil {
		t.Error(err)
	}
}

// What doesn't fit is told in words, and no member is left in the cluster's way.
func TestJoinRefused(t *testing.T) {
	c := newCluster(t, 1)
	i := c.lay()
	cfg := c.configs[i]
	c.configs, c.members = c.configs[:i], c.members[:i]
	alone, wrong := cfg, cfg
	alone.InitialCluster = cfg.Name + "=" + cfg.InitialAdvertisePeerURLs
	wrong.InitialCluster = strings.Replace(c.configs[0].InitialCluster, c.configs[0].InitialAdvertisePeerURLs, cfg.InitialAdvertisePeerURLs, 1)
	wrong.Name = c.configs[0].Name
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{cfg, "member count is unequal"},
		{alone, "it names no other member"},
		{wrong, "it names no other member"},
	} {
		s, err := tt.cfg.resolve()
		if err != nil {
			t.Fatal(err)
		}
		if err := (&Server{settings: s, log: cfg.Logger}).tryJoin(); !errors.Is(err, errJoin) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
	var s settings
	s.Name, s.named = "b", map[string][]string{"a": {"http://a:1"}, "b": {"http://b:1"}}
	err := s.adopt(7, []memberJSON{{ID: 1, PeerURLs: []string{"http://x:1"}}, {ID: 2, PeerURLs: []string{"http://b:1"}}})
	if err == nil || !strings.Contains(err.Error(), "PeerURLs: no match found for existing member (1, [http://x:1])") {
		t.Errorf("%v", err)
	}
	err = s.adopt(7, []memberJSON{{ID: 1, PeerURLs: []string{"http://a:1"}, IsLearner: true}, {ID: 2, PeerURLs: []string{"http://b:1"}}})
	if err == nil || !strings.Contains(err.Error(), "too many learner") {
		t.Errorf("%v", err)
	}
}

// A member without a quorum may know of a cluster in which whoever joins was
// somebody else: it tells what it knows, as etcd's do, but nobody joins by that.
func TestJoinAsksQuorum(t *testing.T) {
	c := newCluster(t, 3)
	for i := range 2 {
		if err := c.members[i].Stop(); err != nil {
			t.Fatal(err)
		}
	}
	cfg := c.configs[0]
	cfg.DataDir, cfg.InitialClusterState = t.TempDir(), "existing"
	s, err := cfg.resolve()
	if err != nil {
		t.Fatal(err)
	}
	joiner := &Server{settings: s, log: cfg.Logger}
	err = joiner.tryJoin()
	if !errors.Is(err, errNoQuorum) || !strings.Contains(err.Error(), "could not be confirmed within 2s") {
		t.Errorf("%v", err)
	}
	var known []memberJSON
	resp, err := http.Get(c.configs[2].InitialAdvertisePeerURLs + "/members")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&known); err != nil || len(known) != 3 {
		t.Errorf("%v, %v", known, err)
	}
	c.start(1)
	c.ready(1)
	if err := joiner.tryJoin(); err != nil {
		t.Error(err)
	}
	if want := c.members[0].MemberID(); s.member != want {
		t.Errorf("joins as %x, is %x", s.member, want)
	}
}

// A learner serves watches if it is told to; nobody else may see more of it.
func TestLearnerWatch(t *testing.T) {
	for _, serves := range []bool{false, true} {
		c := newCluster(t, 1)
		first := c.client()
		ctx := within(t, 30*time.Second)
		i := c.lay()
		c.configs[i].LearnerWatch = serves
		if _, err := first.MemberAddAsLearner(ctx, []string{c.configs[i].InitialAdvertisePeerURLs}); err != nil {
			t.Fatal(err)
		}
		c.start(i)
		c.ready(i)
		events := c.client(i).Watch(ctx, "k", clientv3.WithRev(1))
		put, err := first.Put(ctx, "k", "v")
		if err != nil {
			t.Fatal(err)
		}
		got := <-events
		if !serves {
			if err := got.Err(); rpctypes.Error(err) != rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner) {
				t.Errorf("%+v", got)
			}
			continue
		}
		if got.Err() != nil || len(got.Events) != 1 || got.Events[0].Kv.ModRevision != put.Header.Revision {
			t.Errorf("%+v, want revision %d", got, put.Header.Revision)
		}
		if _, err := c.client(i).Get(ctx, "k"); rpctypes.Error(err) != rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner) {
			t.Errorf("a linearizable read: %v", err)
		}
	}
}
