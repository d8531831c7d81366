package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestQuota is what harnesses do to a member with a small quota, on Holdfast and on etcd: an empty store is below it, one
// key that is overwritten reaches it, then what adds data is refused and the rest is not, and compaction,
// defragmentation and disarming make room again.
func TestQuota(t *testing.T) {
	t.Parallel()
	for name, binary := range map[string]string{"holdfast": serverBinary, "etcd": etcdBinary} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startBinary(t, binary, 3, "--quota-backend-bytes=53248")
			cli := connect(t, c.Endpoints()...)
			lease := must(cli.Grant(timeout(t, 20*time.Second), 3600))(t)
			fillUp(t, cli, 4096, func(int) string { return "k" })
			for _, m := range c.Members {
				full(t, m)
			}
			clearSpace(t, c, lease.ID)
		})
	}
}

// TestTinyQuota: 5,120 bytes are less than etcd's empty file; puts under new keys end in the same error.
func TestTinyQuota(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1, "--quota-backend-bytes=5120")
	fillUp(t, connect(t, c.Endpoints()...), 1024, func(i int) string { return fmt.Sprintf("k%d", i) })
}

// TestLeasesCountAgainstQuota: they are held in memory, so they can't be free.
func TestLeasesCountAgainstQuota(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1, "--quota-backend-bytes=53248")
	cli := connect(t, c.Endpoints()...)
	granted := 0
	for ; ; granted++ {
		_, err := cli.Grant(timeout(t, 20*time.Second), 3600)
		if err == nil && granted < 2000 {
			continue
		}
		if err == nil || err.Error() != rpctypes.ErrNoSpace.Error() {
			t.Fatalf("after %d leases: %v", granted, err)
		}
		break
	}
	if granted < 800 {
		t.Errorf("only %d leases fit into 53,248 bytes", granted)
	}
}

func fillUp(t *testing.T, cli *clientv3.Client, bytes int, key func(i int) string) {
	t.Helper()
	value := strings.Repeat("x", bytes)
	for i, end := 0, time.Now().Add(20*time.Second); time.Now().Before(end); i++ {
		_, err := cli.Put(timeout(t, 10*time.Second), key(i), value)
		if err == nil {
			continue
		}
		if err.Error() != "etcdserver: mvcc: database space exceeded" {
			t.Fatalf("put %d: %v", i, err)
		}
		if i == 0 {
			t.Fatal("an empty store is full")
		}
		return
	}
	t.Fatal("never full")
}

// full checks a member under NOSPACE.
func full(t *testing.T, m *proc.Member) {
	t.Helper()
	cli := connect(t, m.ClientURL)
	ctx := timeout(t, 20*time.Second)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) { // the alarm reaches a follower a little later
		if list := must(cli.AlarmList(ctx))(t); len(list.Alarms) > 0 && list.Alarms[0].Alarm == pb.AlarmType_NOSPACE {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%s: alarms %v", m.Name, list)
		}
	}
	status := must(cli.Status(ctx, m.ClientURL))(t)
	if status.DbSizeQuota != 53248 || status.DbSizeInUse <= 0 || status.DbSizeInUse > status.DbSize || !strings.Contains(fmt.Sprint(status.Errors), "NOSPACE") {
		t.Errorf("%s: %+v", m.Name, status)
	}
	nested := clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut("a", "")}, nil)
	for name, err := range map[string]error{
		"put":              second(cli.Put(ctx, "a", "")),
		"grant":            second(cli.Grant(ctx, 9)),
		"branch not taken": second(cli.Txn(ctx).Else(clientv3.OpPut("a", "")).Commit()),
		"nested":           second(cli.Txn(ctx).Then(nested).Commit()),
	} {
		if err == nil || err.Error() != "etcdserver: mvcc: database space exceeded" {
			t.Errorf("%s: %s: %v", m.Name, name, err)
		}
	}
	for name, err := range map[string]error{
		"get":         second(cli.Get(ctx, "k")),
		"delete":      second(cli.Delete(ctx, "a")),
		"txn of read": second(cli.Txn(ctx).Then(clientv3.OpGet("k"), clientv3.OpDelete("a")).Commit()),
	} {
		if err != nil {
			t.Errorf("%s: %s: %v", m.Name, name, err)
		}
	}
	for path, code := range map[string]int{"/health": 503, "/health?exclude=NOSPACE": 200, "/readyz": 200} {
		if r := must(http.Get(m.ClientURL + path))(t); r.StatusCode != code {
			t.Errorf("%s%s: %d", m.Name, path, r.StatusCode)
		} else {
			r.Body.Close()
		}
	}
	r := must(http.Get(m.ClientURL + "/metrics"))(t)
	body := must(io.ReadAll(r.Body))(t)
	r.Body.Close()
	if !strings.Contains(string(body), "etcd_server_quota_backend_bytes 53248") {
		t.Errorf("%s: no quota in the metrics", m.Name)
	}
}

// clearSpace makes room in the way that etcd's manual says.
func clearSpace(t *testing.T, c *proc.Cluster, lease clientv3.LeaseID) {
	t.Helper()
	cli := connect(t, c.Endpoints()...)
	ctx := timeout(t, 30*time.Second)
	must(cli.Revoke(ctx, lease))(t)
	rev := must(cli.Get(ctx, "k"))(t).Header.Revision
	must(cli.Compact(ctx, rev, clientv3.WithCompactPhysical()))(t)
	for _, m := range c.Members {
		must(cli.Defragment(ctx, m.ClientURL))(t)
	}
	if _, err := cli.Put(ctx, "k", "small"); err == nil || err.Error() != "etcdserver: mvcc: database space exceeded" {
		t.Errorf("the alarm goes by itself: %v", err)
	}
	must(cli.AlarmDisarm(ctx, &clientv3.AlarmMember{}))(t)
	must(cli.Put(ctx, "k", "small"))(t)
	for _, m := range c.Members {
		if s := must(cli.Status(ctx, m.ClientURL))(t); s.DbSize >= 53248 {
			t.Errorf("%s: %d bytes after compaction and defragmentation", m.Name, s.DbSize)
		}
	}
}

func second[V any](_ V, err error) error { return err }
