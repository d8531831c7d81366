package grpcproxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// openMetrics serves HTTP on the address for that, too. secure tells whether there
// is a certificate to show.
func (p *Proxy) openMetrics(w *web, secure bool) error {
	if p.config.MetricsAddr == "" {
		return nil
	}
	u, err := url.Parse(p.config.MetricsAddr)
	if err != nil || u.Host == "" {
		return fmt.Errorf("cannot parse --metrics-addr %q: want a URL", p.config.MetricsAddr)
	}
	if u.Scheme == "https" && !secure {
		return errors.New("--metrics-addr: https needs --cert-file and --key-file, or --auto-tls")
	}
	l, err := net.Listen("tcp", u.Host)
	if err != nil {
		return err
	}
	if u.Scheme == "https" {
		l = tls.NewListener(l, p.port.tls)
	}
	p.config.Log.Info("gRPC proxy listening for metrics", "address", u.String())
	p.metrics = &http.Server{Handler: w.handler(false), ReadHeaderTimeout: handshakeTimeout}
	p.serve("metrics", func() error { return p.metrics.Serve(l) })
	return nil
}

// isDenied tells that it was the caller, not the cluster.
func isDenied(err error) bool {
	switch rpctypes.ErrorDesc(err) {
	case rpctypes.ErrorDesc(rpctypes.ErrGRPCUserEmpty), rpctypes.ErrorDesc(rpctypes.ErrGRPCPermissionDenied):
		return true
	}
	return false
}
