package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/server/grpcproxy"
)

const grpcProxyHelp = `Stand between many clients and a cluster, so that the members have less to do:
watchers of the same keys share one watch, renewals of leases share one stream,
and serializable reads of what is known are answered from memory. Requests go to
the members in turn. With --namespace the clients see a part of the keys as if it
were all.

A serializable read through the proxy may be some seconds old where others write
past it; writes through it are seen at once. With authentication each client's
token is passed on, nothing is answered from memory, and only clients with the
same token share a watch.

--advertise-client-url is what clients get as the list of members, so that they
stay with the proxy; with --resolver-prefix it is all proxies that share the
prefix. An empty one shows the members themselves.

/metrics and /health on the same port are those of a member; /proxy/metrics and
/proxy/health are the proxy's own.`

const grpcProxyExample = `  # a proxy for three members, and a client of it
  holdfast grpc-proxy start --endpoints 10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379 \
    --listen-addr 127.0.0.1:23790 --advertise-client-url 127.0.0.1:23790
  etcdctl --endpoints 127.0.0.1:23790 watch greeting

  # an application that has the keys under app/ for itself
  holdfast grpc-proxy start --endpoints 10.0.0.1:2379 --namespace app/ --listen-addr 127.0.0.1:23791

  # two proxies that know each other; each client hears of both
  holdfast grpc-proxy start --endpoints 10.0.0.1:2379 --listen-addr 10.0.1.1:23790 \
    --advertise-client-url 10.0.1.1:23790 --resolver-prefix proxies --resolver-ttl 60

  # TLS on both sides; the certificate for the members must not have a common name
  holdfast grpc-proxy start --endpoints https://10.0.0.1:2379 --cacert ca.crt --cert proxy.crt --key proxy.key \
    --cert-file server.crt --key-file server.key --listen-addr 10.0.1.1:23790`

type grpcProxyFlags struct {
	config    grpcproxy.Config
	discovery discoveryFlags
	members   tlsFlags
	suites    []string
	debug     bool
}

func newGRPCProxy() *cobra.Command {
	cmd := &cobra.Command{Use: "grpc-proxy <subcommand>", Short: "Stand between many clients and a cluster", Long: grpcProxyHelp, Example: grpcProxyExample}
	cmd.AddCommand(newGRPCProxyStart())
	return cmd
}

func newGRPCProxyStart() *cobra.Command {
	f := &grpcProxyFlags{config: grpcproxy.DefaultConfig()}
	cmd := &cobra.Command{Use: "start", Short: "Start the proxy", Long: grpcProxyHelp, Example: grpcProxyExample, Args: cobra.NoArgs}
	f.bindMembers(cmd)
	f.bindClients(cmd)
	f.bindWork(cmd)
	cmd.RunE = run(func(cmd *cobra.Command, _ []string) error {
		ctx, log, done := startLife(f.debug)
		defer done()
		return f.start(ctx, log)
	})
	return cmd
}

// bindMembers are the flags about the members' side.
func (f *grpcProxyFlags) bindMembers(cmd *cobra.Command) {
	c, flags := &f.config, cmd.Flags()
	flags.StringSliceVar(&c.Endpoints, "endpoints", c.Endpoints, "members, separated by commas")
	flags.DurationVar(&c.AutoSync, "endpoints-auto-sync-interval", 0, "how often to ask the members who they are, and take that for --endpoints (0: never)")
	f.discovery.bind(cmd)
	flags.StringVar(&f.members.cert, "cert", "", "certificate to show to members, PEM; it must not have a common name")
	flags.StringVar(&f.members.key, "key", "", "its private key, PEM")
	flags.StringVar(&f.members.cacert, "cacert", "", "CA certificates that sign the members', PEM")
	flags.BoolVar(&f.members.insecure, "insecure-skip-tls-verify", false, "take any certificate for a member's (for tests only)")
	flags.IntVar(&c.SendBytesMax, "max-send-bytes", c.SendBytesMax, "largest message to a member, in bytes")
	flags.IntVar(&c.RecvBytesMax, "max-recv-bytes", c.RecvBytesMax, "largest message from a member, in bytes")
	flags.DurationVar(&c.DialKeepAliveTime, "dial-keepalive-time", 0, "how long a connection to a member may be silent before it is pinged (0: for ever)")
	flags.DurationVar(&c.DialKeepAliveTimeout, "dial-keepalive-timeout", c.DialKeepAliveTimeout, "how long such a ping may stay unanswered")
	flags.BoolVar(&c.PermitWithoutStream, "permit-without-stream", false, "ping members also when nothing is under way")
}

// bindClients are the flags about the clients' side.
func (f *grpcProxyFlags) bindClients(cmd *cobra.Command) {
	c, flags := &f.config, cmd.Flags()
	flags.StringVar(&c.ListenAddr, "listen-addr", c.ListenAddr, "address to listen on")
	flags.StringVar(&c.AdvertiseURL, "advertise-client-url", c.AdvertiseURL, "address at which clients reach the proxy; they get it as the list of members")
	flags.StringVar(&c.MetricsAddr, "metrics-addr", "", "URL of one more listener for /metrics, /health and those under /proxy")
	flags.StringVar(&c.ClientTLS.CertFile, "cert-file", "", "certificate to show to clients, PEM")
	flags.StringVar(&c.ClientTLS.KeyFile, "key-file", "", "its private key, PEM")
	flags.StringVar(&c.ClientTLS.TrustedCAFile, "trusted-ca-file", "", "CA certificates that clients' certificates must come from, PEM; clients need one then")
	flags.StringVar(&c.ClientTLS.CRLFile, "client-crl-file", "", "list of clients' certificates that were revoked")
	flags.StringSliceVar(&f.suites, "listen-cipher-suites", nil, "cipher suites for TLS 1.2, by Go's names (none: Go's choice)")
	flags.StringVar(&c.ClientTLS.MinVersion, "tls-min-version", c.ClientTLS.MinVersion, "oldest TLS version: TLS1.2 or TLS1.3")
	flags.StringVar(&c.ClientTLS.MaxVersion, "tls-max-version", "", "newest TLS version: TLS1.2, TLS1.3, or empty for Go's choice")
	flags.BoolVar(&c.AutoTLS, "auto-tls", false, "TLS with a certificate that the proxy makes itself, in --data-dir")
	flags.UintVar(&c.SelfSignedYears, "self-signed-cert-validity", c.SelfSignedYears, "how many years such a certificate is valid")
	flags.StringVar(&c.DataDir, "data-dir", c.DataDir, "folder for such a certificate; nothing else is kept")
	flags.DurationVar(&c.KeepAliveMinTime, "grpc-keepalive-min-time", c.KeepAliveMinTime, "a client that pings more often is disconnected")
	flags.DurationVar(&c.KeepAliveInterval, "grpc-keepalive-interval", c.KeepAliveInterval, "how long a client may be silent before it is pinged (0: gRPC's choice)")
	flags.DurationVar(&c.KeepAliveTimeout, "grpc-keepalive-timeout", c.KeepAliveTimeout, "how long such a ping may stay unanswered (0: gRPC's choice)")
	flags.Uint32Var(&c.MaxConcurrentStreams, "max-concurrent-streams", c.MaxConcurrentStreams, "how many requests and streams a client's connection may have open")
}

// bindWork are the flags about what is done in between.
func (f *grpcProxyFlags) bindWork(cmd *cobra.Command) {
	c, flags := &f.config, cmd.Flags()
	flags.StringVar(&c.Namespace, "namespace", "", "prefix that every key of the clients gets on its way to the members")
	flags.StringVar(&c.ResolverPrefix, "resolver-prefix", "", "prefix of the keys by which proxies find each other")
	flags.IntVar(&c.ResolverTTL, "resolver-ttl", 0, "after how many seconds a proxy that is gone leaves their list")
	flags.BoolVar(&c.Ordering, "experimental-serializable-ordering", false, "let no serializable read be older than what the proxy has seen")
	flags.StringVar(&c.LeasingPrefix, "experimental-leasing-prefix", "", "prefix of the keys by which proxies own others, and answer linearizable reads of them from memory")
	flags.BoolVar(&c.LogCalls, "experimental-enable-grpc-logging", false, "log each call: by whom, how long, with what result")
	flags.BoolVar(&c.EnablePprof, "enable-pprof", false, "serve Go's profiles under /debug/pprof/ on --listen-addr")
	flags.BoolVar(&f.debug, "debug", false, "log more")
}

// start runs a proxy until a signal or a failure.
func (f *grpcProxyFlags) start(ctx context.Context, log *slog.Logger) error {
	c := f.config
	c.Log, c.ClientTLS.CipherSuites = log, strings.Join(f.suites, ",")
	discovered, err := f.discovery.lookUp(ctx, f.members.cacert, log)
	if err != nil {
		return exitWith(exitConfig, err)
	}
	if len(discovered) > 0 {
		c.Endpoints = nil
		for _, e := range discovered {
			c.Endpoints = append(c.Endpoints, e.URL)
		}
	}
	if c.MembersTLS, err = f.members.config(); err != nil {
		return exitWith(exitConfig, err)
	}
	if f.members.insecure {
		log.Warn("--insecure-skip-tls-verify was given: whoever answers at an endpoint is taken for a member; for tests only")
	}
	p, err := grpcproxy.Start(ctx, c)
	if ctx.Err() != nil {
		return nil // it was asked to stop while it waited for members
	}
	if err != nil {
		return exitWith(exitConfig, err)
	}
	notifyReady(log)
	select {
	case <-ctx.Done():
	case err = <-p.Failed():
	}
	began := time.Now()
	p.Stop()
	log.Info("stop listening gRPC proxy client requests", "address", c.ListenAddr, "took", time.Since(began))
	return err
}
