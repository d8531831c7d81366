package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// proxyProcess is one of the binary's other modes.
type proxyProcess struct {
	address string
	log     *proc.Output
	cmd     *exec.Cmd
	ended   chan error
}

// startMode runs `etcd MODE start` before a cluster, until the test ends, and waits for the line that says it is ready.
func startMode(t *testing.T, c *proc.Cluster, mode, ready string, args ...string) *proxyProcess {
	t.Helper()
	var endpoints []string
	for _, m := range c.Members {
		endpoints = append(endpoints, m.ClientURL)
	}
	address := fmt.Sprintf("127.0.0.1:%d", must(proc.FreePort())(t))
	args = append([]string{mode, "start", "--listen-addr", address, "--endpoints", strings.Join(endpoints, ",")}, args...)
	p := &proxyProcess{address: address, log: &proc.Output{}, cmd: exec.Command(serverBinary, args...), ended: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = t.TempDir(), p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.log)
		}
		_ = p.cmd.Process.Kill() // fails if it has ended
	})
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.log.String(), ready); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the %s is not ready:\n%s", mode, p.log)
		}
	}
	return p
}

func startGRPCProxy(t *testing.T, c *proc.Cluster, args ...string) *proxyProcess {
	t.Helper()
	return startMode(t, c, "grpc-proxy", "started gRPC proxy", append([]string{"--advertise-client-url", ""}, args...)...)
}

// stop asks the process to end; each line that it has printed must be a log line.
func (p *proxyProcess) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended: // with whatever code: etcd's is a signal's
	case <-time.After(10 * time.Second):
		t.Fatal("it did not end")
	}
	for line := range strings.Lines(p.log.String()) {
		var entry struct{ Level, TS, Caller, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "" || entry.Caller == "" || entry.Msg == "" {
			t.Errorf("not a log line: %s", line)
		}
	}
}

// TestGateway: what clients do through it works, also after the member that they were given has died.
func TestGateway(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	g := startMode(t, c, "gateway", "ready to proxy client requests")
	client := connect(t, g.address)
	ctx := timeout(t, 60*time.Second)
	for i, m := range c.Members {
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		retry(ctx, t, func(ctx context.Context) error {
			_, err := client.Put(ctx, "k", fmt.Sprint(i))
			return err
		})
		if got := must(client.Get(ctx, "k"))(t); string(got.Kvs[0].Value) != fmt.Sprint(i) {
			t.Errorf("%s after put %d", got.Kvs[0].Value, i)
		}
		if err := m.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	g.stop(t)
}

// retry does what may fail while a member is gone, until it works.
func retry(ctx context.Context, t *testing.T, f func(context.Context) error) {
	t.Helper()
	for {
		once, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := f(once)
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestProxy: requests, watches, leases, locks and etcdctl, through a proxy.
func TestProxy(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	p := startGRPCProxy(t, c)
	client := connect(t, p.address)
	ctx := timeout(t, 60*time.Second)
	watch := client.Watch(ctx, "a", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	if r := <-watch; !r.Created {
		t.Fatalf("%+v", r)
	}
	must(client.Put(ctx, "a1", "1"))(t)
	txn := must(client.Txn(ctx).If(clientv3.Compare(clientv3.Version("a1"), "=", 1)).
		Then(clientv3.OpPut("a2", "2"), clientv3.OpDelete("a1")).Else(clientv3.OpPut("a3", "")).Commit())(t)
	if !txn.Succeeded {
		t.Error("the comparison failed")
	}
	var keys []string
	for len(keys) < 3 {
		for _, ev := range (<-watch).Events {
			keys = append(keys, ev.Type.String()+" "+string(ev.Kv.Key))
		}
	}
	if got := strings.Join(keys, ", "); got != "PUT a1, PUT a2, DELETE a1" {
		t.Error(got)
	}
	session := must(concurrency.NewSession(client, concurrency.WithTTL(2)))(t)
	m := concurrency.NewMutex(session, "lock")
	if err := m.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // longer than the lease lasts by itself
	if n := must(client.Get(ctx, m.Key()))(t).Count; n != 1 {
		t.Error("the lock was lost")
	}
	if err := m.Unlock(ctx); err != nil {
		t.Error(err)
	}
	out := must(exec.CommandContext(ctx, etcdctlBinary, "--endpoints", p.address, "get", "--prefix", "a").CombinedOutput())(t)
	if string(out) != "a2\n2\n" {
		t.Errorf("etcdctl: %q", out)
	}
	resp := must(http.Get("http://" + p.address + "/proxy/metrics"))(t)
	defer resp.Body.Close()
	if body := string(must(io.ReadAll(resp.Body))(t)); !strings.Contains(body, "etcd_grpc_proxy_cache_misses_total") {
		t.Error("no metrics of the proxy")
	}
	p.stop(t)
}

// TestProxyOutlivesMembers: while each member in turn is killed under load, two clients that watch the same keys get
// every acknowledged write once and in order.
func TestProxyOutlivesMembers(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	p := startGRPCProxy(t, c)
	writer := connect(t, p.address)
	ctx := timeout(t, 90*time.Second)
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	var seen []chan []string
	for range 2 {
		ch := connect(t, p.address).Watch(watching, "k", clientv3.WithCreatedNotify())
		<-ch
		got := make(chan []string, 1)
		go func() { got <- collect(ch, "last") }()
		seen = append(seen, got)
	}
	var acknowledged []string
	for i, m := range c.Members {
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		for j := range 50 {
			value := fmt.Sprintf("%d.%d", i, j)
			retry(ctx, t, func(ctx context.Context) error {
				_, err := writer.Put(ctx, "k", value)
				return err
			})
			acknowledged = append(acknowledged, value)
		}
		if err := m.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	must(writer.Put(ctx, "k", "last"))(t)
	acknowledged = append(acknowledged, "last")
	for i, got := range seen {
		checkSeen(t, i, <-got, acknowledged)
	}
	p.stop(t)
}

// collect reads the values of puts until one is the last, each with its revision.
func collect(ch clientv3.WatchChan, last string) (values []string) {
	revision := int64(0)
	for r := range ch {
		for _, ev := range r.Events {
			if ev.Kv.ModRevision <= revision {
				return append(values, fmt.Sprintf("revision %d after %d", ev.Kv.ModRevision, revision))
			}
			revision = ev.Kv.ModRevision
			values = append(values, string(ev.Kv.Value))
			if string(ev.Kv.Value) == last {
				return values
			}
		}
	}
	return values
}

// checkSeen: a put that was tried again may be there twice, one behind the other; nothing else may be there or be
// missing.
func checkSeen(t *testing.T, watcher int, seen, acknowledged []string) {
	t.Helper()
	i := 0
	for j, value := range seen {
		if j > 0 && value == seen[j-1] {
			continue
		}
		if i == len(acknowledged) || value != acknowledged[i] {
			t.Errorf("watcher %d: event %d is %s after %d of %d writes", watcher, j, value, i, len(acknowledged))
			return
		}
		i++
	}
	if i != len(acknowledged) {
		t.Errorf("watcher %d: %d of %d writes", watcher, i, len(acknowledged))
	}
}

// TestProxyUsers: users are who they are, and a namespace is for all of them.
func TestProxyUsers(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	p := startGRPCProxy(t, c, "--namespace", "app/")
	admin := connect(t, c.Members[0].ClientURL)
	ctx := timeout(t, 60*time.Second)
	for _, user := range []string{"root", "alice"} {
		must(admin.RoleAdd(ctx, user))(t)
		must(admin.UserAdd(ctx, user, user))(t)
		must(admin.UserGrantRole(ctx, user, user))(t)
	}
	must(admin.RoleGrantPermission(ctx, "alice", "app/a", "app/b", clientv3.PermissionType(clientv3.PermReadWrite)))(t)
	must(admin.AuthEnable(ctx))(t)
	alice := must(clientv3.New(clientv3.Config{Endpoints: []string{p.address}, Username: "alice", Password: "alice", DialTimeout: 5 * time.Second}))(t)
	defer alice.Close()
	must(alice.Put(ctx, "a1", "1"))(t)
	watch := alice.Watch(ctx, "a", clientv3.WithPrefix(), clientv3.WithRev(1))
	if r := <-watch; len(r.Events) != 1 || string(r.Events[0].Kv.Key) != "a1" {
		t.Errorf("%+v", r)
	}
	if _, err := alice.Put(ctx, "b1", ""); err == nil {
		t.Error("alice wrote what she may not")
	}
	if _, err := connect(t, p.address).Get(ctx, "a1"); err == nil {
		t.Error("nobody read a key")
	}
	p.stop(t)
}
