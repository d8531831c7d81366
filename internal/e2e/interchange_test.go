package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// richHistory writes what a snapshot must carry: puts, deletes, transactions, leases, history below and above a
// compaction, a tombstone at exactly the compacted revision, keys of odd bytes. It returns the first revision above that: the
// hash of a compaction itself is remembered until the next start, and then is another.
func richHistory(t *testing.T, c *clientv3.Client) int64 {
	t.Helper()
	ctx := timeout(t, 60*time.Second)
	lease := must(c.Grant(ctx, 3600))(t).ID
	for i := range 40 {
		must(c.Put(ctx, fmt.Sprintf("k%02d", i%15), strings.Repeat("v", i*50)))(t)
		if i%7 == 0 {
			must(c.Delete(ctx, fmt.Sprintf("k%02d", (i*3)%15)))(t)
		}
	}
	must(c.Put(ctx, "leased", "1", clientv3.WithLease(lease)))(t)
	must(c.Txn(ctx).Then(clientv3.OpPut("t1", "a"), clientv3.OpPut("t2", "b"), clientv3.OpDelete("k01")).Commit())(t)
	must(c.Put(ctx, "gone", "1"))(t)
	compacted := must(c.Delete(ctx, "gone"))(t).Header.Revision
	must(c.Compact(ctx, compacted, clientv3.WithCompactPhysical()))(t)
	must(c.Put(ctx, "\x00\xff odd", "\x00"))(t)
	must(c.Put(ctx, "k03", "after"))(t)
	must(c.Delete(ctx, "k0", clientv3.WithPrefix()))(t)
	must(c.Put(ctx, "k03", "again"))(t)
	return compacted + 1
}

// fingerprint is what two stores with the same history agree on.
func fingerprint(t *testing.T, endpoint string, from int64) string {
	t.Helper()
	c := connect(t, endpoint)
	ctx := timeout(t, 30*time.Second)
	all := must(c.Get(ctx, "\x00", clientv3.WithFromKey()))(t)
	var b strings.Builder
	for rev := from; rev <= all.Header.Revision; rev++ {
		h := must(c.HashKV(ctx, endpoint, rev))(t)
		fmt.Fprintf(&b, "%d: %d compacted %d\n", rev, h.Hash, h.CompactRevision)
	}
	for _, kv := range all.Kvs {
		fmt.Fprintf(&b, "%v\n", kv)
	}
	for _, l := range must(c.Leases(ctx))(t).Leases {
		ttl := must(c.TimeToLive(ctx, l.ID, clientv3.WithAttachedKeys()))(t)
		fmt.Fprintf(&b, "lease %x of %d: %q\n", l.ID, ttl.GrantedTTL, ttl.Keys)
	}
	return b.String()
}

func save(t *testing.T, endpoint string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.db")
	tool(t, etcdctlBinary, "--endpoints="+endpoint, "snapshot", "save", file)
	return file
}

func tool(t *testing.T, binary string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(timeout(t, 60*time.Second), binary, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", filepath.Base(binary), args, err, out)
	}
	return withoutClientLog(string(out))
}

// restored starts a cluster whose members' data directories are made by a tool.
func restored(t *testing.T, server string, members int, restore func(m *proc.Member, flags []string)) *proc.Cluster {
	t.Helper()
	c := laidOut(t, server, members, restore)
	if err := c.StartAll(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// laidOut is such a cluster before its start.
func laidOut(t *testing.T, server string, members int, restore func(m *proc.Member, flags []string), args ...string) *proc.Cluster {
	t.Helper()
	c, err := proc.New(proc.Options{Binary: server, Members: members, Dir: t.TempDir(), Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.LogTails(12))
		}
		if err := c.KillAll(); err != nil {
			t.Error(err)
		}
	})
	var initial []string
	for _, m := range c.Members {
		initial = append(initial, m.Name+"="+m.PeerURL)
	}
	for _, m := range c.Members {
		restore(m, []string{"--name=" + m.Name, "--data-dir=" + m.DataDir, "--initial-advertise-peer-urls=" + m.PeerURL,
			"--initial-cluster=" + strings.Join(initial, ","), "--initial-cluster-token=proc"})
	}
	return c
}

func etcdutl(t *testing.T) string {
	t.Helper()
	return must(proc.Peer(context.Background(), "etcdutl"))(t)
}

// From etcd to Holdfast: a snapshot of an etcd becomes a cluster of three with the same keys, history, leases, users
// and hashes, which is there after a restart too, and goes on from that revision.
func TestImportFromEtcd(t *testing.T) {
	t.Parallel()
	source := startBinary(t, etcdBinary, 1)
	c := connect(t, source.Endpoints()...)
	from := richHistory(t, c)
	enableAuth(t, c)
	root := must(clientv3.New(clientv3.Config{Endpoints: source.Endpoints(), Username: "root", Password: "secret"}))(t)
	t.Cleanup(func() { root.Close() })
	file := filepath.Join(t.TempDir(), "backup.db")
	tool(t, etcdctlBinary, "--user=root:secret", "--endpoints="+source.Endpoints()[0], "snapshot", "save", file)
	must(root.AuthDisable(timeout(t, 20*time.Second)))(t)
	want := fingerprint(t, source.Endpoints()[0], from)
	got := restored(t, serverBinary, 3, func(m *proc.Member, flags []string) {
		t.Log(tool(t, serverBinary, append([]string{"import", file}, flags...)...))
	})
	checkAuth(t, got.Endpoints())
	for _, m := range got.Members {
		if text := fingerprint(t, m.ClientURL, from); text != want {
			t.Errorf("%s:\n%s\netcd:\n%s", m.Name, text, want)
		}
	}
	if err := got.KillAll(); err != nil {
		t.Fatal(err)
	}
	if err := got.StartAll(); err != nil {
		t.Fatal(err)
	}
	if err := got.WaitReady(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, m := range got.Members {
		must(connect(t, m.ClientURL).Get(timeout(t, 20*time.Second), "k03"))(t)
		if text := fingerprint(t, m.ClientURL, from); text != want {
			t.Errorf("%s, restarted:\n%s\netcd:\n%s", m.Name, text, want)
		}
	}
	before := must(c.Get(timeout(t, 20*time.Second), "k03"))(t).Header.Revision
	if rev := must(connect(t, got.Endpoints()...).Put(timeout(t, 20*time.Second), "next", "1"))(t).Header.Revision; rev != before+1 {
		t.Errorf("the first put got revision %d, after %d", rev, before)
	}
}

func enableAuth(t *testing.T, c *clientv3.Client) {
	t.Helper()
	ctx := timeout(t, 30*time.Second)
	must(c.RoleAdd(ctx, "reader"))(t)
	must(c.RoleGrantPermission(ctx, "reader", "k", "l", clientv3.PermissionType(clientv3.PermRead)))(t)
	must(c.UserAdd(ctx, "root", "secret"))(t)
	must(c.UserAdd(ctx, "alice", "word"))(t)
	must(c.UserGrantRole(ctx, "root", "root"))(t)
	must(c.UserGrantRole(ctx, "alice", "reader"))(t)
	must(c.AuthEnable(ctx))(t)
}

// checkAuth logs in as those that enableAuth made, then turns auth off.
func checkAuth(t *testing.T, endpoints []string) {
	t.Helper()
	ctx := timeout(t, 30*time.Second)
	alice := must(clientv3.New(clientv3.Config{Endpoints: endpoints, Username: "alice", Password: "word"}))(t)
	defer alice.Close()
	must(alice.Get(ctx, "k03"))(t)
	if _, err := alice.Get(ctx, "t1"); err == nil {
		t.Error("alice reads what she may not")
	}
	root := must(clientv3.New(clientv3.Config{Endpoints: endpoints, Username: "root", Password: "secret"}))(t)
	defer root.Close()
	must(root.AuthDisable(ctx))(t)
}

// From Holdfast to etcd: what `etcdctl snapshot save` and `holdfast export` get is accepted by etcdutl, and an etcd
// restored from it answers with the same keys, history, leases and hashes.
func TestExportToEtcd(t *testing.T) {
	t.Parallel()
	source := startCluster(t, 1)
	endpoint := source.Endpoints()[0]
	c := connect(t, endpoint)
	from := richHistory(t, c)
	want := fingerprint(t, endpoint, from)
	whole := "" // of a restored etcd, the hash at the compacted revision included
	exported := filepath.Join(t.TempDir(), "exported.db")
	tool(t, serverBinary, "export", exported, "--endpoints="+endpoint)
	for name, file := range map[string]string{"snapshot save": save(t, endpoint), "export": exported} {
		status := tool(t, etcdutl(t), "snapshot", "status", file, "-w", "json")
		head := must(c.Get(timeout(t, 20*time.Second), "k03"))(t).Header.Revision
		if !strings.Contains(status, fmt.Sprintf(`"revision":%d,`, head)) || !strings.Contains(status, `"version":"3.7.0"`) {
			t.Errorf("%s: status %s", name, status)
		}
		if text := tool(t, etcdutl(t), "hashkv", trimmed(t, file)); !strings.Contains(want, strings.Split(text, ",")[0]) {
			t.Errorf("%s: etcdutl hashkv says %s, want one of\n%s", name, text, want)
		}
		got := restored(t, etcdBinary, 1, func(_ *proc.Member, flags []string) {
			tool(t, etcdutl(t), append([]string{"snapshot", "restore", file}, flags...)...)
		})
		if text := fingerprint(t, got.Endpoints()[0], from); text != want {
			t.Errorf("%s: etcd:\n%s\nholdfast:\n%s", name, text, want)
		}
		whole = fingerprint(t, got.Endpoints()[0], from-1)
	}
	back := restored(t, serverBinary, 1, func(_ *proc.Member, flags []string) {
		tool(t, serverBinary, append([]string{"import", exported}, flags...)...)
	})
	if text := fingerprint(t, back.Endpoints()[0], from-1); text != whole {
		t.Errorf("imported again:\n%s\netcd:\n%s", text, whole)
	}
}

// trimmed is a copy of a snapshot without the digest behind it, as etcdutl hashkv wants it.
func trimmed(t *testing.T, file string) string {
	t.Helper()
	b := must(os.ReadFile(file))(t)
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, b[:len(b)-32], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file that isn't what it should be is refused in words, and leaves no data directory.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	source := startCluster(t, 1)
	must(connect(t, source.Endpoints()...).Put(timeout(t, 20*time.Second), "a", "b"))(t)
	b := must(os.ReadFile(save(t, source.Endpoints()[0])))(t)
	flipped := append([]byte(nil), b...)
	flipped[len(b)/2] ^= 1
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"flipped bit":   {flipped, "SHA-256"},
		"cut short":     {b[:len(b)-100], "multiple of 512"},
		"no digest":     {b[:len(b)-32], "--skip-hash-check"},
		"empty":         {nil, "multiple of 512"},
		"another thing": {append(make([]byte, 4096), make([]byte, 32)...), "SHA-256"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), serverBinary, "import", file, "--data-dir="+dir+"/data").CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if _, err := os.Stat(dir + "/data"); err == nil {
			t.Errorf("%s: a data directory was made", name)
		}
	}
}
