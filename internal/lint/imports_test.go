package lint

import (
	"slices"
	"strings"
	"testing"
)

// rule says what a package may import directly, of ours and of others outside the standard library. An entry that
// ends in /... stands for the package and all below it.
type rule struct {
	may []string
	why string
}

const (
	grpc       = "google.golang.org/grpc/..."
	etcdAPI    = "go.etcd.io/etcd/api/v3/..."
	etcdClient = "go.etcd.io/etcd/client/v3/..."
	protobuf   = "google.golang.org/protobuf/..."
	prometheus = "github.com/prometheus/..."
	zap        = "go.uber.org/zap/..." // the client library logs with it and must be told not to
	cobra      = "github.com/spf13/..."
	xxhash     = "github.com/cespare/xxhash/v2"
	compress   = "github.com/klauspost/compress/..."
	btree      = "github.com/google/btree"
	porcupine  = "github.com/anishathalye/porcupine"
	jwt        = "github.com/golang-jwt/jwt/v5"
	bcrypt     = "golang.org/x/crypto/bcrypt"
	httpAPI    = "google.golang.org/genproto/googleapis/api/annotations"
	xsys       = "golang.org/x/sys/..."
	yaml       = "sigs.k8s.io/yaml"
	lumberjack = "gopkg.in/natefinch/lumberjack.v2"
	grpcweb    = "github.com/grpc-ecosystem/grpc-gateway/v2/..."
	bbolt      = "go.etcd.io/bbolt"
	rapid      = "pgregory.net/rapid"
	systemd    = "github.com/coreos/go-systemd/v22/daemon"
	otel       = "go.opentelemetry.io/..."
	xnet       = "golang.org/x/net/..." // pages of traces, as etcd has them
)

// rules is the house, floor by floor: a package stands on what is above it in this table, never below.
var rules = map[string]rule{
	"raft":                    {nil, "the protocol is a pure state machine: who can read it alone can trust it alone"},
	"internal/disk":           {[]string{xsys}, "a seam knows nothing of those who use it"},
	"internal/pki":            {nil, "makes certificates, knows nothing of servers"},
	"internal/tlsconf":        {nil, "the one place where a connection's certificates are judged"},
	"internal/fuzz":           {[]string{rapid}, "makes fuzz targets of models, for tests of any package"},
	"internal/oneport":        {nil, "sockets and first bytes; what is served on them is not its affair"},
	"internal/clock":          {nil, "a seam knows nothing of those who use it"},
	"wal":                     {[]string{"raft", "internal/disk"}, "the log stores entries; it knows no commands, keys or peers"},
	"snapshot":                {[]string{"raft", "internal/disk", compress, xxhash}, "a file format for sections of bytes; what is in them is the state's"},
	"mvcc":                    {[]string{btree}, "the store knows neither Raft nor the wire, so that a map can be its oracle"},
	"transport":               {[]string{"raft"}, "frames carry messages; they do not act on them"},
	"transport/tcp":           {[]string{"raft", "transport", "internal/clock", "internal/oneport"}, "sockets only; imported by server only"},
	"server/auth":             {[]string{btree}, "decides who may do what; how callers prove who they are is not its affair"},
	"server/state":            {[]string{"mvcc", "server/auth", btree}, "what is replicated must not know how it is replicated"},
	"server/replica":          {[]string{"raft", "wal", "snapshot", "mvcc", "transport", "server/auth", "server/state", "internal/disk", "internal/clock"}, "decides, and leaves all acting to a driver: no socket, no gRPC"},
	"server/token":            {[]string{"server/auth", "server/state", jwt}, "proves who a caller is; what he may do is not its affair"},
	"linearizability":         {[]string{porcupine}, "an oracle shares no code with what it judges"},
	"server/api/v3lockpb":     {[]string{etcdAPI, grpc, protobuf, grpcweb, httpAPI}, "generated: a wire format"},
	"server/api/v3electionpb": {[]string{etcdAPI, grpc, protobuf, grpcweb, httpAPI}, "generated: a wire format"},
	"server/api": {[]string{"raft", "mvcc", "server/auth", "server/state", "server/token", "server/api/v3lockpb", "server/api/v3electionpb", bcrypt, "server/replica", etcdAPI, grpc, protobuf},
		"etcd's protobufs stop here"},
	"server/discovery": {[]string{etcdClient, grpc, zap}, "a client of another cluster; of this one it knows nothing"},
	"server/tracing":   {[]string{etcdAPI, grpc, otel}, "sends what it is told of; of requests it knows the messages only"},
	"server": {[]string{"raft", "wal", "snapshot", "mvcc", "transport", "transport/tcp", "server/auth", "server/state", "server/token", "server/replica", "server/api", "server/gateway", "server/interchange", "server/discovery", "server/tracing",
		"internal/disk", "internal/disk/testdisk", "internal/clock", "internal/oneport", "internal/pki", "internal/tlsconf", etcdAPI, grpc, protobuf, prometheus, xsys, xnet, lumberjack}, "the driver: everything but the command line"},
	"server/grpcproxy": {[]string{"server/api/v3lockpb", "server/api/v3electionpb", "internal/oneport", "internal/pki", "internal/tlsconf", etcdAPI, etcdClient, grpc, protobuf, prometheus, zap},
		"a client of the members and a server for clients, but of no member: it could stand before any etcd"},
	"server/tcpproxy":    {[]string{"internal/oneport"}, "bytes between sockets; what they mean is not its affair"},
	"internal/srv":       {nil, "asks DNS; what is done with the answer is not its affair"},
	"server/gateway":     {[]string{"server/api/v3lockpb", "server/api/v3electionpb", etcdAPI, grpc, protobuf, grpcweb}, "translates; what services do is not its business"},
	"server/options":     {[]string{"server", yaml}, "reads what an operator says into a server's configuration, and starts nothing"},
	"server/interchange": {[]string{"mvcc", "server/auth", "server/state", etcdAPI, protobuf, bbolt}, "translates files; a cluster is not its business"},
	"sim": {[]string{"raft", "wal", "snapshot", "mvcc", "transport", "server/auth", "server/state", "server/replica", "linearizability",
		"internal/disk", "internal/clock", xxhash}, "the other driver of the same Replica: no real socket, no gRPC"},
	"sim/report": {[]string{"sim"}, "draws what the simulator has recorded, and runs nothing"},
	"cmd/holdfast": {[]string{"raft", "wal", "snapshot", "mvcc", "server", "server/api", "server/options", "server/tcpproxy", "server/grpcproxy", "server/state", "server/replica", "sim", "sim/report", "linearizability",
		"internal/disk", "internal/proc", "internal/pki", "internal/srv", "internal/torture", etcdAPI, etcdClient, grpc, zap, cobra, xsys, systemd}, "puts parts together and explains them; nobody imports it"},
	"internal/proc":       {nil, "starts processes; what they are is a parameter"},
	"internal/servertest": {[]string{"internal/proc", "server"}, "runs what tests of other packages stand before"},
	"internal/clients":    {nil, "only tests, from outside"},
	"internal/torture":    {[]string{"internal/proc", "internal/pki", "linearizability", etcdAPI, etcdClient, grpc, xsys}, "sees the server from outside only, so that it can judge any"},
	"internal/differential": {[]string{"internal/proc", "server/api/v3lockpb", "server/api/v3electionpb", etcdAPI, grpc, protobuf},
		"sees both servers from outside only, so that it can't excuse one"},
	"bench/compare": {[]string{"internal/proc", etcdClient}, "sees the server from outside only, so that it can measure any"},
	"bench/memory":  {[]string{"internal/proc", etcdClient}, "sees the server from outside only, so that it can measure any"},
}

// TestImports: every package that has a rule keeps to it, and every package of the house has one.
func TestImports(t *testing.T) {
	for _, p := range list(t) {
		r, ok := rules[p.name()]
		if !ok {
			if len(p.GoFiles) > 0 && !helper(p.name()) {
				t.Errorf("%s has no import rule; add one to the table, with its reason", p.name())
			}
			continue
		}
		for _, imported := range p.Imports {
			if path, foreign := outside(imported); foreign && !allowed(path, r.may) {
				t.Errorf("%s must not import %s directly: %s", p.name(), path, r.why)
			}
		}
	}
}

// helper packages serve one package, beside or above them, and need no rule of their own: tests of a seam, mains.
func helper(name string) bool {
	for _, prefix := range []string{"internal/disk/", "internal/torture/", "sim/", "internal/e2e", "internal/examples", "internal/docs", "internal/lint", "examples/"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// TestOnlyServerOpensSockets: sockets between members belong to one package, and it to one user.
func TestOnlyServerOpensSockets(t *testing.T) {
	users := map[string]bool{}
	for _, p := range list(t) {
		if slices.Contains(p.Imports, module+"/transport/tcp") {
			users[p.name()] = true
		}
		if slices.Contains(p.Imports, module+"/cmd/holdfast") {
			t.Errorf("%s imports the command", p.name())
		}
	}
	delete(users, "server")
	if len(users) > 0 {
		t.Errorf("transport/tcp is imported by %v: the simulator and the replica must not know real sockets", users)
	}
}

// outside tells whether an import is not of the standard library, and shortens our own to the path in the module.
func outside(imported string) (path string, foreign bool) {
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		return own, true
	}
	first, _, _ := strings.Cut(imported, "/")
	return imported, strings.Contains(first, ".")
}

func allowed(path string, may []string) bool {
	for _, m := range may {
		if tree, ok := strings.CutSuffix(m, "/..."); ok && (path == tree || strings.HasPrefix(path, tree+"/")) {
			return true
		}
		if m == path {
			return true
		}
	}
	return false
}

func TestAllowed(t *testing.T) {
	may := []string{"raft", "google.golang.org/grpc/..."}
	for path, want := range map[string]bool{
		"raft": true, "raft/quorum": false, "google.golang.org/grpc": true,
		"google.golang.org/grpc/codes": true, "google.golang.org/grpcx": false, "wal": false,
	} {
		if allowed(path, may) != want {
			t.Errorf("allowed(%q) = %t", path, !want)
		}
	}
	if _, foreign := outside("encoding/json"); foreign {
		t.Error("encoding/json taken for foreign")
	}
	if path, foreign := outside(module + "/raft"); !foreign || path != "raft" {
		t.Errorf("our raft: %q %t", path, foreign)
	}
}
