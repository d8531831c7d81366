package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The log lies where --wal-dir says, and only there; a member whose parts don't
// fit together isn't begun anew over them.
func TestWALDir(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "log")
	c := newCluster(t, 1, func(cfg *Config) { cfg.WALDir = elsewhere })
	for _, key := range []string{"a", "b"} {
		if _, err := c.client().Put(within(t, 10*time.Second), key, "1"); err != nil {
			t.Fatal(err)
		}
	}
	data := c.configs[0].DataDir
	if names := glob(t, elsewhere, "*.wal"); len(names) == 0 || len(glob(t, elsewhere, "super")) != 1 {
		t.Errorf("in --wal-dir: %v", names)
	}
	for _, pattern := range []string{"*.wal", "super", "LOCK", "*.spare"} {
		if names := glob(t, data, pattern); len(names) != 0 {
			t.Errorf("in --data-dir: %v", names)
		}
	}
	c.restart(t)
	if got, err := c.client().Get(within(t, 10*time.Second), "b"); err != nil || len(got.Kvs) != 1 {
		t.Errorf("after the restart: %v, %v", got, err)
	}
	info, err := os.Stat(elsewhere)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A snapshot in the data directory, and no log: whoever forgets the flag is told.
	if err := os.WriteFile(filepath.Join(data, "snap", "0000000000000005-0000000000000001.snap"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := c.configs[0]
	cfg.WALDir = ""
	if _, err := Start(cfg); err == nil || !strings.Contains(err.Error(), "has snapshots: give --wal-dir") {
		t.Errorf("without the flag: %v", err)
	}
	other := newCluster(t, 1)
	cfg = other.configs[0]
	cfg.WALDir = filepath.Join(t.TempDir(), "log")
	if err := other.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(cfg); err == nil || !strings.Contains(err.Error(), "--wal-dir: there is no log in") {
		t.Errorf("with the flag, where there was none: %v", err)
	}
}

// restart stops the only member and starts it again.
func (c *cluster) restart(t *testing.T) {
	t.Helper()
	if err := c.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	c.start(0)
	c.ready(0)
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// With --socket-reuse-port another listener may share the address, else not.
func TestSocketReusePort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only, as the flag says")
	}
	for _, reuse := range []bool{false, true} {
		s := &settings{Config: Config{SocketReusePort: reuse}}
		first, err := s.bind("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.bind("tcp", first.Addr().String())
		if (err == nil) != reuse {
			t.Errorf("reuse %t: %v", reuse, err)
		}
		if second != nil {
			second.Close()
		}
		first.Close()
	}
}

// --warning-apply-duration: what takes longer is in the log.
func TestSlowApplyIsLogged(t *testing.T) {
	var log syncBuffer
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.WarningApply, cfg.Logger = time.Nanosecond, slog.New(slog.NewJSONHandler(&log, nil))
	})
	if _, err := c.client().Put(within(t, 10*time.Second), "a", "1"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(strings.Join(log.lines(), "\n"), `"msg":"apply request took too long","took":`) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q", log.lines())
		}
	}
}
