package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestDiscovery lets three members find each other through another cluster: of etcd and of the server under test,
// without anything and with TLS, client certificates and a login. The keys are etcd's: what members register is what
// they are called afterwards.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	for name, binary := range map[string]string{"etcd": etcdBinary, "server under test": serverBinary} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := startBinary(t, binary, 1)
			discover(t, connect(t, service.Endpoints()...), "--discovery-endpoints", service.Endpoints()[0])
		})
		t.Run(name+", TLS and login", func(t *testing.T) {
			t.Parallel()
			service, flags, kv := secureService(t, binary)
			discover(t, kv, append(flags, "--discovery-endpoints", service.Endpoints()[0])...)
		})
	}
}

// TestDiscoveryStops: a member that waits for a service that isn't there goes when it is told to, without being killed.
func TestDiscoveryStops(t *testing.T) {
	t.Parallel()
	c, err := proc.New(proc.Options{Binary: serverBinary, Members: 1, Dir: t.TempDir(),
		Args: []string{"--initial-cluster=", "--discovery-token", "t", "--discovery-endpoints", "127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.KillAll(); err != nil {
			t.Error(err)
		}
	})
	m := c.Members[0]
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	for ctx := timeout(t, 20*time.Second); !strings.Contains(m.LogTail(20), "Bootstrapping cluster using v3 discovery."); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil || !m.Running() {
			t.Fatalf("it doesn't ask:\n%s", m.LogTail(20))
		}
	}
	if err := m.Stop(10 * time.Second); err != nil {
		t.Error(err)
	}
	if code := m.ExitCode(); code != 0 && code != -1 { // -1: the signal has ended it, as it ends etcd
		t.Errorf("it ends with %d:\n%s", code, m.LogTail(20))
	}
}

// secureService is a cluster of one that wants certificates and names, with the flags to ask it.
func secureService(t *testing.T, binary string) (*proc.Cluster, []string, *clientv3.Client) {
	o := newOffice(t)
	ca := o.found()
	for _, name := range []string{"member", "client"} {
		o.issue(ca, name)
	}
	c, err := proc.New(proc.Options{Binary: binary, Members: 1, Dir: t.TempDir(), Scheme: "https", Args: []string{
		"--cert-file", o.path("member.crt"), "--key-file", o.path("member.key"), "--client-cert-auth", "--trusted-ca-file", o.path("ca.crt"),
		"--peer-cert-file", o.path("member.crt"), "--peer-key-file", o.path("member.key"), "--peer-trusted-ca-file", o.path("ca.crt"),
	}})
	o.try(err)
	t.Cleanup(func() { o.try(c.KillAll()) })
	o.try(c.StartAll())
	ctx := timeout(t, 30*time.Second)
	o.try(c.WaitReady(ctx))
	logIn(t, ctx, dialSecure(t, o.client(), c.Endpoints()))
	kv, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), DialTimeout: 5 * time.Second, TLS: o.client(), Username: "root", Password: "secret"})
	o.try(err)
	t.Cleanup(func() { kv.Close() })
	return c, []string{"--discovery-insecure-transport=false", "--discovery-cacert", o.path("ca.crt"),
		"--discovery-cert", o.path("client.crt"), "--discovery-key", o.path("client.key"),
		"--discovery-user", "finder", "--discovery-password", "keeper"}, kv
}

// logIn turns auth on, with a user who may do what discovery needs and nothing else. A client's certificate names a
// user, too, whom there isn't: what counts is the login.
func logIn(t *testing.T, ctx context.Context, c *clientv3.Client) {
	t.Helper()
	for name, password := range map[string]string{"root": "secret", "finder": "keeper"} {
		must(c.UserAdd(ctx, name, password))(t)
	}
	must(c.UserGrantRole(ctx, "root", "root"))(t)
	must(c.RoleAdd(ctx, "finders"))(t)
	must(c.RoleGrantPermission(ctx, "finders", "/_etcd/registry/t/", clientv3.GetPrefixRangeEnd("/_etcd/registry/t/"), clientv3.PermissionType(clientv3.PermReadWrite)))(t)
	must(c.UserGrantRole(ctx, "finder", "finders"))(t)
	must(c.AuthEnable(ctx))(t)
}

func discover(t *testing.T, kv *clientv3.Client, flags ...string) {
	t.Helper()
	ctx := timeout(t, 60*time.Second)
	must(kv.Put(ctx, "/_etcd/registry/t/_config/size", "3"))(t)
	c := startBinary(t, serverBinary, 3, append([]string{"--initial-cluster=", "--discovery-token", "t"}, flags...)...)
	cli := connect(t, c.Endpoints()...)
	must(cli.Put(ctx, "k", "v"))(t)
	var want, got []string
	for _, m := range must(cli.MemberList(ctx))(t).Members {
		want = append(want, fmt.Sprintf("/_etcd/registry/t/members/%x %s=%s", m.ID, m.Name, strings.Join(m.PeerURLs, ",")))
	}
	for _, k := range must(kv.Get(ctx, "/_etcd/registry/t/members/", clientv3.WithPrefix()))(t).Kvs {
		got = append(got, string(k.Key)+" "+string(k.Value))
	}
	slices.Sort(want)
	if slices.Sort(got); len(got) != 3 || !slices.Equal(got, want) {
		t.Errorf("registered: %q\nmembers: %q", got, want)
	}
	restartWithout(t, ctx, c)
	tooLate(t, ctx, flags)
}

// restartWithout: a member that has data needs no service.
func restartWithout(t *testing.T, ctx context.Context, c *proc.Cluster) {
	t.Helper()
	if err := c.Members[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Members[0].Restart(ctx, "--discovery-endpoints", "127.0.0.1:1"); err != nil {
		t.Error(err)
	}
}

// tooLate: a fourth is told so, and ends with 1 (of etcd) or another error.
func tooLate(t *testing.T, ctx context.Context, flags []string) {
	t.Helper()
	c, err := proc.New(proc.Options{Binary: serverBinary, Members: 1, Dir: t.TempDir(),
		Args: append([]string{"--initial-cluster=", "--discovery-token", "t"}, flags...)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartAll(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.KillAll(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-c.Members[0].Exited():
	case <-ctx.Done():
		t.Fatalf("a fourth member doesn't end:\n%s", c.LogTails(12))
	}
	if text := c.LogTails(20); c.Members[0].ExitCode() == 0 || !strings.Contains(text, "failed to join discovery cluster (discovery: cluster is full") {
		t.Errorf("a fourth member ends with %d:\n%s", c.Members[0].ExitCode(), text)
	}
}
