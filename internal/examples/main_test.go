package examples

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/holdfast-db/holdfast/internal/proc"
)

var languages = flag.String("languages", "go", "which examples to run: some of go, curl, python, node, java")

var (
	serverBinary string
	root         string // of the project
	built        string // the folder of the Go examples' binaries
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := runMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runMain(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "holdfast-examples-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if root, err = proc.Root(); err != nil {
		return 1, err
	}
	if serverBinary, err = proc.ServerUnderTest(context.Background(), dir); err != nil {
		return 1, err
	}
	built = filepath.Join(dir, "bin")
	if err := os.Mkdir(built, 0o755); err != nil {
		return 1, err
	}
	if wanted("go") {
		build := exec.Command("go", "build", "-o", built, "./...")
		build.Dir = filepath.Join(root, "examples", "go")
		if out, err := build.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	return m.Run(), nil
}

func wanted(language string) bool {
	return slices.Contains(strings.Split(*languages, ","), language)
}

// need skips a test whose language was not asked for.
func need(t *testing.T, language string) {
	t.Helper()
	if !wanted(language) {
		t.Skipf("not asked for: -languages %s", language)
	}
}

// cluster is three servers and a client that looks at what the examples leave behind.
type cluster struct {
	*proc.Cluster
	*clientv3.Client
}

func start(t *testing.T, args ...string) *cluster {
	t.Helper()
	c, err := proc.New(proc.Options{Binary: serverBinary, Members: 3, Dir: t.TempDir(), Args: args})
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
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &cluster{Cluster: c, Client: client}
}

func (c *cluster) endpoints() string {
	return "--endpoints=" + strings.Join(c.Cluster.Endpoints(), ",")
}

// killLeader kills the member that leads, and has it come back a moment later.
func (c *cluster) killLeader(t *testing.T) {
	t.Helper()
	leader := c.leader(t)
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Log("killed the leader,", leader.Name)
	time.Sleep(2 * time.Second)
	if err := leader.Restart(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) leader(t *testing.T) *proc.Member {
	t.Helper()
	ctx := timeout(t, 20*time.Second)
	for ctx.Err() == nil {
		for _, m := range c.Members {
			attempt, cancel := context.WithTimeout(ctx, time.Second)
			status, err := c.Status(attempt, m.ClientURL)
			cancel()
			if err == nil && status.Leader == status.Header.MemberId {
				return m
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no leader")
	return nil
}

// get reads a prefix.
func (c *cluster) get(t *testing.T, prefix string, opts ...clientv3.OpOption) *clientv3.GetResponse {
	t.Helper()
	r, err := c.Get(timeout(t, 10*time.Second), prefix, append(opts, clientv3.WithPrefix())...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// everyChange returns all values that a key has had since a revision, in order.
func (c *cluster) everyChange(t *testing.T, key string) (values []string) {
	t.Helper()
	now := c.get(t, key)
	if len(now.Kvs) == 0 {
		return nil
	}
	last := now.Kvs[0].ModRevision
	for r := range c.Watch(timeout(t, 10*time.Second), key, clientv3.WithRev(now.Kvs[0].CreateRevision)) {
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Events {
			if values = append(values, string(e.Kv.Value)); e.Kv.ModRevision >= last {
				return values
			}
		}
	}
	t.Fatalf("%s: %d changes and no end", key, len(values))
	return nil
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until what is asked for is so.
func eventually(t *testing.T, within time.Duration, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}
