package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/holdfast-db/holdfast/server"
)

// ignoredFlag is one of etcd's that says nothing to Holdfast. It is accepted
// with one warning, so that scripts written for etcd start it unchanged.
type ignoredFlag struct {
	name   string
	isBool bool
	why    string
}

var ignoredFlags = ignored{
	{"backend-batch-interval", false, "there is no backend file to batch writes for"},
	{"backend-batch-limit", false, "there is no backend file to batch writes for"},
	{"backend-bbolt-freelist-type", false, "there is no backend file"},
	{"bootstrap-defrag-threshold-megabytes", false, "memory needs no defragmentation"},
	{"compaction-batch-limit", false, "compaction works in small slices by itself"},
	{"compaction-sleep-interval", false, "compaction gives way to writes by itself"},
	{"log-format", false, "log lines are JSON"},
	{"log-outputs", false, "log lines go to stderr"},
	{"logger", false, "there is one logger"},
	{"max-snapshots", false, "two snapshots are kept"},
	{"max-wals", false, "the log is kept as far as snapshots and followers need it"},
	{"pre-vote", true, "elections always begin with a pre-vote"},
	{"strict-reconfig-check", true, "membership changes are always checked"},
	{"initial-election-tick-advance", true, "a lone member leads at once, others wait for an election timeout"},
	{"v2-deprecation", false, "there is no v2 store"},
}

type ignored []ignoredFlag

// warnings are about ignored flags that were set.
func (list ignored) warnings(fs *pflag.FlagSet) (out []string) {
	for _, f := range list {
		if fs.Changed(f.name) {
			out = append(out, fmt.Sprintf("--%s has no effect: %s", f.name, f.why))
		}
	}
	if fs.Changed("snapshot-count") {
		out = append(out, "--snapshot-count does not trigger snapshots: the size of the log does")
	}
	return out
}

// bindServeFlags defines etcd's flags over a configuration.
func bindServeFlags(fs *pflag.FlagSet, c *server.Config) ignored {
	fs.SortFlags = false
	fs.StringVar(&c.Name, "name", c.Name, "human-readable name of this member")
	fs.StringVar(&c.DataDir, "data-dir", c.DataDir, `directory for everything durable (default "NAME.etcd")`)
	fs.StringVar(&c.ListenClientURLs, "listen-client-urls", c.ListenClientURLs, "URLs to serve clients on")
	fs.StringVar(&c.AdvertiseClientURLs, "advertise-client-urls", c.AdvertiseClientURLs, "client URLs to tell others")
	fs.StringVar(&c.ListenPeerURLs, "listen-peer-urls", c.ListenPeerURLs, "URLs to serve other members on")
	fs.StringVar(&c.InitialAdvertisePeerURLs, "initial-advertise-peer-urls", c.InitialAdvertisePeerURLs, "peer URLs to tell others")
	fs.StringVar(&c.InitialCluster, "initial-cluster", c.InitialCluster, "all first members, NAME=URL,… (default: this one)")
	fs.StringVar(&c.InitialClusterState, "initial-cluster-state", c.InitialClusterState, `"new", or "existing" if there must be data already`)
	fs.StringVar(&c.InitialClusterToken, "initial-cluster-token", c.InitialClusterToken, "sets clusters with equal URLs apart")

	fs.IntVar(&c.HeartbeatMS, "heartbeat-interval", c.HeartbeatMS, "milliseconds between the leader's heartbeats")
	fs.IntVar(&c.ElectionMS, "election-timeout", c.ElectionMS, "milliseconds without a leader before an election")
	fs.Uint64Var(&c.SnapshotCount, "snapshot-count", c.SnapshotCount, "accepted; the size of the log triggers snapshots")
	fs.Uint64Var(&c.CatchUpEntries, "snapshot-catchup-entries", c.CatchUpEntries, "log entries kept for slow followers")
	fs.Int64Var(&c.QuotaBytes, "quota-backend-bytes", c.QuotaBytes, "bound of the key space in bytes (0: 2 GiB, below 0: none)")
	fs.UintVar(&c.MaxTxnOps, "max-txn-ops", c.MaxTxnOps, "operations in a transaction")
	fs.UintVar(&c.MaxRequestBytes, "max-request-bytes", c.MaxRequestBytes, "bytes in a request")
	fs.Uint32Var(&c.MaxConcurrentStreams, "max-concurrent-streams", c.MaxConcurrentStreams, "gRPC streams on one connection")
	fs.DurationVar(&c.KeepAliveMinTime, "grpc-keepalive-min-time", c.KeepAliveMinTime, "shortest time between a client's pings")
	fs.DurationVar(&c.KeepAliveInterval, "grpc-keepalive-interval", c.KeepAliveInterval, "time between the server's pings of an idle client")
	fs.DurationVar(&c.KeepAliveTimeout, "grpc-keepalive-timeout", c.KeepAliveTimeout, "time that a client has to answer a ping")
	fs.DurationVar(&c.WatchProgressInterval, "watch-progress-notify-interval", c.WatchProgressInterval, "time between progress notifications of quiet watches")
	fs.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	fs.BoolVar(&c.EnablePprof, "enable-pprof", c.EnablePprof, "serve /debug/pprof/ on the client URLs")
	fs.BoolVar(&c.UnsafeNoFsync, "unsafe-no-fsync", c.UnsafeNoFsync, "leave syncing to the kernel; a power loss loses acknowledged writes")

	bindTLSFlags(fs, c)

	for _, f := range ignoredFlags {
		if f.isBool {
			fs.Bool(f.name, true, "accepted without effect: "+f.why)
		} else {
			fs.String(f.name, "", "accepted without effect: "+f.why)
		}
		_ = fs.MarkHidden(f.name) // it was defined a line ago
	}
	return ignoredFlags
}

// finishConfig handles defaults that depend on what was set.
func finishConfig(fs *pflag.FlagSet, c *server.Config) {
	if fs.Changed("listen-client-urls") && !fs.Changed("advertise-client-urls") {
		c.AdvertiseClientURLs = "" // Start refuses: others must not be told localhost
	}
}

const envPrefix = "ETCD_"

// applyEnvironment sets flags from ETCD_* variables, unless the command line set
// them. Variables that name no flag are for somebody else: a warning each.
func applyEnvironment(fs *pflag.FlagSet, environ []string) (warnings []string, err error) {
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		flag := fs.Lookup(strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "_", "-"))
		if flag == nil {
			warnings = append(warnings, "unrecognized environment variable "+name)
			continue
		}
		if flag.Changed || value == "" {
			continue
		}
		if err := fs.Set(flag.Name, value); err != nil {
			return warnings, fmt.Errorf("%s: invalid value %q: %w", name, value, err)
		}
	}
	return warnings, nil
}
