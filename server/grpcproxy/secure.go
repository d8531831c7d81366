package grpcproxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/holdfast-db/holdfast/internal/pki"
	"github.com/holdfast-db/holdfast/internal/tlsconf"
)

// clientTLS is for the listeners; nil: clients come in the clear.
func (c *Config) clientTLS() (*tls.Config, error) {
	t := c.ClientTLS
	selfMade := t.CertFile == "" && t.KeyFile == "" && t.TrustedCAFile == "" && c.AutoTLS
	switch {
	case selfMade:
		var err error
		if t.CertFile, t.KeyFile, err = c.selfSign(); err != nil {
			return nil, fmt.Errorf("auto TLS: %w", err)
		}
	case t.CertFile == "" && t.KeyFile == "" && t.TrustedCAFile == "":
		return nil, nil
	}
	oldest, newest, err := tlsconf.Versions(t.MinVersion, t.MaxVersion)
	if err != nil {
		return nil, err
	}
	suites, err := tlsconf.CipherSuites(t.CipherSuites, oldest)
	if err != nil {
		return nil, err
	}
	source, err := tlsconf.New(tlsconf.Options{
		Files: tlsconf.Files{Cert: t.CertFile, Key: t.KeyFile, CA: t.TrustedCAFile, CRL: t.CRLFile}, SelfMade: selfMade,
		MinVersion: oldest, MaxVersion: newest, CipherSuites: suites,
		Protocols: []string{"http/1.1", "h2"}, // gRPC clients offer h2 alone
		Logger:    c.Log,
	})
	if err != nil {
		return nil, err
	}
	c.Log.Info("gRPC proxy server TLS", "cert-file", t.CertFile, "key-file", t.KeyFile, "trusted-ca-file", t.TrustedCAFile, "crl-file", t.CRLFile)
	return source.Server(), nil
}

func (c *Config) selfSign() (certFile, keyFile string, err error) {
	host, _, err := net.SplitHostPort(c.ListenAddr)
	if err != nil {
		return "", "", err
	}
	request := pki.Request{Hosts: []string{host}, Server: true, Client: true, Valid: time.Duration(c.SelfSignedYears) * 365 * 24 * time.Hour}
	certFile, keyFile, made, err := pki.KeepSelfSigned(filepath.Join(c.DataDir, "fixtures", "proxy"), request, time.Now())
	if made {
		c.Log.Warn("automatically generate certificates", "certificate-validity-bound-not-after", time.Now().Add(request.Valid))
	}
	return certFile, keyFile, err
}
