package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func logConfig(t *testing.T, edit func(*Config)) (*settings, error) {
	t.Helper()
	cfg := DefaultConfig()
	edit(&cfg)
	return cfg.resolve()
}

func TestLogFlags(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"defaults", func(*Config) {}, ""},
		{"zap's levels", func(c *Config) { c.LogLevel = "fatal" }, ""},
		{"no level", func(c *Config) { c.LogLevel = "loud" }, "--log-level must be"},
		{"console", func(c *Config) { c.LogFormat = "console" }, ""},
		{"no format", func(c *Config) { c.LogFormat = "konsole" }, "unknown log format: konsole, supported values json, console"},
		{"default and a file", func(c *Config) { c.LogOutputs = "default,x.log" }, `multi logoutput for "default" is not supported yet`},
		{"stderr and a file", func(c *Config) { c.LogOutputs = "stderr,x.log" }, ""},
		{"rotation of a file", func(c *Config) { c.LogRotation, c.LogOutputs = true, "stderr,x.log" }, ""},
		{"rotation of nothing", func(c *Config) { c.LogRotation = true }, "--log-outputs requires a single file path when --log-rotate-config-json is defined"},
		{"rotation of two", func(c *Config) { c.LogRotation, c.LogOutputs = true, "a.log,b.log" }, "--log-outputs requires a single file path"},
		{"rotation, no JSON", func(c *Config) { c.LogRotation, c.LogOutputs, c.LogRotationConfig = true, "a.log", "{" }, "log rotation config: "},
		{"rotation, not a number", func(c *Config) {
			c.LogRotation, c.LogOutputs, c.LogRotationConfig = true, "a.log", `{"maxsize": "x"}`
		}, "invalid log rotation config: "},
	} {
		_, err := logConfig(t, c.edit)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestLogFiles: lines go to every output, and are added to what is there.
func TestLogFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	for range 2 {
		set, err := logConfig(t, func(c *Config) { c.LogOutputs = a + "," + b + "," + a })
		if err != nil {
			t.Fatal(err)
		}
		log, done, err := set.log.open()
		if err != nil {
			t.Fatal(err)
		}
		log.Info("hello", "n", 1)
		log.Debug("unheard")
		if err := done(); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{a, b} {
		content, err := os.ReadFile(path)
		if err != nil || strings.Count(string(content), "\n") != 2 || !json.Valid(content[:bytes.IndexByte(content, '\n')]) {
			t.Errorf("%s: %q, %v", path, content, err)
		}
	}
	set, err := logConfig(t, func(c *Config) { c.LogOutputs = filepath.Join(dir, "none", "x.log") })
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := set.log.open(); err == nil {
		t.Error("a file in no directory was opened")
	}
}

// TestLogRotation: a file that grows too large becomes a backup.
func TestLogRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	set, err := logConfig(t, func(c *Config) {
		c.LogRotation, c.LogOutputs, c.LogRotationConfig = true, path, `{"maxsize": 1, "maxbackups": 1}`
	})
	if err != nil {
		t.Fatal(err)
	}
	log, done, err := set.log.open()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 1000)
	for range 1500 {
		log.Info(text)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "x*.log")); len(files) != 2 {
		t.Errorf("files %v", files)
	}
}

func TestConsoleLines(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newConsoleHandler(&out, slog.LevelInfo))
	log.Info("hello", "a", 1, "took", time.Second)
	log.With("b", "x\ny").Warn("again")
	want := regexp.MustCompile(`^\S+T\S+Z\tinfo\tserver/log_test.go:\d+\thello\t\{"a":1,"took":"1s"\}
\S+T\S+Z\twarn\tserver/log_test.go:\d+\tagain\t\{"b":"x\\ny"\}
$`)
	if !want.Match(out.Bytes()) {
		t.Errorf("%q", out.String())
	}
}

// TestRequestStats: slow requests are told, without the values in them.
func TestRequestStats(t *testing.T) {
	var log syncBuffer
	c := newCluster(t, 1, func(cfg *Config) { cfg.Logger, cfg.WarningUnary = NewLogger(&log, slog.LevelInfo), time.Nanosecond })
	cli := c.client()
	if _, err := cli.Put(within(t, 5*time.Second), "key1", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := pb.NewKVClient(cli.ActiveConnection()).Txn(within(t, 5*time.Second), &pb.TxnRequest{
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("key2"), Value: []byte("secret")}}}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := cli.Get(within(t, 5*time.Second), "key1"); err != nil {
		t.Fatal(err)
	}
	stats := 0
	for _, line := range log.lines() {
		if strings.Contains(line, `"msg":"request stats"`) {
			stats++
			if !strings.Contains(line, `"level":"warn"`) || !strings.Contains(line, "key") {
				t.Errorf("line %s", line)
			}
		}
		if strings.Contains(line, "secret") {
			t.Errorf("a value in the log: %s", line)
		}
	}
	if stats != 3 {
		t.Errorf("%d lines about 3 slow requests", stats)
	}
}
