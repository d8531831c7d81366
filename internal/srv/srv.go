// Package srv finds the clients' endpoints of a cluster in DNS, as etcd's
// --discovery-srv has it: SRV records of _etcd-client-ssl._tcp.DOMAIN for members
// with TLS and of _etcd-client._tcp.DOMAIN for those without. A name adds a
// suffix to both services.
//
// DNS can be forged. So endpoints count only if they prove with a certificate
// that they belong to the domain, unless the operator says that he accepts what
// DNS says (--insecure-discovery).
package srv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	lookupTimeout = 20 * time.Second
	proofTimeout  = 5 * time.Second
)

// Query says where to look.
type Query struct {
	Domain string
	Name   string // suffix of the services; "" for none
	CAFile string // whom to trust for certificates; "": the machine's
	// Insecure takes endpoints as DNS has them, without a proof.
	Insecure bool
	Names    Names // nil: the machine's resolver
	Log      *slog.Logger
}

// Names is what is asked; *net.Resolver is one.
type Names interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

// Endpoint is one record.
type Endpoint struct {
	URL              string // https://host:port or http://host:port
	Host             string // host:port
	Priority, Weight uint16
}

// Lookup asks for both services; one of them is enough. What doesn't prove itself
// is left out, so the answer may be empty.
func Lookup(ctx context.Context, q Query) ([]Endpoint, error) {
	if q.Names == nil {
		q.Names = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	suffix := ""
	if q.Name != "" {
		suffix = "-" + q.Name
	}
	secure, errSecure := q.service(ctx, "etcd-client-ssl"+suffix, "https")
	plain, errPlain := q.service(ctx, "etcd-client"+suffix, "http")
	if errSecure != nil && errPlain != nil {
		return nil, fmt.Errorf("dns lookup errors: %w and %w", errSecure, errPlain)
	}
	found := append(secure, plain...)
	q.Log.Info("discovered cluster from SRV", "srv-server", q.Domain, "endpoints", urls(found))
	if q.Insecure {
		return found, nil
	}
	return q.proven(ctx, found)
}

func (q *Query) service(ctx context.Context, service, scheme string) (out []Endpoint, err error) {
	_, records, err := q.Names.LookupSRV(ctx, service, "tcp", q.Domain)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		u := url.URL{Scheme: scheme, Host: net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port)))}
		out = append(out, Endpoint{URL: u.String(), Host: u.Host, Priority: r.Priority, Weight: r.Weight})
	}
	return out, nil
}

// proven keeps the endpoints whose certificate is for the domain.
func (q *Query) proven(ctx context.Context, found []Endpoint) (out []Endpoint, err error) {
	config := &tls.Config{ServerName: q.Domain, MinVersion: tls.VersionTLS12}
	if q.CAFile != "" {
		content, err := os.ReadFile(q.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", q.CAFile)
		}
	}
	for _, e := range found {
		if err := prove(ctx, config, e); err != nil {
			q.Log.Warn("failed to validate discovered endpoint", "srv-server", q.Domain, "endpoint", e.URL, "error", err.Error())
			continue
		}
		out = append(out, e)
	}
	q.Log.Info("using validated discovered SRV endpoints", "srv-server", q.Domain, "endpoints", urls(out))
	return out, nil
}

func prove(ctx context.Context, config *tls.Config, e Endpoint) error {
	if !strings.HasPrefix(e.URL, "https://") {
		return fmt.Errorf("it has no TLS; --insecure-discovery accepts it")
	}
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", e.Host)
	if err != nil {
		return err
	}
	return conn.Close()
}

func urls(endpoints []Endpoint) []string {
	out := []string{}
	for _, e := range endpoints {
		out = append(out, e.URL)
	}
	return out
}
