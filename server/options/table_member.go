package options

import (
	"time"

	"github.com/holdfast-db/holdfast/server"
)

func member() []Option {
	return append(memberBasics(), memberLimits()...)
}

func memberBasics() []Option {
	return []Option{
		{Name: "name", Help: "Human-readable name of this member.",
			bind: text(func(c *server.Config) *string { return &c.Name })},
		{Name: "data-dir", Default: "${name}.etcd", Help: "Directory for everything durable.",
			bind: text(func(c *server.Config) *string { return &c.DataDir })},
		{Name: "wal-dir", Help: "Directory of its own for the log, such as on a faster disk; it must stay as it was at the first start.",
			bind: text(func(c *server.Config) *string { return &c.WALDir })},
		{Name: "snapshot-count", Class: Adapted, Why: "the size of the log triggers snapshots",
			Help: "Committed entries that trigger a snapshot.",
			bind: natural64(func(c *server.Config) *uint64 { return &c.SnapshotCount })},
		{Name: "heartbeat-interval", Help: "Milliseconds between the leader's heartbeats.",
			bind: integer(func(c *server.Config) *int { return &c.HeartbeatMS })},
		{Name: "election-timeout", Help: "Milliseconds without a leader before an election.",
			bind: integer(func(c *server.Config) *int { return &c.ElectionMS })},
		{Name: "initial-election-tick-advance",
			Help: "Shorten the first election timeout to two heartbeats and its random part once a quorum can be reached; a lone member never waits.",
			bind: truth(func(c *server.Config) *bool { return &c.ElectionTickAdvance })},
		{Name: "listen-peer-urls", Help: "URLs to serve other members on.",
			bind: urls(func(c *server.Config) *string { return &c.ListenPeerURLs }, "")},
		{Name: "listen-client-urls", Help: "URLs to serve clients on: gRPC, and HTTP unless --listen-client-http-urls is given.",
			bind: urls(func(c *server.Config) *string { return &c.ListenClientURLs }, "")},
		{Name: "listen-client-http-urls",
			Help: "URLs to serve HTTP on, which is then not served on --listen-client-urls.",
			bind: urls(func(c *server.Config) *string { return &c.ListenClientHTTPURLs }, "")},
		{Name: "max-snapshots", Class: Inert, Why: "two snapshots are kept",
			Deprecated: "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.",
			Help:       "Snapshot files to keep. Deprecated.", bind: natural(nowhere[uint](5))},
		{Name: "max-wals", Class: Inert, Why: "the log is kept as far as snapshots need it, and slow followers (--snapshot-catchup-entries)",
			Help: "Log files to keep.", bind: natural(nowhere[uint](5))},
		{Name: "memory-mlock", Class: Adapted, Why: "all memory of the process; needs an unlimited RLIMIT_MEMLOCK or root (Linux)",
			Help: "Keep the data in RAM.", bind: truth(func(c *server.Config) *bool { return &c.MemoryLock })},
		{Name: "quota-backend-bytes", Class: Adapted, Why: "it bounds the bytes of all versions of all keys",
			Help: "Bound of the key space in bytes; 0 means 2 GiB, below 0 none. Beyond it writes are refused and an alarm is raised.",
			bind: integer64(func(c *server.Config) *int64 { return &c.QuotaBytes })},
		{Name: "backend-bbolt-freelist-type", Class: Inert, Why: "there is no backend file",
			Help: "Kind of bbolt's free list.", bind: text(nowhere("map"))},
		{Name: "backend-batch-interval", Class: Inert, Why: "there is no backend file to batch writes for",
			Help: "Longest time before the backend commits.", bind: span(nowhere(time.Duration(0)))},
		{Name: "backend-batch-limit", Class: Inert, Why: "there is no backend file to batch writes for",
			Help: "Most operations before the backend commits.", bind: integer(nowhere(0))},
	}
}

func memberLimits() []Option {
	return []Option{
		{Name: "max-txn-ops", Help: "Operations in a transaction.",
			bind: natural(func(c *server.Config) *uint { return &c.MaxTxnOps })},
		{Name: "max-request-bytes", Help: "Bytes in a client's request.",
			bind: natural(func(c *server.Config) *uint { return &c.MaxRequestBytes })},
		{Name: "max-concurrent-streams", Default: "math.MaxUint32", Help: "Streams that a client can have open on a connection.",
			bind: natural32(func(c *server.Config) *uint32 { return &c.MaxConcurrentStreams })},
		{Name: "grpc-keepalive-min-time", Help: "Shortest time between a client's pings.",
			bind: span(func(c *server.Config) *time.Duration { return &c.KeepAliveMinTime })},
		{Name: "grpc-keepalive-interval", Help: "Time between the server's pings of an idle client; 0 for none.",
			bind: span(func(c *server.Config) *time.Duration { return &c.KeepAliveInterval })},
		{Name: "grpc-keepalive-timeout", Help: "Time that a client has to answer a ping; 0 for ever.",
			bind: span(func(c *server.Config) *time.Duration { return &c.KeepAliveTimeout })},
		{Name: "socket-reuse-port", Key: "socket-options.reuse-port", Help: "SO_REUSEPORT on listeners (Linux).",
			bind: truth(func(c *server.Config) *bool { return &c.SocketReusePort })},
		{Name: "socket-reuse-address", Key: "socket-options.reuse-address", Class: Inert, Why: "listeners always have it",
			Help: "SO_REUSEADDR on listeners.", bind: truth(nowhere(false))},
		{Name: "enable-grpc-gateway", Help: "Serve gRPC as JSON on /v3/.",
			bind: truth(func(c *server.Config) *bool { return &c.EnableGateway })},
		{Name: "raft-read-timeout", Class: Adapted, Why: "a link that carries a snapshot has 30 s at least",
			Help: "End a link to another member on which nothing has arrived for so long; at least 5s.",
			bind: span(func(c *server.Config) *time.Duration { return &c.RaftReadTimeout })},
		{Name: "raft-write-timeout", Class: Adapted, Why: "a link that carries a snapshot has 30 s at least",
			Help: "End a link to another member on which nothing could be written for so long; at least 5s.",
			bind: span(func(c *server.Config) *time.Duration { return &c.RaftWriteTimeout })},
		{Name: "feature-gates", Class: Adapted, Why: "gates of what does not exist here are accepted without effect",
			Help: "Features to switch on or off, NAME=true|false,…: " + server.GateHelp(),
			bind: checked(func(c *server.Config) *string { return &c.FeatureGates }, server.CheckGates)},
	}
}

func clustering() []Option {
	return append(clusteringBasics(), append(discovery(), clusteringRules()...)...)
}

func clusteringBasics() []Option {
	return []Option{
		{Name: "initial-advertise-peer-urls", Help: "Peer URLs to tell other members.",
			bind: urls(func(c *server.Config) *string { return &c.InitialAdvertisePeerURLs }, "")},
		{Name: "initial-cluster", Default: "${name}=${initial-advertise-peer-urls}",
			Help: "All members of the first start, NAME=URL,…",
			bind: text(func(c *server.Config) *string { return &c.InitialCluster })},
		{Name: "initial-cluster-state", Help: `"new" for a first start, "existing" to join a running cluster.`,
			bind: oneOf(func(c *server.Config) *string { return &c.InitialClusterState }, "new", "existing")},
		{Name: "initial-cluster-token", Help: "Sets clusters with equal URLs apart.",
			bind: text(func(c *server.Config) *string { return &c.InitialClusterToken })},
		{Name: "advertise-client-urls", Help: "Client URLs to tell clients.",
			bind: urls(func(c *server.Config) *string { return &c.AdvertiseClientURLs }, "")},
	}
}

// discovery is how members find each other without --initial-cluster.
func discovery() []Option {
	const why = "v2 discovery is gone from etcd, too; use --discovery-token and --discovery-endpoints"
	rows := []Option{
		{Name: "discovery", Class: Refused, Why: why, Help: "URL of a v2 discovery service.", bind: text(nowhere(""))},
	}
	rows = append(rows, discoveryService()...)
	return append(rows, []Option{
		{Name: "discovery-fallback", Class: Inert, Why: "there is no v2 proxy to fall back to",
			Help: "What to do when discovery fails.", bind: oneOf(nowhere("exit"), "exit", "proxy")},
		{Name: "discovery-proxy", Class: Refused, Why: why, Help: "Proxy for v2 discovery.", bind: text(nowhere(""))},
		{Name: "discovery-srv", Help: "DNS domain whose SRV records list the members of a new cluster.",
			bind: text(func(c *server.Config) *string { return &c.DiscoverySRV })},
		{Name: "discovery-srv-name", Help: "Suffix of the service in those records.",
			bind: text(func(c *server.Config) *string { return &c.DiscoverySRVName })},
	}...)
}

// discoveryService are the flags of v3 discovery.
func discoveryService() []Option {
	const spec, secure = "discovery-config.client.", "discovery-config.client.secure."
	row := func(name, key, help string, bind binder) Option {
		return Option{Name: name, Key: key, Class: Honoured, Help: "v3 discovery: " + help, bind: bind}
	}
	rows := []Option{
		row("discovery-token", "discovery-config.token", "token of the new cluster; it serves one cluster, once. The number of members has to stand under /_etcd/registry/TOKEN/_config/size.",
			text(func(c *server.Config) *string { return &c.Discovery.Token })),
		row("discovery-endpoints", spec+"endpoints", "endpoints of a running cluster, of etcd or of Holdfast, through which the members of a new one find each other.",
			list(func(c *server.Config) *string { return &c.Discovery.Endpoints })),
		row("discovery-dial-timeout", spec+"dial-timeout", "time to connect.", span(func(c *server.Config) *time.Duration { return &c.Discovery.DialTimeout })),
		row("discovery-request-timeout", spec+"request-timeout", "time for a request; one that fails is sent again.",
			span(func(c *server.Config) *time.Duration { return &c.Discovery.RequestTimeout })),
		row("discovery-keepalive-time", spec+"keepalive-time", "time between pings.", span(func(c *server.Config) *time.Duration { return &c.Discovery.KeepAliveTime })),
		row("discovery-keepalive-timeout", spec+"keepalive-timeout", "time to answer a ping.", span(func(c *server.Config) *time.Duration { return &c.Discovery.KeepAliveTimeout })),
		row("discovery-insecure-transport", secure+"insecure-transport", "no TLS, unless an endpoint is an https URL.",
			truth(func(c *server.Config) *bool { return &c.Discovery.InsecureTransport })),
		row("discovery-insecure-skip-tls-verify", secure+"insecure-skip-tls-verify", "don't verify the service's certificate. For tests only.",
			truth(func(c *server.Config) *bool { return &c.Discovery.InsecureSkipVerify })),
		row("discovery-cert", secure+"cert", "certificate file to show.", text(func(c *server.Config) *string { return &c.Discovery.Cert })),
		row("discovery-key", secure+"key", "its key file.", text(func(c *server.Config) *string { return &c.Discovery.Key })),
		row("discovery-cacert", secure+"cacert", "CA file that the service's certificate is verified with.", text(func(c *server.Config) *string { return &c.Discovery.CACert })),
		row("discovery-user", spec+"auth.username", "user[:password].", text(func(c *server.Config) *string { return &c.Discovery.User })),
		row("discovery-password", spec+"auth.password", "password, if it isn't with the user.", text(func(c *server.Config) *string { return &c.Discovery.Password })),
	}
	for i := range rows {
		rows[i].Secret = rows[i].Name == "discovery-user" || rows[i].Name == "discovery-password"
	}
	return rows
}

func clusteringRules() []Option {
	return []Option{
		{Name: "strict-reconfig-check",
			Help: "Refuse changes of the membership that could cost the quorum.",
			bind: truth(func(c *server.Config) *bool { return &c.StrictReconfigCheck })},
		{Name: "pre-vote",
			Help: "Ask before an election whether it can be won, so that a member that was cut off disturbs nobody when it is back.",
			bind: truth(func(c *server.Config) *bool { return &c.PreVote })},
		{Name: "auto-compaction-retention",
			Help: "How much history to keep when compacting automatically; 0 switches it off.",
			bind: text(func(c *server.Config) *string { return &c.AutoCompactionRetention })},
		{Name: "auto-compaction-mode",
			Help: "What the retention counts: periodic (a duration, hours without a unit) or revision.",
			bind: text(func(c *server.Config) *string { return &c.AutoCompactionMode })},
		{Name: "v2-deprecation", Class: Inert, Why: "there is no v2 store",
			Deprecated: "--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.",
			Help:       "Phase of the v2 store's removal. Deprecated.",
			bind:       someOf(nowhere("write-only"), "write-only", "write-only-skip-check", "write-only-drop-data", "gone")},
		{Name: "proxy", FileOnly: true, Class: Refused, Why: "there is no v2 proxy", bind: oneOf(nowhere("off"), "off", "readonly", "on")},
		{Name: "proxy-failure-wait", FileOnly: true, Class: Inert, Why: "there is no v2 proxy", bind: natural(nowhere[uint](5000))},
		{Name: "proxy-refresh-interval", FileOnly: true, Class: Inert, Why: "there is no v2 proxy", bind: natural(nowhere[uint](30000))},
		{Name: "proxy-dial-timeout", FileOnly: true, Class: Inert, Why: "there is no v2 proxy", bind: natural(nowhere[uint](1000))},
		{Name: "proxy-write-timeout", FileOnly: true, Class: Inert, Why: "there is no v2 proxy", bind: natural(nowhere[uint](5000))},
		{Name: "proxy-read-timeout", FileOnly: true, Class: Inert, Why: "there is no v2 proxy", bind: natural(nowhere[uint](0))},
	}
}
