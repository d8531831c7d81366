package options

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-db/holdfast/server"
	"github.com/holdfast-db/holdfast/server/tracing"
)

// parse reads a command line, variables and a file's text ("" for none), all
// separated by spaces as far as they are lists.
func parse(t testing.TB, args, environ, file string) (*Set, error) {
	t.Helper()
	list := strings.Fields(args)
	if file != "" {
		path := filepath.Join(t.TempDir(), "conf.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, "--config-file", path)
	}
	s := New()
	return s, s.Parse(list, strings.Fields(environ))
}

func same(t *testing.T, got, want server.Config) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(server.Config{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, args, environ, file string
		want                      func(*server.Config)
	}{
		{"nothing", "", "", "", func(*server.Config) {}},
		{"value after =", "--name=a", "", "", func(c *server.Config) { c.Name = "a" }},
		{"value after space", "--name a", "", "", func(c *server.Config) { c.Name = "a" }},
		{"one dash", "-name a -heartbeat-interval=50", "", "", func(c *server.Config) { c.Name, c.HeartbeatMS = "a", 50 }},
		{"value with a dash", "--quota-backend-bytes -1 --name -b", "", "", func(c *server.Config) { c.QuotaBytes, c.Name = -1, "-b" }},
		{"the last of two", "--snapshot-catchup-entries 5 --snapshot-catchup-entries=7", "", "", func(c *server.Config) { c.CatchUpEntries = 7 }},
		{"the last of two lists", "--log-outputs a,b --log-outputs stderr", "", "", func(c *server.Config) {
			c.LogOutputs = "stderr"
		}},
		{"number with a base", "--max-concurrent-streams 0x10", "", "", func(c *server.Config) { c.MaxConcurrentStreams = 16 }},
		{"Unicode's µ", "--watch-progress-notify-interval 200000µs", "", "", func(c *server.Config) { c.WatchProgressInterval = 200 * time.Millisecond }},
		{"variable", "", "ETCD_NAME=a ETCD_MAX_TXN_OPS=5", "", func(c *server.Config) { c.Name, c.MaxTxnOps = "a", 5 }},
		{"empty variable", "", "ETCD_NAME=", "", func(*server.Config) {}},
		{"file", "", "", "name: a\nmax-txn-ops: 5\n", func(c *server.Config) { c.Name, c.MaxTxnOps = "a", 5 }},
		{"JSON file", "", "", `{"name": "a", "unsafe-no-fsync": true}`, func(c *server.Config) { c.Name, c.UnsafeNoFsync = "a", true }},
		{"flag over variable over file", "--name flag", "ETCD_NAME=env ETCD_DATA_DIR=env", "name: file\ndata-dir: file\ninitial-cluster-token: file",
			func(c *server.Config) { c.Name, c.DataDir, c.InitialClusterToken = "flag", "env", "file" }},
		{"bool", "--unsafe-no-fsync", "", "", func(c *server.Config) { c.UnsafeNoFsync = true }},
		{"false over true", "--unsafe-no-fsync=false", "ETCD_UNSAFE_NO_FSYNC=true", "unsafe-no-fsync: true", func(*server.Config) {}},
		{"listen without advertise", "--listen-client-urls http://0.0.0.0:0", "", "", func(c *server.Config) {
			c.ListenClientURLs, c.AdvertiseClientURLs = "http://0.0.0.0:0", ""
		}},
		{"listen without advertise in a file, as etcd", "", "", "listen-client-urls: http://0.0.0.0:0", func(c *server.Config) {
			c.ListenClientURLs = "http://0.0.0.0:0"
		}},
		{"advertise in a variable", "--listen-client-urls http://0.0.0.0:1", "ETCD_ADVERTISE_CLIENT_URLS=http://a:1", "", func(c *server.Config) {
			c.ListenClientURLs, c.AdvertiseClientURLs = "http://0.0.0.0:1", "http://a:1"
		}},
		{"nanoseconds", "", "", "watch-progress-notify-interval: 600000000", func(c *server.Config) { c.WatchProgressInterval = 600 * time.Millisecond }},
		{"duration as a text", "", "", "watch-progress-notify-interval: 5m", func(c *server.Config) { c.WatchProgressInterval = 5 * time.Minute }},
		{"null", "", "", "initial-cluster:\ndiscovery:\nclient-transport-security:\n", func(*server.Config) {}},
		{"discovery", "--discovery-token t --discovery-endpoints a:1,b:1 --discovery-user u --discovery-insecure-transport=false", "ETCD_DISCOVERY_PASSWORD=p",
			"discovery-config: {client: {request-timeout: 7000000000, secure: {cacert: ca}}}\n", func(c *server.Config) {
				d := &c.Discovery
				d.Token, d.Endpoints, d.User, d.Password, d.InsecureTransport, d.RequestTimeout, d.CACert = "t", "a:1,b:1", "u", "p", false, 7*time.Second, "ca"
			}},
		{"tracing", "--enable-distributed-tracing --distributed-tracing-sampling-rate 100", "ETCD_DISTRIBUTED_TRACING_INSTANCE_ID=i ETCD_DISTRIBUTED_TRACING_ADDRESS=c:1",
			"distributed-tracing-service-name: s\ndistributed-tracing-address: d:1\n", func(c *server.Config) {
				c.Tracing = tracing.Config{Enabled: true, Address: "c:1", ServiceName: "s", InstanceID: "i", SamplingRate: 100}
			}},
		{"list", "", "", "cipher-suites: [A, B]", func(c *server.Config) { c.CipherSuites = "A,B" }},
		{"TLS in a file", "", "", "client-transport-security: {cert-file: c, allowed-hostname: [a, b]}\npeer-transport-security: {auto-tls: true}\n", func(c *server.Config) {
			c.ClientTLS.CertFile, c.ClientTLS.AllowedHostname, c.PeerTLS.Auto = "c", "a,b", true
		}},
		{"unknown variable", "", "ETCD_VERIFY=all ETCD_UNSUPPORTED_ARCH=amd64 PATH=/bin", "", func(c *server.Config) {
			c.Warnings = []string{"unrecognized environment variable ETCD_VERIFY"}
		}},
		{"etcd's own business", "--logger zap --max-wals=0", "", "", func(c *server.Config) {
			c.Warnings = []string{"--max-wals has no effect: the log is kept as far as snapshots need it, and slow followers (--snapshot-catchup-entries)"}
		}},
		{"elections", "--pre-vote=false --initial-election-tick-advance=false", "", "", func(c *server.Config) {
			c.PreVote, c.ElectionTickAdvance = false, false
		}},
		{"links between members", "--raft-read-timeout 7s", "", "raft-write-timeout: 9000000000", func(c *server.Config) {
			c.RaftReadTimeout, c.RaftWriteTimeout = 7*time.Second, 9*time.Second
		}},
		{"snapshot count", "--snapshot-count 10 --snapshot-count 20", "", "", func(c *server.Config) {
			c.SnapshotCount = 20
			c.Warnings = []string{"--snapshot-count does not trigger snapshots: the size of the log does"}
		}},
		{"deprecated", "--max-snapshots 5 --v2-deprecation gone", "", "", func(c *server.Config) {
			c.Warnings = []string{
				"--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.",
				"--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.",
			}
		}},
		{"refused, but asks for the default", "--discovery= --discovery-proxy=", "", "proxy: 'off'", func(*server.Config) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := parse(t, c.args, c.environ, c.file)
			if err != nil {
				t.Fatal(err)
			}
			want := server.DefaultConfig()
			c.want(&want)
			same(t, s.Config, want)
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ args, environ, file, want string }{
		{"--nonsense", "", "", "flag provided but not defined: -nonsense"},
		{"--name", "", "", "flag needs an argument: -name"},
		{"--name a b", "", "", `"b" is not a valid flag`},
		{"--heartbeat-interval x", "", "", `invalid value "x" for flag -heartbeat-interval: parse error`},
		{"--pre-vote=x", "", "", `invalid boolean value "x" for -pre-vote: parse error`},
		{"--v2-deprecation not-yet", "", "", `invalid value "not-yet" for flag -v2-deprecation: invalid value "not-yet"`},
		{"--initial-cluster-state old", "", "", `invalid value "old" for flag -initial-cluster-state: invalid value`},
		{"--listen-client-urls ftp://a:1", "", "", `invalid value "ftp://a:1" for flag -listen-client-urls: URL scheme must be http, https, unix, or unixs: ftp://a:1`},
		{"--feature-gates Nonsense=true", "", "", `invalid value "Nonsense=true" for flag -feature-gates: unrecognized feature gate: Nonsense`},
		{"--feature-gates AllAlpha", "", "", "missing bool value for AllAlpha"},
		{"--feature-gates AllAlpha=x", "", "", `invalid value of AllAlpha=x, err: strconv.ParseBool: parsing "x": invalid syntax`},
		{"--discovery=/x", "", "", "--discovery: v2 discovery is gone from etcd, too; use --discovery-token and --discovery-endpoints"},
		{"--distributed-tracing-sampling-rate x", "", "", `invalid value "x" for flag -distributed-tracing-sampling-rate: parse error`},
		{"--discovery-fallback proxy", "", "", `v2 proxy is deprecated, and --discovery-fallback can't be configured as "proxy"`},
		{"", "ETCD_HEARTBEAT_INTERVAL=x", "", `invalid value "x" for ETCD_HEARTBEAT_INTERVAL: parse error`},
		{"", "ETCD_MAX_CONCURRENT_STREAMS=4294967296", "", `invalid value "4294967296" for ETCD_MAX_CONCURRENT_STREAMS: value out of range`},
		{"", "ETCD_DISCOVERY=/x", "", "ETCD_DISCOVERY: v2 discovery is gone from etcd"},
		{"", "", "nonsense: 1", `conf.yaml: unknown key "nonsense"`},
		{"", "", "client-transport-security:\n  nonsense: 1", `conf.yaml: unknown key "client-transport-security.nonsense"`},
		{"", "", "cert-file: a", `conf.yaml: unknown key "cert-file": in a file it is client-transport-security.cert-file`},
		{"", "", "name: a\nname: b", `key "name" already set in map`},
		{"", "", "heartbeat-interval: fast", "conf.yaml: heartbeat-interval: invalid value: parse error"},
		{"", "", "name: [a]", "conf.yaml: name: invalid value: a list where one value is expected"},
		{"", "", "name: {a: b}", "conf.yaml: name: invalid value: keys and values where one value is expected"},
		{"", "", "log-outputs: [1]", "conf.yaml: log-outputs: invalid value: item 1 of the list is not a plain text: 1"},
		{"", "", "grpc-keepalive-timeout: 1.5", "conf.yaml: grpc-keepalive-timeout: invalid value: 1.5: a duration is a whole number"},
		{"", "", "- a", "conf.yaml: not a list of keys and values"},
		{"", "", "discovery: /x", "conf.yaml: discovery: v2 discovery is gone from etcd"},
		{"--config-file /does/not/exist", "", "", "--config-file: stat /does/not/exist: no such file"},
		{"", "ETCD_CONFIG_FILE=/does/not/exist", "", "--config-file: stat /does/not/exist: no such file"},
		{"--config-file /dev/zero", "", strings.Repeat("#", fileBytesMax+1), "more than a configuration needs"},
	} {
		_, err := parse(t, c.args, c.environ, c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s %.50s: %v, want %q", c.args, c.environ, c.file, err, c.want)
		}
	}
	if _, err := parse(t, "--help", "", ""); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
	if s, err := parse(t, "--name a --version", "", ""); err != nil || !s.Version {
		t.Errorf("--version: %v", err)
	}
}

// TestEtcdsFlags: every flag that etcd 3.7.1's help lists is in the table, with
// its default, and no other is.
func TestEtcdsFlags(t *testing.T) {
	content, err := os.ReadFile("testdata/etcd-3.7.1.flags")
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{ // what etcd's help prints for the same default
		"initial-cluster": "default=http://localhost:2380", "backend-batch-interval": "", "grpc-keepalive-interval": "2h",
		"compact-hash-check-time": "1m", "watch-progress-notify-interval": "10m", "auto-compaction-mode": "periodic",
	}
	s := New()
	var want, got []string
	for line := range strings.Lines(string(content)) {
		name, preset, printed := strings.Cut(strings.TrimSpace(line), " ")
		want = append(want, name)
		r := s.byName[name]
		if r == nil || r.FileOnly {
			t.Errorf("--%s is missing", name)
			continue
		}
		if preset = strings.Trim(preset, "'"); printed && preset != r.shownDefault() && preset != other[name] {
			t.Errorf("--%s: default %q, want %q", name, r.shownDefault(), preset)
		}
	}
	for _, r := range s.rows {
		if !r.FileOnly && r.group != Ours {
			got = append(got, r.Name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags: etcd -, ours +\n%s", diff)
	}
}

// TestTable: what isn't honoured says why, and keys and names are unique.
func TestTable(t *testing.T) {
	keys, names := map[string]bool{}, map[string]bool{}
	for _, g := range Table() {
		for _, o := range g.Options {
			if keys[o.key()] || names[o.Name] {
				t.Errorf("%s is there twice", o.Name)
			}
			keys[o.key()], names[o.Name] = true, true
			if o.Class != Honoured && o.Why == "" {
				t.Errorf("%s does not say why it is not honoured", o.Name)
			}
			if o.Help == "" && !o.FileOnly {
				t.Errorf("--%s has no help", o.Name)
			}
		}
	}
}

// TestShow: what Show prints reads back as the same configuration.
func TestShow(t *testing.T) {
	s, err := parse(t, "--name 1.50 --quota-backend-bytes -1 --log-outputs stdout,f", "ETCD_DATA_DIR=#x:", "initial-cluster-token: \"a\\\"b\"\nmetrics: extensive\n")
	if err != nil {
		t.Fatal(err)
	}
	var plain, origins strings.Builder
	s.Show(&plain, false)
	s.Show(&origins, true)
	for _, text := range []string{plain.String(), origins.String()} {
		again, err := parse(t, "", "", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		again.Config.Warnings = s.Config.Warnings
		same(t, again.Config, s.Config)
	}
	for line, origin := range map[string]string{
		`name: "1.50"`: "flag", `data-dir: "#x:"`: "env ETCD_DATA_DIR", "election-timeout: 1000": "default", `metrics: "extensive"`: "file " + s.File,
	} {
		if want := fmt.Sprintf("%-60s # %s\n", line, origin); !strings.Contains(origins.String(), want) {
			t.Errorf("no line %q in\n%s", want, origins.String())
		}
	}
}

// TestTestDisk: one flag alone doesn't give anybody a disk that loses data.
func TestTestDisk(t *testing.T) {
	for _, c := range []struct {
		environ []string
		ok      bool
	}{
		{nil, false},
		{[]string{"HOLDFAST_ALLOW_TEST_DISK=no"}, false},
		{[]string{"HOLDFAST_ALLOW_TEST_DISK=yes"}, true},
	} {
		s := New()
		err := s.Parse([]string{"--test-disk=powerloss"}, c.environ)
		if (err == nil) != c.ok || c.ok && s.Config.TestDisk != "powerloss" {
			t.Errorf("%q: %v, %q", c.environ, err, s.Config.TestDisk)
		}
	}
	s := New()
	if err := s.Parse(nil, []string{"HOLDFAST_ALLOW_TEST_DISK=yes", "ETCD_TEST_DISK=powerloss"}); err != nil || s.Config.TestDisk != "" {
		t.Errorf("from a variable: %v, %q", err, s.Config.TestDisk)
	}
}

func TestHelp(t *testing.T) {
	var b strings.Builder
	New().Help(&b)
	for _, want := range []string{
		"\nMember:\n  --name 'default'\n    Human-readable name of this member.\n",
		"  --data-dir '${name}.etcd'\n", "\nUnsafe feature:\n",
		"Accepted without effect: there is one logger.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > helpWidth+60 { // a default that is one word can't be wrapped
			t.Errorf("long line: %s", line)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("name: a\nclient-transport-security:\n  cert-file: x\n"))
	f.Add([]byte(`{"log-outputs": ["a"], "heartbeat-interval": 1e3}`))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		s := New()
		if s.readYAML("f", content) != nil {
			return
		}
		var shown strings.Builder
		s.Show(&shown, true)
		again := New()
		if err := again.readYAML("f", []byte(shown.String())); err != nil {
			t.Fatalf("%v\n%s", err, shown.String())
		}
		for i, r := range s.rows {
			if got := again.rows[i].value.String(); !r.Secret && got != r.value.String() {
				t.Fatalf("%s: %q became %q", r.Name, r.value.String(), got)
			}
		}
	})
}

// TestFallbackInAFile: etcd's sample of a file asks for a proxy that there is none of since 3.6; etcd doesn't read it
// there, on the command line it refuses.
func TestFallbackInAFile(t *testing.T) {
	s, err := parse(t, "", "", "discovery-fallback: 'proxy'\nproxy: 'off'\nproxy-failure-wait: 5000")
	if err != nil {
		t.Fatal(err)
	}
	if w := s.Config.Warnings; len(w) == 0 || !strings.Contains(w[0], "discovery-fallback has no effect") {
		t.Errorf("warnings %q", w)
	}
}
