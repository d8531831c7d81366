package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the server: started with this variable it behaves as its value says.
const roleVariable = "PROC_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "good":
		fmt.Println(`{"msg":"` + readyLine + `"}`)
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		os.Exit(3)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println(`{"msg":"` + readyLine + `"}`)
		select {}
	case "mute":
		select {}
	case "broken":
		fmt.Println("no such flag")
		os.Exit(2)
	}
}

func fakeCluster(t *testing.T, role string, members int) *Cluster {
	t.Helper()
	c, err := New(Options{Binary: os.Args[0], Members: members, Dir: t.TempDir(), Env: []string{roleVariable + "=" + role}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.KillAll(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestMemberLives(t *testing.T) {
	c := fakeCluster(t, "good", 1)
	m := c.Members[0]
	for life := range 3 {
		if err := m.Restart(within(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err == nil {
			t.Fatal("a second process was started over a live one")
		}
		pid := m.Pid()
		if life == 1 {
			if err := m.Stop(10 * time.Second); err != nil {
				t.Fatal(err)
			}
			if m.ExitCode() != 3 {
				t.Fatalf("exit code %d, want the 3 that a handled SIGTERM gives", m.ExitCode())
			}
		} else if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		if m.Running() {
			t.Fatal("still running")
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Fatalf("process %d was not reaped: %v", pid, err)
		}
	}
	if err := m.Kill(); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("kill of a dead member: %v", err)
	}
	if got := strings.Count(m.LogTail(100), readyLine); got != 3 {
		t.Fatalf("the log holds %d lives, want 3", got)
	}
	if log, err := m.Log(); err != nil || strings.Count(string(log), readyLine) != 1 {
		t.Fatalf("the log of the last life: %q, %v", log, err)
	}
}

func TestWaitReadyFails(t *testing.T) {
	for role, want := range map[string]string{"broken": "no such flag", "mute": "not ready"} {
		m := fakeCluster(t, role, 1).Members[0]
		err := m.Restart(within(t, 300*time.Millisecond))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", role, err, want)
		}
	}
}

func TestStopReportsTheDeaf(t *testing.T) {
	m := fakeCluster(t, "deaf", 1).Members[0]
	if err := m.Restart(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(50 * time.Millisecond); err == nil {
		t.Fatal("no error for a server that ignores SIGTERM")
	}
	if m.Running() {
		t.Fatal("left running")
	}
}

func TestPausedProcessStandsStill(t *testing.T) {
	m := fakeCluster(t, "good", 1).Members[0]
	if err := m.Restart(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := m.Pause(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-m.Exited():
		t.Fatal("a paused process handled SIGTERM")
	case <-time.After(100 * time.Millisecond):
	}
	if err := m.Resume(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-m.Exited():
	case <-time.After(10 * time.Second):
		t.Fatal("resumed, and never ended")
	}
}

func TestClusterAddressesDiffer(t *testing.T) {
	a, b := fakeCluster(t, "good", 3), fakeCluster(t, "good", 3)
	seen := map[string]bool{}
	for _, m := range append(a.Members, b.Members...) {
		for _, url := range []string{m.ClientURL, m.PeerURL} {
			if seen[url] {
				t.Fatalf("%s was given out twice", url)
			}
			seen[url] = true
		}
	}
	want := fmt.Sprintf("--initial-cluster=n1=%s,n2=%s,n3=%s", a.Members[0].PeerURL, a.Members[1].PeerURL, a.Members[2].PeerURL)
	for _, m := range a.Members {
		if !strings.Contains(strings.Join(m.args, " "), want) {
			t.Errorf("%s is started with %v, without %s", m.Name, m.args, want)
		}
	}
}

func TestPortBlockIsHeld(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	anchor := portFirst + (port-portFirst)/portBlockSize*portBlockSize
	if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", anchor)); err == nil {
		l.Close()
		t.Fatalf("the first port of the block, %d, is free for others", anchor)
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	m := fakeCluster(t, "good", 1).Members[0]
	if _, err := m.Usage(); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("usage of a member that never ran: %v", err)
	}
	if err := m.Restart(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	u, err := m.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if u.RSSBytes < 1<<20 || u.RSSPeak < u.RSSBytes {
		t.Errorf("implausible: %+v", u)
	}
}

func TestParseProc(t *testing.T) {
	stat := []byte("4 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0")
	if got, err := parseStat(stat); err != nil || got != 1750*time.Millisecond {
		t.Errorf("parseStat = %v, %v; want 1.75s", got, err)
	}
	if _, err := parseStat([]byte("4 (a) S 1")); err == nil {
		t.Error("a short stat line was accepted")
	}
	status := []byte("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
	if got, err := parseStatus(status, "VmRSS"); err != nil || got != 1<<20 {
		t.Errorf("VmRSS = %d, %v; want 1 MiB", got, err)
	}
	if _, err := parseStatus(status, "VmSwap"); err == nil {
		t.Error("a missing line was accepted")
	}
}
