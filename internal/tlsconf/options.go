package tlsconf

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Files are where the secrets are. "" is a file that isn't used.
type Files struct {
	// Cert and Key are the pair to show, both in PEM; a chain has the leaf first.
	Cert, Key string
	// ClientCert and ClientKey are shown where we dial; without them Cert and Key.
	ClientCert, ClientKey string
	// CA verifies the other side; without it the machine's authorities do.
	CA string
	// CRL lists revoked certificates, DER or PEM.
	CRL string
}

// Options are rules for one plane: clients, or peers.
type Options struct {
	Files
	// DemandCertificate refuses clients without a certificate. A CA does, too.
	DemandCertificate bool
	// AllowedCNs and AllowedHostnames, if any, are those of which a verified
	// certificate has to carry one. Only one of the two lists may be given.
	AllowedCNs, AllowedHostnames []string
	// MinVersion and MaxVersion are those of crypto/tls; 0: 1.2, and the newest.
	MinVersion, MaxVersion uint16
	// CipherSuites are for TLS 1.2; none: Go's choice.
	CipherSuites []uint16
	// SelfMade pairs are not verified when we dial.
	SelfMade bool
	// CheckAddress refuses a client that doesn't come from an address that its
	// certificate names; see checkAddress.
	CheckAddress bool
	// NoReverseDNS leaves what a reverse lookup says out of CheckAddress: whoever
	// owns an address chooses its name.
	NoReverseDNS bool
	// Protocols for ALPN, in our order of preference.
	Protocols []string

	Logger   *slog.Logger
	Now      func() time.Time // nil: the machine's clock
	Resolver Resolver         // nil: the machine's
}

// Resolver is what CheckAddress needs of DNS; *net.Resolver is one.
type Resolver interface {
	LookupAddr(ctx context.Context, address string) (names []string, err error)
	LookupHost(ctx context.Context, host string) (addresses []string, err error)
}

func (o *Options) check() error {
	switch {
	case o.Cert == "" || o.Key == "":
		return fmt.Errorf("KeyFile and CertFile must both be present[key: %s, cert: %s]", o.Key, o.Cert)
	case (o.ClientCert == "") != (o.ClientKey == ""):
		return fmt.Errorf("ClientKeyFile and ClientCertFile must both be present or both absent: key: %s, cert: %s]", o.ClientKey, o.ClientCert)
	case len(o.AllowedCNs) > 0 && len(o.AllowedHostnames) > 0:
		return fmt.Errorf("AllowedCNs and AllowedHostnames are mutually exclusive (cns=%q, hostnames=%q)", o.AllowedCNs, o.AllowedHostnames)
	}
	return nil
}

// Versions reads etcd's names of TLS versions; "" leaves the choice to Go and
// gives 0. The texts of errors are etcd's.
func Versions(oldest, newest string) (from, to uint16, err error) {
	if from, err = version(oldest); err != nil {
		return 0, 0, err
	}
	if to, err = version(newest); err != nil {
		return 0, 0, err
	}
	if to != 0 && from > to {
		return 0, 0, fmt.Errorf("min version (%s) is greater than max version (%s)", oldest, newest)
	}
	return from, to, nil
}

func version(name string) (uint16, error) {
	switch name {
	case "":
		return 0, nil
	case "TLS1.2":
		return tls.VersionTLS12, nil
	case "TLS1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("unexpected TLS version %q (must be one of: TLS1.2, TLS1.3)", name)
}

// CipherSuites reads a list of Go's names, separated by commas. Those of TLS 1.3
// are accepted, but can't be chosen among: from is the oldest version allowed.
func CipherSuites(list string, from uint16) (ids []uint16, err error) {
	if list == "" {
		return nil, nil
	}
	if from == tls.VersionTLS13 {
		return nil, errors.New("cipher suites cannot be configured when only TLS1.3 is enabled")
	}
	for name := range strings.SplitSeq(list, ",") {
		id, ok := cipherSuite(name)
		if !ok {
			return nil, fmt.Errorf("unexpected TLS cipher suite %q", name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func cipherSuite(name string) (uint16, bool) {
	switch name { // names that Go had once
	case "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305":
		name += "_SHA256"
	}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if s.Name == name {
			return s.ID, true
		}
	}
	return 0, false
}
