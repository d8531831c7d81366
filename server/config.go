package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/server/discovery"
	"github.com/holdfast-db/holdfast/server/tracing"
	"github.com/holdfast-db/holdfast/wal"
)

// Config is what an operator says, in the words of etcd's flags. Lists are
// separated by commas, as on the command line. Start checks all of it.
type Config struct {
	// Name is this member's, human-readable; it finds its row in InitialCluster.
	Name string
	// DataDir holds everything durable; "" means "NAME.etcd" in the working
	// directory, as with etcd.
	DataDir string
	// WALDir holds the log if it is to lie elsewhere; "": in DataDir.
	WALDir string

	ListenClientURLs         string
	AdvertiseClientURLs      string // "" only while ListenClientURLs is the default
	ListenPeerURLs           string
	InitialAdvertisePeerURLs string
	// ListenClientHTTPURLs serve HTTP, which ListenClientURLs then don't.
	ListenClientHTTPURLs string
	// ListenMetricsURLs serve metrics and probes besides.
	ListenMetricsURLs string

	// InitialCluster lists all members as NAME=URL; a member with several URLs
	// is listed several times. "": this member alone. It must stay as it was at
	// the first start: the cluster's identity derives from it.
	InitialCluster string
	// InitialClusterState is "new", or "existing" for a member that has data.
	InitialClusterState string
	// InitialClusterToken sets clusters with equal URLs apart.
	InitialClusterToken string

	// Discovery is a service that the members of a new cluster find each other
	// through, in place of InitialCluster and its token.
	Discovery discovery.Config
	// Starting, if set, ends a Start that waits for other members.
	Starting context.Context

	// DiscoverySRV is a domain whose SRV records list the members of a new cluster
	// in place of InitialCluster; DiscoverySRVName is a suffix of their service.
	DiscoverySRV, DiscoverySRVName string

	HeartbeatMS int // between heartbeats of the leader
	ElectionMS  int // without one for so long, up to twice that: election
	// ElectionTickAdvance shortens the first of those waits to two heartbeats and
	// its random part once a quorum can be reached. A lone voter never waits.
	ElectionTickAdvance bool
	// PreVote asks before an election whether it can be won.
	PreVote bool

	// RaftReadTimeout ends a link to another member on which nothing arrived for
	// so long, RaftWriteTimeout one on which nothing could be written. Below five
	// seconds they are raised to that.
	RaftReadTimeout, RaftWriteTimeout time.Duration

	// SnapshotCount is accepted for etcd's sake. When snapshots are taken is
	// decided by the size of the log.
	SnapshotCount uint64
	// CatchUpEntries are kept in the log for slow followers.
	CatchUpEntries uint64

	// QuotaBytes bounds the logical size of keys and leases: 0 means
	// DefaultQuotaBytes, below 0 no bound.
	QuotaBytes int64
	// NoSpaceDisarmPercent lets this member take its alarm NOSPACE back by itself
	// below so many percent of the quota; 0: never, as in etcd.
	NoSpaceDisarmPercent uint

	// ResponseMemoryBytes is what responses may hold together while they are put
	// together and sent; more of them wait.
	ResponseMemoryBytes uint64

	MaxTxnOps            uint
	MaxRequestBytes      uint
	MaxConcurrentStreams uint32

	// Pings of idle clients more often than MinTime are refused; the server
	// pings idle clients at Interval and gives them Timeout to answer.
	KeepAliveMinTime  time.Duration
	KeepAliveInterval time.Duration
	KeepAliveTimeout  time.Duration

	WatchProgressInterval time.Duration

	// ClientTLS is for listeners with https or unixs URLs, PeerTLS for those of
	// peers and for dialling them.
	ClientTLS, PeerTLS TLS
	// SelfSignedCertYears is how long a pair made for TLS.Auto is valid.
	SelfSignedCertYears uint
	// CipherSuites are Go's names, for TLS 1.2; "": Go's choice.
	CipherSuites string
	// TLSMinVersion and TLSMaxVersion are TLS1.2 or TLS1.3; "": Go's choice.
	TLSMinVersion, TLSMaxVersion string

	// EnableGateway serves gRPC as JSON on /v3/.
	EnableGateway bool
	// EnableV3Alpha serves it on /v3alpha/, too, for clients of etcd 3.2 and
	// before.
	EnableV3Alpha bool
	// CORS are the origins that browsers may send requests from, HostWhitelist
	// the names that requests over plain HTTP may be sent to; "*" or "" for all.
	CORS          string
	HostWhitelist string

	// AuthToken is "simple" or "jwt,…"; AuthTokenTTL is in seconds.
	AuthToken    string
	BcryptCost   uint
	AuthTokenTTL uint

	// AutoCompactionMode is periodic or revision, AutoCompactionRetention a
	// duration (hours without a unit) or a number of revisions.
	AutoCompactionMode      string
	AutoCompactionRetention string

	// StrictReconfigCheck refuses changes of members that could cost the quorum.
	StrictReconfigCheck bool
	MaxLearners         int
	// LearnerWatch lets this member serve watches while it is a learner.
	LearnerWatch bool
	// ForceNewCluster makes a cluster of this member alone, with its data.
	ForceNewCluster bool

	// Times between corruption checks: of all data (0: none), and of the hashes
	// of compactions, if that feature is on.
	CorruptCheckTime     time.Duration
	CompactHashCheckTime time.Duration
	// FeatureGates are NAME=true|false,…
	FeatureGates string

	// Applying an entry, or a unary request, that takes longer is logged.
	WarningApply time.Duration
	WarningUnary time.Duration

	// BootstrapDefragMB is accepted for etcd's sake; memory needs no
	// defragmentation at start.
	BootstrapDefragMB uint
	// Hardened tightens several limits beyond etcd's; see harden.
	Hardened bool

	// LogLevel is debug, info, warn or error.
	LogLevel string
	// LogOutputs are default, stderr, stdout or files; LogFormat is json or
	// console.
	LogOutputs        string
	LogFormat         string
	LogRotation       bool
	LogRotationConfig string // JSON
	// MemoryLock keeps all memory of the process in RAM.
	MemoryLock bool
	// SocketReusePort lets other processes listen on the same ports.
	SocketReusePort bool
	// Tracing sends traces of requests to a collector.
	Tracing tracing.Config
	// EnablePprof serves /debug/pprof/ on the client URLs.
	EnablePprof bool
	// UnsafeNoFsync leaves syncing to the kernel: a power loss loses
	// acknowledged writes.
	UnsafeNoFsync bool
	// Sync is how the log forms batches and syncs them.
	Sync wal.Policy

	// Logger replaces the JSON lines on stderr, for programs that embed a server.
	Logger *slog.Logger
	// Warnings are logged once at start: settings that were accepted without
	// effect.
	Warnings []string

	// TestDisk makes the disk a bad one, for tests of processes: a specification
	// as internal/disk/testdisk has it. "": the disk as it is.
	TestDisk string

	// fs replaces the machine's disk, in tests.
	fs disk.FS
	// names replaces DNS, in tests.
	names nameService
	// leaseCheckpoints replaces the time between checkpoints of leases, in tests.
	leaseCheckpoints time.Duration
	// handshakeTimeout replaces the constant of that name, in tests.
	handshakeTimeout time.Duration
}

// Defaults, as etcd has them.
const (
	DefaultName          = "default"
	DefaultClientURLs    = "http://localhost:2379"
	DefaultPeerURLs      = "http://localhost:2380"
	DefaultQuotaBytes    = 2 << 30
	DefaultRequestBytes  = 1536 << 10
	DefaultToken         = "etcd-cluster"
	DefaultLogRotation   = `{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}`
	grpcOverheadBytes    = 512 << 10
	electionMSMax        = 50_000
	electionPerHeartbeat = 5 // an election timeout holds so many heartbeats at least
	watchProgressMin     = 100 * time.Millisecond
	raftTimeoutMin       = 5 * time.Second
	snapshotTimeout      = 30 * time.Second // of links that carry snapshots, at least
	responseMemoryMin    = 8 << 20          // some of the largest values
)

// DefaultConfig is a single member on localhost.
func DefaultConfig() Config {
	return Config{
		Name:                     DefaultName,
		ListenClientURLs:         DefaultClientURLs,
		AdvertiseClientURLs:      DefaultClientURLs,
		ListenPeerURLs:           DefaultPeerURLs,
		InitialAdvertisePeerURLs: DefaultPeerURLs,
		InitialClusterState:      "new",
		InitialClusterToken:      DefaultToken,
		Discovery:                discovery.DefaultConfig(),
		Tracing:                  tracing.DefaultConfig(),
		HeartbeatMS:              100,
		ElectionMS:               1000,
		ElectionTickAdvance:      true,
		PreVote:                  true,
		RaftReadTimeout:          raftTimeoutMin,
		RaftWriteTimeout:         raftTimeoutMin,
		SnapshotCount:            10_000,
		CatchUpEntries:           5000,
		ResponseMemoryBytes:      512 << 20,
		MaxTxnOps:                128,
		MaxRequestBytes:          DefaultRequestBytes,
		MaxConcurrentStreams:     1<<32 - 1,
		KeepAliveMinTime:         5 * time.Second,
		KeepAliveInterval:        2 * time.Hour,
		KeepAliveTimeout:         20 * time.Second,
		WatchProgressInterval:    10 * time.Minute,
		SelfSignedCertYears:      1,
		TLSMinVersion:            "TLS1.2",
		EnableGateway:            true,
		CORS:                     "*",
		HostWhitelist:            "*",
		AuthToken:                "simple",
		BcryptCost:               10,
		AuthTokenTTL:             300,
		AutoCompactionMode:       "periodic",
		AutoCompactionRetention:  "0",
		StrictReconfigCheck:      true,
		MaxLearners:              1,
		CompactHashCheckTime:     time.Minute,
		WarningApply:             100 * time.Millisecond,
		WarningUnary:             300 * time.Millisecond,
		LogLevel:                 "info",
		LogOutputs:               "default",
		LogFormat:                "json",
		LogRotationConfig:        DefaultLogRotation,
	}
}
