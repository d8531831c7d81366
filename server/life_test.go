package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"github.com/holdfast-db/holdfast/internal/oneport"
)

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSpace(s.b.String()), "\n")
}

// TestLogLines: every line of an undisturbed start and stop is what readers of
// etcd's log expect, none is an error, and "ready" comes when it is true.
func TestLogLines(t *testing.T) {
	var log syncBuffer
	c := newCluster(t, 3, func(cfg *Config) { cfg.Logger = NewLogger(&log, slog.LevelDebug) })
	if _, err := c.client().Put(within(t, 5*time.Second), "a", "b"); err != nil {
		t.Fatal(err)
	}
	c.stop()
	ready := 0
	for _, line := range log.lines() {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, name := range []string{"level", "ts", "caller", "msg"} {
			if s, _ := fields[name].(string); s == "" {
				t.Errorf("no %s: %s", name, line)
			}
		}
		if _, err := time.Parse("2006-01-02T15:04:05.999999Z0700", fields["ts"].(string)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if fields["level"] == "error" {
			t.Errorf("at level error: %s", line)
		}
		if strings.Contains(line, "ready to serve client requests") {
			ready++
		}
	}
	if ready != 3 {
		t.Errorf("%d members said that they are ready", ready)
	}
}

// TestStopHandsOver: a leader that stops leaves the cluster with another one
// within half a second, with clients connected and watching.
func TestStopHandsOver(t *testing.T) {
	c := newCluster(t, 3)
	old := c.leader()
	cli := c.client()
	watch := cli.Watch(within(t, 20*time.Second), "k")
	if _, err := cli.Put(within(t, 5*time.Second), "k", "v"); err != nil {
		t.Fatal(err)
	}
	<-watch
	term := c.members[old].Status().Raft.Term
	began := time.Now()
	if err := c.members[old].Stop(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if took > 1500*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
	next := -1
	for time.Since(began) < 5*time.Second && next < 0 {
		for i, s := range c.members {
			if st := s.Status().Raft; i != old && uint64(st.Leader) == s.MemberID() && st.Term > term {
				next = i
			}
		}
	}
	if next < 0 {
		t.Fatal("no new leader")
	}
	if since := time.Since(began); since > took+500*time.Millisecond {
		t.Errorf("the next leader took %v, the stop %v", since, took)
	}
	if _, err := c.client(next).Put(within(t, 5*time.Second), "k", "w"); err != nil {
		t.Errorf("put after the handover: %v", err)
	}
	c.start(old) // the same directory, ports and arguments
	c.ready(old)
	got, err := c.client(old).Get(within(t, 5*time.Second), "k", clientv3.WithSerializable())
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "w" {
		t.Errorf("serializable read right after the restart: %v, %v", got, err)
	}
}

// TestStopLeavesNothing: no goroutine, no port.
func TestStopLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := newCluster(t, 3)
	cli := c.client()
	ctx := within(t, 20*time.Second)
	lease, err := cli.Grant(ctx, 60)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cli.KeepAlive(ctx, lease.ID); err != nil {
		t.Fatal(err)
	}
	cli.Watch(ctx, "x", clientv3.WithPrefix())
	idle, err := net.Dial("tcp", c.members[0].ClientAddrs()[0].String()) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	c.stop()
	cli.Close()
	idle.Close()
	goleak.VerifyNone(t, before)
	for _, cfg := range c.configs {
		for _, u := range []string{cfg.ListenClientURLs, cfg.ListenPeerURLs} {
			l, err := net.Listen("tcp", strings.TrimPrefix(u, "http://"))
			if err != nil {
				t.Errorf("port not free: %v", err)
				continue
			}
			l.Close()
		}
	}
}

// TestWithoutQuorum: a member alone of three neither says that it is ready nor
// answers, but stops at once.
func TestWithoutQuorum(t *testing.T) {
	c := newCluster(t, 3)
	c.stop()
	c.start(0)
	select {
	case <-c.members[0].Ready():
		t.Error("ready without a quorum")
	case <-time.After(1500 * time.Millisecond):
	}
	began := time.Now()
	if err := c.members[0].Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
}

// TestDataDirectory: data says who a member is, as with etcd; joining without
// data and sharing a directory are refused, in words, and nothing stays open.
func TestDataDirectory(t *testing.T) {
	c := newCluster(t, 1)
	before := c.members[0].MemberID()
	c.stop()
	cfg := c.configs[0]
	cfg.InitialClusterToken = "another"
	again, err := Start(cfg)
	if err != nil {
		t.Fatalf("restart with another token: %v", err)
	}
	if again.MemberID() != before {
		t.Errorf("restarted as %x, was %x", again.MemberID(), before)
	}
	if err := again.Stop(); err != nil {
		t.Error(err)
	}
	empty := c.configs[0]
	empty.DataDir, empty.InitialClusterState = t.TempDir(), "existing"
	if _, err := Start(empty); !errors.Is(err, errJoin) {
		t.Errorf("joining with an empty directory: %v", err)
	}
	foreign := c.configs[0]
	foreign.DataDir = t.TempDir()
	for _, made := range []error{
		os.MkdirAll(filepath.Join(foreign.DataDir, "member", "snap"), 0o700),
		os.WriteFile(filepath.Join(foreign.DataDir, "member", "snap", "db"), []byte("bolt"), 0o600),
	} {
		if made != nil {
			t.Fatal(made)
		}
	}
	if _, err := Start(foreign); !errors.Is(err, ErrForeign) {
		t.Errorf("beginning with nothing where etcd has its data: %v", err)
	}
	c.configs[0].InitialClusterState = "existing" // with data it says nothing new
	c.start(0)
	if _, err := Start(c.configs[0]); err == nil {
		t.Error("two processes in one directory")
	}
	other := c.configs[0]
	other.DataDir, other.InitialClusterState = t.TempDir(), "new"
	if _, err := Start(other); err == nil || !strings.Contains(err.Error(), "listen on "+other.ListenPeerURLs) {
		t.Errorf("a port that is taken: %v", err)
	}
	c.ready(0)
}

// TestHTTP asks what monitors ask.
func TestHTTP(t *testing.T) {
	c := newCluster(t, 1)
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get(c.configs[0].AdvertiseClientURLs + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, q := range []struct {
		path string
		code int
		want string // the body, or part of it for /metrics
	}{
		{"/health", 200, `{"health":"true","reason":""}`},
		{"/health?serializable=true", 200, `{"health":"true","reason":""}`},
		{"/version", 200, `{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}`},
		{"/livez", 200, "ok\n"},
		{"/readyz", 200, "ok\n"},
		{"/readyz?verbose", 200, "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n"},
		{"/readyz/linearizable_read", 200, "ok\n"},
		{"/readyz/nonsense", 404, "404 page not found\n"},
		{"/livez/linearizable_read", 404, "404 page not found\n"},
		{"/nothing", 404, "404 page not found\n"},
		{"/metrics", 200, "etcd_server_has_leader 1\n"},
		{"/metrics", 200, `etcd_server_version{server_version="3.7.1"} 1`},
		{"/metrics", 200, `grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 0`},
	} {
		code, body := get(q.path)
		if code != q.code || body != q.want && (q.path != "/metrics" || !strings.Contains(body, q.want)) {
			t.Errorf("%s: %d %q", q.path, code, body)
		}
	}
	resp, err := http.Post(c.configs[0].AdvertiseClientURLs+"/health", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /health: %d", resp.StatusCode)
	}
}

// TestLocalhost: a URL with "localhost" serves both families, where there are both.
func TestLocalhost(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) {
		_, port, _ := strings.Cut(strings.TrimPrefix(cfg.ListenClientURLs, "http://"), ":")
		cfg.ListenClientURLs = "http://localhost:" + port
		cfg.AdvertiseClientURLs = cfg.ListenClientURLs
	})
	hosts := []string{"127.0.0.1"}
	if nettest.SupportsIPv6() {
		hosts = append(hosts, "[::1]")
	}
	for _, host := range hosts {
		resp, err := http.Get(strings.Replace(c.configs[0].AdvertiseClientURLs, "localhost", host, 1) + "/version")
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		resp.Body.Close()
	}
}

// TestSplitter: connections go where their first bytes say, even byte by byte.
func TestSplitter(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSplitter(newMetrics(time.Second), nil, slog.New(slog.DiscardHandler), &settings{limits: etcdLimits})
	s.serve(&endpoint{Listener: l, plain: true})
	defer s.close()
	for _, c := range []struct {
		send string
		to   *oneport.Handoff
	}{
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", s.grpc},
		{"GET / HTTP/1.1\r\n\r\n", s.http},
		{"PRI GET HTTP/1.1\r\n", s.http},
		{"POST / HTTP/1.1\r\n", s.http},
	} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range len(c.send) {
				if _, err := conn.Write([]byte{c.send[i]}); err != nil {
					return
				}
			}
		}()
		got, err := c.to.Accept()
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(got).ReadString('\n')
		if want, _, _ := strings.Cut(c.send, "\n"); err != nil || line != want+"\n" {
			t.Errorf("%q arrived as %q, %v", c.send, line, err)
		}
		conn.Close()
		got.Close()
	}
}
