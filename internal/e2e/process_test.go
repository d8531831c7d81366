package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestVersionFlag: harnesses ask `--version` before each start and parse the first line.
func TestVersionFlag(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(serverBinary, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(out), "\n"); first != "etcd Version: 3.7.1" {
		t.Errorf("first line %q", first)
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--no-such-flag"},
		{"--listen-client-urls=127.0.0.1:2379"},
		{"--name=a", "--initial-cluster=b=http://127.0.0.1:1"},
		{"--heartbeat-interval=100", "--election-timeout=200"},
	} {
		cmd := exec.CommandContext(timeout(t, 10*time.Second), serverBinary, args...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if _, failed := err.(*exec.ExitError); !failed || cmd.ProcessState.ExitCode() <= 0 {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		if strings.Contains(string(out), "goroutine ") {
			t.Errorf("%v: a stack trace for a wrong flag:\n%s", args, out)
		}
	}
}

// TestLogLines: every line is a JSON object with the four fields that log collectors expect, and an undisturbed
// life has nothing to call an error.
func TestLogLines(t *testing.T) {
	t.Parallel()
	for _, members := range []int{1, 3} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, members)
			time.Sleep(time.Second) // idle: elections and heartbeats would show
			if err := c.Stop(10 * time.Second); err != nil {
				t.Fatal(err)
			}
			for _, m := range c.Members {
				checkLog(t, m)
			}
		})
	}
}

func checkLog(t *testing.T, m *proc.Member) {
	log := must(m.Log())(t)
	lines := 0
	for line := range strings.Lines(string(log)) {
		lines++
		var entry struct{ Level, TS, Caller, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%s: not a JSON object: %s", m.Name, line)
			continue
		}
		if _, err := time.Parse("2006-01-02T15:04:05.999999Z0700", entry.TS); err != nil {
			t.Errorf("%s: time %q", m.Name, entry.TS)
		}
		if entry.Msg == "setting up serving from embedded etcd failed." {
			continue // etcd says this of each listener that it closes; its own test lets it pass, so do we
		}
		if entry.Level == "" || entry.Caller == "" || entry.Msg == "" || entry.Level == "error" || entry.Level == "fatal" {
			t.Errorf("%s: %s", m.Name, line)
		}
	}
	if lines < 3 {
		t.Errorf("%s printed %d lines", m.Name, lines)
	}
}

// TestReadyNeedsQuorum: alone of three, a member neither says that it is ready nor serves; with a second it does.
func TestReadyNeedsQuorum(t *testing.T) {
	t.Parallel()
	c := must(proc.New(proc.Options{Binary: serverBinary, Members: 3, Dir: t.TempDir()}))(t)
	t.Cleanup(func() { _ = c.KillAll() })
	first, second := c.Members[0], c.Members[1]
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if err := first.WaitReady(timeout(t, 2500*time.Millisecond)); err == nil {
		t.Fatal("ready without a quorum")
	} else if !first.Running() {
		t.Fatal(err)
	}
	if err := second.Restart(timeout(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := first.WaitReady(timeout(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	must(connect(t, first.ClientURL).Put(timeout(t, 10*time.Second), "k", "v"))(t)
}

// TestHTTPFace: what probes and dashboards ask on the client port, next to gRPC.
func TestHTTPFace(t *testing.T) {
	t.Parallel()
	m := startCluster(t, 1).Members[0]
	must(connect(t, m.ClientURL).Put(timeout(t, 10*time.Second), "k", "v"))(t)
	for path, want := range map[string][]string{
		"/health":  {`{"health":"true","reason":""}`},
		"/livez":   {"ok"},
		"/readyz":  {"ok"},
		"/version": {`"etcdserver":"3.7.1"`, `"etcdcluster":"3.7`},
		"/metrics": {"etcd_server_has_leader 1", "etcd_server_is_leader 1", `etcd_server_version{server_version="3.7.1"} 1`, "etcd_mvcc_put_total 1"},
	} {
		r := must(http.Get(m.ClientURL + path))(t)
		body := must(io.ReadAll(r.Body))(t)
		r.Body.Close()
		for _, words := range want {
			if r.StatusCode != http.StatusOK || !strings.Contains(string(body), words) {
				t.Errorf("%s: %d without %q", path, r.StatusCode, words)
			}
		}
	}
}

// TestMemoryLock: with --memory-mlock the process's memory is locked, or it says what it needs for that and doesn't start.
func TestMemoryLock(t *testing.T) {
	t.Parallel()
	c := must(proc.New(proc.Options{Binary: serverBinary, Members: 1, Dir: t.TempDir(), Args: []string{"--memory-mlock"}}))(t)
	t.Cleanup(func() { _ = c.KillAll() })
	m := c.Members[0]
	if err := m.Restart(timeout(t, 20*time.Second)); err != nil {
		if log := m.LogTail(5); !strings.Contains(log, "--memory-mlock") {
			t.Errorf("%v\n%s", err, log)
		}
		return
	}
	must(connect(t, m.ClientURL).Put(timeout(t, 10*time.Second), "k", strings.Repeat("v", 1<<20)))(t)
	status := string(must(os.ReadFile(fmt.Sprintf("/proc/%d/status", m.Pid())))(t))
	locked := regexp.MustCompile(`VmLck:\s+([0-9]+) kB`).FindStringSubmatch(status)
	if len(locked) != 2 || must(strconv.Atoi(locked[1]))(t) < 1024 {
		t.Errorf("locked: %v", locked)
	}
}
