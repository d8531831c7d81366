package tlsconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// lookupTimeout bounds the name lookups of one handshake.
const lookupTimeout = 5 * time.Second

// errNotAllowed is etcd's text, for which operators look in logs.
var errNotAllowed = errors.New("client certificate authentication failed")

// verify is the one place where a connection's certificates are judged, after
// crypto/tls has verified the chain (if verified). It runs for resumed sessions
// as well, whose chains were verified some time ago.
func (s *Source) verify(g *generation, state *tls.ConnectionState, verified bool) error {
	for _, cert := range state.PeerCertificates {
		if err := s.checkCertificate(g, cert, verified); err != nil {
			return err
		}
	}
	if len(s.options.AllowedCNs)+len(s.options.AllowedHostnames) == 0 {
		return nil
	}
	for _, chain := range state.VerifiedChains {
		if len(chain) > 0 && s.allowed(chain[0]) {
			return nil
		}
	}
	return errNotAllowed
}

func (s *Source) checkCertificate(g *generation, cert *x509.Certificate, verified bool) error {
	if g.revoked[string(cert.SerialNumber.Bytes())] {
		return fmt.Errorf("transport: certificate serial %x revoked", cert.SerialNumber.Bytes())
	}
	if now := s.options.Now(); verified && (now.After(cert.NotAfter) || now.Before(cert.NotBefore)) {
		return x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired, Detail: fmt.Sprintf(
			"current time %s is outside %s to %s", now.UTC().Format(time.RFC3339),
			cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))}
	}
	return nil
}

func (s *Source) allowed(leaf *x509.Certificate) bool {
	return slices.Contains(s.options.AllowedCNs, leaf.Subject.CommonName) ||
		slices.ContainsFunc(s.options.AllowedHostnames, func(name string) bool { return leaf.VerifyHostname(name) == nil })
}

// checkAddress is etcd's rule for peers, with its texts.
func (s *Source) checkAddress(leaf *x509.Certificate, remote net.Addr) error {
	if remote.Network() == "unix" || len(leaf.IPAddresses) == 0 && len(leaf.DNSNames) == 0 {
		return nil
	}
	host, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		return err
	}
	if len(leaf.IPAddresses) > 0 {
		err := leaf.VerifyHostname(host)
		if err == nil || len(leaf.DNSNames) == 0 {
			return err
		}
	}
	found, err := s.named(host, leaf.DNSNames)
	switch {
	case found:
		return nil
	case err != nil:
		return fmt.Errorf("tls: %q does not match any of DNSNames %q (%w)", host, leaf.DNSNames, err)
	default:
		return fmt.Errorf("tls: %q does not match any of DNSNames %q", host, leaf.DNSNames)
	}
}

// named tells whether one of the names stands for an address: by what the
// address is called, or by where the names lead. Only the former can answer for
// wildcards.
func (s *Source) named(address string, names []string) (found bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	if !s.options.NoReverseDNS {
		var called []string
		called, err = s.options.Resolver.LookupAddr(ctx, address)
		for _, name := range called {
			if matches(strings.TrimSuffix(name, "."), names) {
				return true, nil
			}
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, "*.") {
			continue
		}
		addresses, lookupErr := s.options.Resolver.LookupHost(ctx, name)
		if lookupErr != nil {
			err = lookupErr
		}
		if slices.Contains(addresses, address) {
			return true, nil
		}
	}
	return false, err
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if suffix, wild := strings.CutPrefix(p, "*"); wild && strings.HasPrefix(suffix, ".") {
			return strings.HasSuffix(name, suffix)
		}
		return p == name
	})
}
