package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestIdentity holds ids that etcd gives to the same URLs and token.
func TestIdentity(t *testing.T) {
	set, err := DefaultConfig().resolve()
	if err != nil {
		t.Fatal(err)
	}
	if hex(set.member) != "8e9e05c52164694d" || hex(set.cluster) != "cdf818194e3a8c32" {
		t.Errorf("a lone default member is %x of cluster %x", set.member, set.cluster)
	}
	a := MemberID([]string{"http://b:1", "http://a:1"}, "t")
	if b := MemberID([]string{"http://a:1", "http://b:1"}, "t"); a != b {
		t.Errorf("the order of URLs changes the id: %x, %x", a, b)
	}
	if b := MemberID([]string{"http://a:1", "http://b:1"}, "u"); a == b {
		t.Error("the token does not change the id")
	}
	if ClusterID([]uint64{1, 2}) != ClusterID([]uint64{2, 1}) {
		t.Error("the order of members changes the cluster's id")
	}
}

// TestAlikeOnAllMembers: members started with the same --initial-cluster derive
// the same cluster and configuration, whichever of them they are.
func TestAlikeOnAllMembers(t *testing.T) {
	var seen []string
	for i, list := range []string{
		"a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380,c=http://10.0.1.3:2380",
		"c=http://10.0.1.3:2380,a=http://10.0.0.1:2380,c=http://10.0.0.3:2380,b=http://10.0.0.2:2380",
	} {
		c := DefaultConfig()
		c.Name, c.InitialAdvertisePeerURLs = "a", "http://10.0.0.1:2380"
		if i == 1 {
			c.Name, c.InitialAdvertisePeerURLs = "c", "http://10.0.1.3:2380,http://10.0.0.3:2380"
		}
		c.InitialCluster = list
		set, err := c.resolve()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprintf("%x %v", set.cluster, set.initial))
	}
	if seen[0] != seen[1] {
		t.Errorf("members disagree:\n%s\n%s", seen[0], seen[1])
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string // part of the error; "": none
	}{
		{"defaults", func(*Config) {}, ""},
		{"no name", func(c *Config) { c.Name = "" }, "--name must not be empty"},
		{"no heartbeat", func(c *Config) { c.HeartbeatMS = 0 }, "--heartbeat-interval must be >0"},
		{"no election", func(c *Config) { c.ElectionMS = -1 }, "--election-timeout must be >0"},
		{"election too short", func(c *Config) { c.ElectionMS = 499 }, "--election-timeout[499ms] should be at least as 5 times as --heartbeat-interval[100ms]"},
		{"election just long enough", func(c *Config) { c.ElectionMS = 500 }, ""},
		{"election too long", func(c *Config) { c.ElectionMS = 50_001 }, "--election-timeout[50001ms] is too long, and should be set less than 50000ms"},
		{"no operations", func(c *Config) { c.MaxTxnOps = 0 }, "--max-txn-ops must be >0"},
		{"no bytes", func(c *Config) { c.MaxRequestBytes = 0 }, "--max-request-bytes must be between"},
		{"too many bytes", func(c *Config) { c.MaxRequestBytes = 1 << 30 }, "--max-request-bytes must be between"},
		{"scheme", func(c *Config) { c.ListenPeerURLs = "ftp://127.0.0.1:1" }, "--listen-peer-urls: URL scheme must be http, https, unix, or unixs: ftp://127.0.0.1:1"},
		{"no port", func(c *Config) { c.ListenPeerURLs = "http://127.0.0.1" }, `URL address does not have the form "host:port": http://127.0.0.1`},
		{"path", func(c *Config) { c.ListenPeerURLs = "http://127.0.0.1:1/x" }, "URL must not contain a path: http://127.0.0.1:1/x"},
		{"no URL", func(c *Config) { c.ListenPeerURLs = "" }, "--listen-peer-urls: no URL given"},
		{"name to listen on", func(c *Config) { c.ListenPeerURLs = "http://example.com:1" }, "--listen-peer-urls: expected IP in URL for binding (http://example.com:1)"},
		{"TLS", func(c *Config) { c.ListenClientURLs = "https://127.0.0.1:1" }, "must be provided for client url"},
		{"TLS for metrics", func(c *Config) { c.ListenMetricsURLs = "https://127.0.0.1:1" },
			"client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url"},
		{"TLS for HTTP", func(c *Config) { c.ListenClientHTTPURLs = "https://127.0.0.1:1" }, "must be provided for client url https://127.0.0.1:1"},
		{"name to serve metrics on", func(c *Config) { c.ListenMetricsURLs = "http://example.com:1" }, "--listen-metrics-urls: expected IP in URL for binding"},
		{"gate", func(c *Config) { c.FeatureGates = "Nonsense=true" }, "--feature-gates: unrecognized feature gate: Nonsense"},
		{"gates", func(c *Config) { c.FeatureGates = "LeaseCheckpointPersist=true" }, "requires enabling feature gate LeaseCheckpoint"},
		{"sockets", func(c *Config) { c.ListenPeerURLs = "unix:///run/p.sock,unix://p:1" }, ""},
		{"IPv6", func(c *Config) { c.ListenPeerURLs = "http://[::1]:2380" }, ""},
		{"nothing to advertise", func(c *Config) { c.ListenClientURLs, c.AdvertiseClientURLs = "http://0.0.0.0:1", "" },
			"--advertise-client-urls is required when --listen-client-urls is set explicitly"},
		{"state", func(c *Config) { c.InitialClusterState = "old" }, `--initial-cluster-state must be new or existing (set to "old")`},
		{"not in the cluster", func(c *Config) { c.InitialCluster = "a=http://a:1" }, `couldn't find local name "default" in the initial cluster configuration`},
		{"other URLs in the cluster", func(c *Config) { c.InitialCluster = "default=http://a:1" },
			"--initial-cluster has default=http://a:1 but --initial-advertise-peer-urls is http://localhost:2380"},
		{"cluster without URL", func(c *Config) { c.InitialCluster = "default" }, `--initial-cluster: "default" is not NAME=URL`},
		{"two members, one URL", func(c *Config) { c.InitialCluster = "default=http://localhost:2380,b=http://localhost:2380" },
			"--initial-cluster: b and default have the same peer URL http://localhost:2380"},
		{"level", func(c *Config) { c.LogLevel = "loud" }, `--log-level must be debug, info, warn, error, panic or fatal (set to "loud")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.edit(&cfg)
			_, err := cfg.resolve()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestDerivedSettings(t *testing.T) {
	for _, c := range []struct {
		election int
		quota    int64
		ttl      int64
		limit    int64
	}{
		{1000, 0, 2, 2 << 30}, {1000, -1, 2, 0}, {1000, 77, 2, 77}, {2000, 0, 3, 2 << 30}, {500, 0, 1, 2 << 30}, {10_000, 0, 15, 2 << 30},
	} {
		s := &settings{Config: Config{ElectionMS: c.election, QuotaBytes: c.quota}}
		if s.leaseTTLMin() != c.ttl || s.quota() != c.limit {
			t.Errorf("election %d ms, quota %d: TTL %d, limit %d", c.election, c.quota, s.leaseTTLMin(), s.quota())
		}
	}
	if ticks(1) != 1 || ticks(100) != 10 || ticks(101) != 11 {
		t.Error("ticks")
	}
}
