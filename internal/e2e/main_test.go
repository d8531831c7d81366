package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// The binaries that every test uses, built once.
var (
	serverBinary  string
	etcdctlBinary string
	etcdBinary    string
)

func TestMain(m *testing.M) {
	code, err := runMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runMain(m *testing.M) (int, error) {
	// The client library reports each retry on stderr; in tests that kill servers that is noise.
	if err := os.Setenv("ETCD_CLIENT_DEBUG", "fatal"); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "holdfast-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if serverBinary, err = proc.ServerUnderTest(ctx, dir); err != nil {
		return 1, err
	}
	if etcdctlBinary, err = proc.Peer(ctx, "etcdctl"); err != nil {
		return 1, err
	}
	if etcdBinary, err = proc.Peer(ctx, "etcd"); err != nil {
		return 1, err
	}
	waitInParallel()
	return m.Run(), nil
}

// waitInParallel lets more tests run side by side than there are cores, unless the command line says how many: they
// spend most of their time waiting for leases, elections and disks.
func waitInParallel() {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err) // the testing package has no such flag any more
		}
	}
}

// startCluster starts a cluster of the server under test and takes it down when the test ends; if the test failed
// the ends of the members' logs are printed.
func startCluster(t *testing.T, members int, args ...string) *proc.Cluster {
	t.Helper()
	return startBinary(t, serverBinary, members, args...)
}

func startBinary(t *testing.T, binary string, members int, args ...string) *proc.Cluster {
	t.Helper()
	c, err := proc.New(proc.Options{Binary: binary, Members: members, Dir: t.TempDir(), Args: args})
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
	if err := c.StartAll(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// connect returns a client that is closed when the test ends.
func connect(t *testing.T, endpoints ...string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// timeout is a context that ends with the test, or after d.
func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// must ends the test on an error and returns the value: must(t)(f()) would not compile in Go, so it is written
// must(f())(t).
func must[V any](v V, err error) func(testing.TB) V {
	return func(t testing.TB) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
