package options

import (
	"time"

	"github.com/holdfast-db/holdfast/server"
)

func security() []Option {
	return append(append(clientTLS(), peerTLS()...), bothTLS()...)
}

func clientTLS() []Option {
	tls := func(c *server.Config) *server.TLS { return &c.ClientTLS }
	const key = "client-transport-security."
	return []Option{
		{Name: "cert-file", Key: key + "cert-file", Help: "Certificate to show to clients.",
			bind: text(func(c *server.Config) *string { return &tls(c).CertFile })},
		{Name: "key-file", Key: key + "key-file", Help: "Its key.",
			bind: text(func(c *server.Config) *string { return &tls(c).KeyFile })},
		{Name: "client-cert-auth", Key: key + "client-cert-auth", Help: "Demand a certificate of clients.",
			bind: truth(func(c *server.Config) *bool { return &tls(c).ClientCertAuth })},
		{Name: "client-cert-file", Key: key + "client-cert-file",
			Help: "Certificate to show as a client, if not --cert-file.",
			bind: text(func(c *server.Config) *string { return &tls(c).ClientCertFile })},
		{Name: "client-key-file", Key: key + "client-key-file", Help: "Its key.",
			bind: text(func(c *server.Config) *string { return &tls(c).ClientKeyFile })},
		{Name: "client-crl-file", Help: "Revoked certificates of clients.",
			bind: text(func(c *server.Config) *string { return &tls(c).CRLFile })},
		{Name: "client-cert-allowed-hostname", Key: key + "allowed-hostname",
			Help: "Host names, one of which a client's certificate must have.",
			bind: list(func(c *server.Config) *string { return &tls(c).AllowedHostname })},
		{Name: "client-cert-allowed-cn", FileOnly: true, Key: key + "allowed-cn",
			bind: list(func(c *server.Config) *string { return &tls(c).AllowedCN })},
		{Name: "client-skip-client-san-verification", FileOnly: true, Key: key + "skip-client-san-verification",
			bind: truth(func(c *server.Config) *bool { return &tls(c).SkipSANVerification })},
		{Name: "trusted-ca-file", Key: key + "trusted-ca-file", Help: "CA of clients' certificates.",
			bind: text(func(c *server.Config) *string { return &tls(c).TrustedCAFile })},
		{Name: "auto-tls", Key: key + "auto-tls", Help: "TLS for clients with a certificate made at start.",
			bind: truth(func(c *server.Config) *bool { return &tls(c).Auto })},
	}
}

func peerTLS() []Option {
	tls := func(c *server.Config) *server.TLS { return &c.PeerTLS }
	const key = "peer-transport-security."
	return []Option{
		{Name: "peer-cert-file", Key: key + "cert-file", Help: "Certificate to show to members.",
			bind: text(func(c *server.Config) *string { return &tls(c).CertFile })},
		{Name: "peer-key-file", Key: key + "key-file", Help: "Its key.",
			bind: text(func(c *server.Config) *string { return &tls(c).KeyFile })},
		{Name: "peer-client-cert-auth", Key: key + "client-cert-auth", Help: "Demand a certificate of members.",
			bind: truth(func(c *server.Config) *bool { return &tls(c).ClientCertAuth })},
		{Name: "peer-client-cert-file", Key: key + "client-cert-file",
			Help: "Certificate to show when dialling members, if not --peer-cert-file.",
			bind: text(func(c *server.Config) *string { return &tls(c).ClientCertFile })},
		{Name: "peer-client-key-file", Key: key + "client-key-file", Help: "Its key.",
			bind: text(func(c *server.Config) *string { return &tls(c).ClientKeyFile })},
		{Name: "peer-trusted-ca-file", Key: key + "trusted-ca-file", Help: "CA of members' certificates.",
			bind: text(func(c *server.Config) *string { return &tls(c).TrustedCAFile })},
		{Name: "peer-cert-allowed-cn", Key: key + "allowed-cn",
			Help: "Common names, one of which a member's certificate must have.",
			bind: list(func(c *server.Config) *string { return &tls(c).AllowedCN })},
		{Name: "peer-cert-allowed-hostname", Key: key + "allowed-hostname",
			Help: "Host names, one of which a member's certificate must have.",
			bind: list(func(c *server.Config) *string { return &tls(c).AllowedHostname })},
		{Name: "peer-auto-tls", Key: key + "auto-tls", Help: "TLS between members with certificates made at start.",
			bind: truth(func(c *server.Config) *bool { return &tls(c).Auto })},
		{Name: "self-signed-cert-validity", Help: "Years that certificates made at start are valid.",
			bind: natural(func(c *server.Config) *uint { return &c.SelfSignedCertYears })},
		{Name: "peer-crl-file", Help: "Revoked certificates of members.",
			bind: text(func(c *server.Config) *string { return &tls(c).CRLFile })},
	}
}

func bothTLS() []Option {
	return []Option{
		{Name: "cipher-suites", Help: "TLS cipher suites, by Go's names (TLS 1.2 only).",
			bind: list(func(c *server.Config) *string { return &c.CipherSuites })},
		{Name: "cors", Help: "Origins that browsers may send requests from; * for all.",
			bind: urls(func(c *server.Config) *string { return &c.CORS }, "*", "")},
		{Name: "host-whitelist",
			Help: "Host names that requests over plain HTTP may be sent to; * for all.",
			bind: text(func(c *server.Config) *string { return &c.HostWhitelist })},
		{Name: "tls-min-version", Help: "Lowest version of TLS: TLS1.2 or TLS1.3.",
			bind: text(func(c *server.Config) *string { return &c.TLSMinVersion })},
		{Name: "tls-max-version", Help: "Highest version of TLS.",
			bind: text(func(c *server.Config) *string { return &c.TLSMaxVersion })},
		{Name: "peer-skip-client-san-verification", Key: "peer-transport-security.skip-client-san-verification",
			Help: "Don't compare a dialling member's address with its certificate.",
			bind: truth(func(c *server.Config) *bool { return &c.PeerTLS.SkipSANVerification })},
	}
}

func auth() []Option {
	return []Option{
		{Name: "auth-token", Help: "Kind of token: simple, or jwt,pub-key=…,priv-key=…,sign-method=…,ttl=….",
			bind: text(func(c *server.Config) *string { return &c.AuthToken })},
		{Name: "bcrypt-cost", Help: "Cost of hashing passwords, 4 to 31.",
			bind: natural(func(c *server.Config) *uint { return &c.BcryptCost })},
		{Name: "auth-token-ttl", Help: "Seconds that a simple token lives unused.",
			bind: natural(func(c *server.Config) *uint { return &c.AuthTokenTTL })},
	}
}

func features() []Option {
	return []Option{
		{Name: "corrupt-check-time", Help: "Time between comparisons of all members' data by the leader; 0 for none.",
			bind: span(func(c *server.Config) *time.Duration { return &c.CorruptCheckTime })},
		{Name: "compact-hash-check-time", Help: "Time between comparisons of members' compaction hashes, if the feature CompactHashCheck is on.",
			bind: span(func(c *server.Config) *time.Duration { return &c.CompactHashCheckTime })},
		{Name: "compaction-batch-limit", Class: Inert, Why: "compaction works in small slices by itself",
			Help: "Most revisions deleted at once by a compaction.", Default: "1000", bind: integer(nowhere(0))},
		{Name: "compaction-sleep-interval", Class: Inert, Why: "compaction gives way to writes by itself",
			Help: "Pause between those.", bind: span(nowhere(time.Duration(0)))},
		{Name: "watch-progress-notify-interval", Help: "Time between progress notifications of quiet watches.",
			bind: span(func(c *server.Config) *time.Duration { return &c.WatchProgressInterval })},
		{Name: "warning-apply-duration", Help: "Log a batch of entries whose application takes longer.",
			bind: span(func(c *server.Config) *time.Duration { return &c.WarningApply })},
		{Name: "bootstrap-defrag-threshold-megabytes", Class: Inert, Why: "memory needs no defragmentation",
			Help: "Megabytes that a defragmentation at start must free.", bind: natural(func(c *server.Config) *uint { return &c.BootstrapDefragMB })},
		{Name: "max-learners", Help: "Most learners in the cluster.",
			bind: integer(func(c *server.Config) *int { return &c.MaxLearners })},
		{Name: "downgrade-check-time", Class: Inert, Why: "there are no downgrades to look after",
			Help: "Time between checks whether a downgrade is done.", bind: span(nowhere(5 * time.Second))},
		{Name: "snapshot-catchup-entries", Help: "Log entries kept for slow followers.",
			bind: natural64(func(c *server.Config) *uint64 { return &c.CatchUpEntries })},
	}
}

func unsafeFeatures() []Option {
	return []Option{
		{Name: "force-new-cluster", Help: "Make a cluster of this member alone, with its data. The others must be gone for good.",
			bind: truth(func(c *server.Config) *bool { return &c.ForceNewCluster })},
		{Name: "unsafe-no-fsync", Help: "Leave syncing to the kernel: a power loss loses acknowledged writes.",
			bind: truth(func(c *server.Config) *bool { return &c.UnsafeNoFsync })},
	}
}
