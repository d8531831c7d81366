package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/internal/srv"
	"github.com/holdfast-db/holdfast/server"
	"github.com/holdfast-db/holdfast/server/tcpproxy"
)

const gatewayHelp = `Pass TCP connections on to the members, one endpoint a connection, in turn. A
client then needs one address that never changes; who the members are is the
gateway's affair. What client and member say to each other it doesn't look at:
TLS is theirs, and needs certificates that name the gateway's host as well.

An endpoint that doesn't answer is set aside and probed every --retry-delay. With
--discovery-srv the endpoints come from DNS, with the priorities and weights that
stand there, and have to prove with a certificate that they are the domain's.

A client stays with its endpoint as long as its connection lasts. "grpc-proxy"
balances requests, and takes work off the members.`

const gatewayExample = `  # three members behind one address
  holdfast gateway start --listen-addr 127.0.0.1:23790 --endpoints 10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379
  etcdctl --endpoints 127.0.0.1:23790 put greeting hello

  # the members from DNS: SRV records of _etcd-client-ssl._tcp.example.com
  holdfast gateway start --discovery-srv example.com --trusted-ca-file ca.crt`

// discoveryFlags say where DNS has the members.
type discoveryFlags struct {
	domain, name string
	insecure     bool
}

func (f *discoveryFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.domain, "discovery-srv", "", "DNS domain whose SRV records say where the members are, instead of --endpoints")
	cmd.Flags().StringVar(&f.name, "discovery-srv-name", "", "suffix of the service's name in DNS")
	cmd.Flags().BoolVar(&f.insecure, "insecure-discovery", false, "take what DNS says without a certificate that proves it")
}

// lookUp is empty without a domain, and if nothing that DNS has proves itself.
func (f *discoveryFlags) lookUp(ctx context.Context, caFile string, log *slog.Logger) ([]srv.Endpoint, error) {
	if f.domain == "" {
		return nil, nil
	}
	return srv.Lookup(ctx, srv.Query{Domain: f.domain, Name: f.name, CAFile: caFile, Insecure: f.insecure, Log: log})
}

type gatewayFlags struct {
	listen     string
	endpoints  []string
	discovery  discoveryFlags
	ca         string
	retryDelay time.Duration
}

func newGateway() *cobra.Command {
	cmd := &cobra.Command{Use: "gateway <subcommand>", Short: "Pass TCP connections on to the members", Long: gatewayHelp, Example: gatewayExample}
	cmd.AddCommand(newGatewayStart())
	return cmd
}

func newGatewayStart() *cobra.Command {
	f := &gatewayFlags{}
	cmd := &cobra.Command{Use: "start", Short: "Start the gateway", Long: gatewayHelp, Example: gatewayExample, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&f.listen, "listen-addr", "127.0.0.1:23790", "address to listen on")
	cmd.Flags().StringSliceVar(&f.endpoints, "endpoints", []string{"127.0.0.1:2379"}, "members to pass connections on to, separated by commas")
	f.discovery.bind(cmd)
	cmd.Flags().StringVar(&f.ca, "trusted-ca-file", "", "CA certificates that verify what DNS says, PEM")
	cmd.Flags().DurationVar(&f.retryDelay, "retry-delay", time.Minute, "how long an endpoint that failed is left alone")
	cmd.RunE = run(func(cmd *cobra.Command, _ []string) error {
		ctx, log, done := startLife(false)
		defer done()
		return f.start(ctx, log)
	})
	return cmd
}

// startLife is what both proxies begin with: a context that ends with a signal,
// and a log in the server's form.
func startLife(debug bool) (ctx context.Context, log *slog.Logger, done func()) {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	log = server.NewLogger(os.Stderr, level)
	adoptLog(log)
	log.Info("Running: ", "args", os.Args)
	ctx, done = signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return ctx, log, done
}

func (f *gatewayFlags) start(ctx context.Context, log *slog.Logger) error {
	endpoints, err := f.find(ctx, log)
	if err != nil {
		return exitWith(exitConfig, err)
	}
	if err := notItself(ctx, f.listen, endpoints); err != nil {
		return exitWith(exitConfig, err)
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return exitWith(exitConfig, err)
	}
	proxy := &tcpproxy.Proxy{Listener: l, Endpoints: endpoints, RetryDelay: f.retryDelay, Log: log}
	notifyReady(log) // what comes before Run waits in the listener's backlog
	err = proxy.Run(ctx)
	log.Info("stopped the gateway", "address", f.listen)
	return err
}

// find is from DNS, or what the flag says if DNS has nothing that proves itself.
func (f *gatewayFlags) find(ctx context.Context, log *slog.Logger) (out []tcpproxy.Endpoint, err error) {
	if f.retryDelay <= 0 {
		return nil, errors.New("--retry-delay must be >0")
	}
	discovered, err := f.discovery.lookUp(ctx, f.ca, log)
	if err != nil {
		return nil, fmt.Errorf("--discovery-srv: %w", err)
	}
	for _, e := range discovered {
		out = append(out, tcpproxy.Endpoint{Address: e.Host, Priority: e.Priority, Weight: e.Weight})
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, e := range f.endpoints {
		address := hostOf(e)
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("error parsing endpoint %q: %w", e, err)
		}
		out = append(out, tcpproxy.Endpoint{Address: address})
	}
	if len(out) == 0 {
		return nil, errors.New("no endpoints found")
	}
	return out, nil
}

// hostOf is the host and port of an endpoint with a scheme or without one.
func hostOf(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return endpoint
}

// notItself refuses an endpoint that is the gateway: each connection would come
// back as another. What can't be resolved now is left for later.
func notItself(ctx context.Context, listen string, endpoints []tcpproxy.Endpoint) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("failed to validate listen address: %s: %w", listen, err)
	}
	own, _ := net.DefaultResolver.LookupHost(ctx, host)
	for _, e := range endpoints {
		target, targetPort, err := net.SplitHostPort(e.Address)
		if err != nil || targetPort != port {
			continue
		}
		theirs, _ := net.DefaultResolver.LookupHost(ctx, target)
		for _, address := range theirs {
			if slices.Contains(own, address) {
				return fmt.Errorf("SRV or endpoint (%s->%s) should not resolve to the gateway listen addr (%s)", e.Address, address, listen)
			}
		}
	}
	return nil
}
