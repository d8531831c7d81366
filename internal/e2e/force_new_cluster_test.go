package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestForceNewCluster: of three members all are killed and two are lost. The third goes on alone with everything that
// was acknowledged, and others are added anew. The same is done to etcd, whose clients see the same but for the last
// put, which it loses.
func TestForceNewCluster(t *testing.T) {
	t.Parallel()
	for name, binary := range map[string]string{"holdfast": serverBinary, "etcd": etcdBinary} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startBinary(t, binary, 3)
			cli := connect(t, c.Endpoints()...)
			lease := must(cli.Grant(timeout(t, 20*time.Second), 3600))(t).ID
			for i := range 200 {
				must(cli.Put(timeout(t, 20*time.Second), fmt.Sprintf("k%03d", i), fmt.Sprint(i), clientv3.WithLease(lease)))(t)
			}
			survivor := c.Members[2]
			want := must(connect(t, survivor.ClientURL).Get(timeout(t, 20*time.Second), "k", clientv3.WithPrefix()))(t)
			must(cli.Put(timeout(t, 20*time.Second), "last", "1"))(t)
			if err := c.KillAll(); err != nil {
				t.Fatal(err)
			}
			if err := survivor.Restart(timeout(t, 30*time.Second), "--force-new-cluster"); err != nil {
				t.Fatal(err)
			}
			isAlone(t, survivor, want, lease)
			// The survivor need not have known that the last put was committed. etcd drops what it doesn't know to be.
			if got := must(connect(t, survivor.ClientURL).Get(timeout(t, 20*time.Second), "last"))(t); len(got.Kvs) != 1 && name == "holdfast" {
				t.Error("the last acknowledged put is lost")
			}
			if err := survivor.Kill(); err != nil { // the flag has done its work
				t.Fatal(err)
			}
			if err := survivor.Restart(timeout(t, 30*time.Second)); err != nil {
				t.Fatal(err)
			}
			isAlone(t, survivor, want, lease)
			growAnew(t, c, survivor)
		})
	}
}

func isAlone(t *testing.T, m *proc.Member, want *clientv3.GetResponse, lease clientv3.LeaseID) {
	t.Helper()
	cli := connect(t, m.ClientURL)
	ctx := timeout(t, 20*time.Second)
	list := must(cli.MemberList(ctx))(t)
	if len(list.Members) != 1 || list.Members[0].ID != list.Header.MemberId || list.Members[0].IsLearner {
		t.Errorf("members: %v", list.Members)
	}
	got := must(cli.Get(ctx, "k", clientv3.WithPrefix()))(t)
	if got.Header.ClusterId != want.Header.ClusterId || got.Header.MemberId != want.Header.MemberId || got.Header.Revision < want.Header.Revision {
		t.Errorf("header %v, it was %v", got.Header, want.Header)
	}
	if fmt.Sprint(got.Kvs) != fmt.Sprint(want.Kvs) {
		t.Errorf("%d keys, want %d", len(got.Kvs), len(want.Kvs))
	}
	if ttl := must(cli.TimeToLive(ctx, lease, clientv3.WithAttachedKeys()))(t); ttl.TTL <= 0 || len(ttl.Keys) != len(want.Kvs) {
		t.Errorf("lease: %v", ttl)
	}
	must(cli.Put(ctx, "alone", m.Name))(t)
}

// growAnew adds the two that were lost again, without data, and lets one of them serve when the survivor is gone.
func growAnew(t *testing.T, c *proc.Cluster, survivor *proc.Member) {
	t.Helper()
	initial := []string{survivor.Name + "=" + survivor.PeerURL}
	for _, m := range c.Members[:2] {
		if err := m.Wipe(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) { // once those there are known as healthy
			_, err := connect(t, survivor.ClientURL).MemberAdd(timeout(t, 10*time.Second), []string{m.PeerURL})
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
		initial = append(initial, m.Name+"="+m.PeerURL)
		if err := m.Restart(timeout(t, 30*time.Second), "--initial-cluster-state=existing", "--initial-cluster="+strings.Join(initial, ",")); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second) // a voter that was added counts once it has caught up
	if err := survivor.Kill(); err != nil {
		t.Fatal(err)
	}
	cli := connect(t, c.Members[0].ClientURL, c.Members[1].ClientURL)
	must(cli.Get(timeout(t, 20*time.Second), "k"))(t) // is tried again while there is no leader
	must(cli.Put(timeout(t, 20*time.Second), "later", "1"))(t)
	if got := must(cli.Get(timeout(t, 20*time.Second), "alone"))(t); len(got.Kvs) != 1 {
		t.Errorf("%v", got)
	}
}

// TestForceNewClusterShutsOthersOut: one of those that were left behind comes back with its old data. It hears that it
// was removed, and ends; the cluster of one is not disturbed.
func TestForceNewClusterShutsOthersOut(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	must(connect(t, c.Endpoints()...).Put(timeout(t, 20*time.Second), "k", "v"))(t)
	if err := c.KillAll(); err != nil {
		t.Fatal(err)
	}
	survivor, old := c.Members[0], c.Members[1]
	if err := survivor.Restart(timeout(t, 30*time.Second), "--force-new-cluster"); err != nil {
		t.Fatal(err)
	}
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-old.Exited():
	case <-time.After(20 * time.Second):
		t.Errorf("%s goes on:\n%s", old.Name, old.LogTail(10))
	}
	if !strings.Contains(string(must(survivor.Log())(t)), "--force-new-cluster: this member is a cluster of its own") {
		t.Error("it says nothing of the flag")
	}
	must(connect(t, survivor.ClientURL).Put(timeout(t, 20*time.Second), "k", "v"))(t)
}
