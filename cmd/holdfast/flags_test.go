package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/holdfast-db/holdfast/server"
)

// parse is what serve does before it starts anything.
func parse(args, environ []string) (server.Config, error) {
	cfg := server.DefaultConfig()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	fs.Usage = func() {}
	table := bindServeFlags(fs, &cfg)
	full := withDefaultCommand(args)
	if full[0] != "serve" {
		return cfg, errors.New("not serve: " + full[0])
	}
	if err := fs.Parse(full[1:]); err != nil {
		return cfg, err
	}
	warnings, err := applyEnvironment(fs, environ)
	if err != nil {
		return cfg, err
	}
	cfg.Warnings = append(warnings, table.warnings(fs)...)
	finishConfig(fs, &cfg)
	return cfg, nil
}

func TestServeFlags(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    string
		environ string
		want    func(*server.Config)
	}{
		{"nothing", "", "", func(*server.Config) {}},
		{"serve", "serve", "", func(*server.Config) {}},
		{"value after =", "--name=a", "", func(c *server.Config) { c.Name = "a" }},
		{"value after space", "--name a", "", func(c *server.Config) { c.Name = "a" }},
		{"one dash", "-name a -heartbeat-interval=50", "", func(c *server.Config) { c.Name, c.HeartbeatMS = "a", 50 }},
		{"one dash after serve", "serve -name a", "", func(c *server.Config) { c.Name = "a" }},
		{"the last of two", "--snapshot-catchup-entries 5 --snapshot-catchup-entries=7", "", func(c *server.Config) { c.CatchUpEntries = 7 }},
		{"variable", "", "ETCD_NAME=a ETCD_MAX_TXN_OPS=5", func(c *server.Config) { c.Name, c.MaxTxnOps = "a", 5 }},
		{"flag over variable", "--name b", "ETCD_NAME=a", func(c *server.Config) { c.Name = "b" }},
		{"empty variable", "", "ETCD_NAME=", func(*server.Config) {}},
		{"bool", "--unsafe-no-fsync", "", func(c *server.Config) { c.UnsafeNoFsync = true }},
		{"bool in a variable", "", "ETCD_UNSAFE_NO_FSYNC=true", func(c *server.Config) { c.UnsafeNoFsync = true }},
		{"negative quota", "--quota-backend-bytes=-1", "", func(c *server.Config) { c.QuotaBytes = -1 }},
		{"listen without advertise", "--listen-client-urls http://0.0.0.0:0", "", func(c *server.Config) {
			c.ListenClientURLs, c.AdvertiseClientURLs = "http://0.0.0.0:0", ""
		}},
		{"unknown variable", "", "ETCD_VERIFY=all PATH=/bin", func(c *server.Config) {
			c.Warnings = []string{"unrecognized environment variable ETCD_VERIFY"}
		}},
		{"etcd's own business", "--strict-reconfig-check=false --logger zap", "", func(c *server.Config) {
			c.Warnings = []string{
				"--logger has no effect: there is one logger",
				"--strict-reconfig-check has no effect: membership changes are always checked",
			}
		}},
		{"snapshot count", "--snapshot-count 10 --snapshot-count 10", "", func(c *server.Config) {
			c.SnapshotCount = 10
			c.Warnings = []string{"--snapshot-count does not trigger snapshots: the size of the log does"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(strings.Fields(c.args), strings.Fields(c.environ))
			if err != nil {
				t.Fatal(err)
			}
			want := server.DefaultConfig()
			c.want(&want)
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestServeFlagErrors(t *testing.T) {
	for _, c := range []struct{ args, environ, want string }{
		{"--nonsense", "", "unknown flag: --nonsense"},
		{"--heartbeat-interval x", "", `invalid argument "x" for "--heartbeat-interval"`},
		{"", "ETCD_HEARTBEAT_INTERVAL=x", `ETCD_HEARTBEAT_INTERVAL: invalid value "x"`},
		{"--name", "", "flag needs an argument: --name"},
	} {
		_, err := parse(strings.Fields(c.args), strings.Fields(c.environ))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.args, c.environ, err, c.want)
		}
	}
}

// TestFlagDefaults holds the defaults that etcd 3.7.1 --help prints.
func TestFlagDefaults(t *testing.T) {
	cfg := server.DefaultConfig()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	bindServeFlags(fs, &cfg)
	for name, want := range map[string]string{
		"name": "default", "data-dir": "", "listen-client-urls": "http://localhost:2379",
		"advertise-client-urls": "http://localhost:2379", "listen-peer-urls": "http://localhost:2380",
		"initial-advertise-peer-urls": "http://localhost:2380", "initial-cluster-state": "new",
		"initial-cluster-token": "etcd-cluster", "heartbeat-interval": "100", "election-timeout": "1000",
		"snapshot-count": "10000", "snapshot-catchup-entries": "5000", "quota-backend-bytes": "0",
		"max-txn-ops": "128", "max-request-bytes": "1572864", "max-concurrent-streams": "4294967295",
		"grpc-keepalive-min-time": "5s", "grpc-keepalive-interval": "2h0m0s", "grpc-keepalive-timeout": "20s",
		"watch-progress-notify-interval": "10m0s", "log-level": "info", "unsafe-no-fsync": "false",
	} {
		flag := fs.Lookup(name)
		if flag == nil || flag.DefValue != want {
			t.Errorf("--%s: %+v, want %q", name, flag, want)
		}
	}
}

func TestDefaultCommand(t *testing.T) {
	for args, want := range map[string]string{
		"": "serve", "--name a": "serve --name a", "get k": "get k", "--help": "--help", "-h": "-h",
		"--version": "--version", "-version": "--version", "local --nodes 3": "local --nodes 3",
	} {
		if got := withDefaultCommand(strings.Fields(args)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for args, want := range map[string]int{
		"put onlykey":            exitUsage,
		"--nonsense":             exitUsage,
		"nonsense":               exitUsage,
		"get k -o xml":           exitUsage,
		"wal ls /does/not/exist": exitNo,
		"serve --log-level loud": exitConfig,
		"--election-timeout 1":   exitConfig,
		"get k --timeout 100ms --endpoints 127.0.0.1:1": exitUnavailable,
		"local --nodes 0": exitUsage,
	} {
		err := execute(strings.Fields(args))
		if err == nil || exitCode(err) != want {
			t.Errorf("%q: %v; want code %d", args, err, want)
		}
	}
}
