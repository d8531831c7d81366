package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/internal/pki"
	"github.com/holdfast-db/holdfast/internal/tlsconf"
)

// handshakeTimeout is how long a client may take to say its first bytes, a TLS
// handshake included.
const handshakeTimeout = 10 * time.Second

func (s *settings) handshakeTimeout() time.Duration {
	if s.Config.handshakeTimeout > 0 {
		return s.Config.handshakeTimeout
	}
	return handshakeTimeout
}

// tlsRules are what both planes share, checked.
type tlsRules struct {
	oldest, newest uint16
	suites         []uint16
}

func (s *settings) parseTLS() (err error) {
	if s.tls.oldest, s.tls.newest, err = tlsconf.Versions(s.TLSMinVersion, s.TLSMaxVersion); err != nil {
		return err
	}
	if s.tls.suites, err = tlsconf.CipherSuites(s.CipherSuites, s.tls.oldest); err != nil {
		return err
	}
	if u := firstTLS(slices.Concat(s.listenClient, s.listenHTTP)); u != nil && !s.ClientTLS.given() {
		return fmt.Errorf("TLS key/cert (--cert-file, --key-file) must be provided for client url %s with HTTPS scheme", u)
	}
	if u := firstTLS(s.listenMetrics); u != nil && !s.ClientTLS.given() {
		return errors.New("client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url")
	}
	if u := firstTLS(s.listenPeer); u != nil && !s.PeerTLS.given() {
		return fmt.Errorf("TLS key/cert (--peer-cert-file, --peer-key-file) must be provided for peer url %s with HTTPS scheme", u)
	}
	return nil
}

// given tells that there is, or will be, a certificate.
func (t *TLS) given() bool { return t.CertFile != "" || t.KeyFile != "" || t.Auto }

func firstTLS(urls []*url.URL) *url.URL {
	if i := slices.IndexFunc(urls, isTLS); i >= 0 {
		return urls[i]
	}
	return nil
}

// openTLS makes the sources of certificates of both planes; nil where none is
// given.
func (s *Server) openTLS() (err error) {
	set := s.settings
	if s.clientTLS, err = s.newSource("client", set.ClientTLS, slices.Concat(set.listenClient, set.listenHTTP)); err != nil {
		return err
	}
	s.peerTLS, err = s.newSource("peer", set.PeerTLS, set.listenPeer)
	return err
}

// newSource makes one plane's. plane is "client" or "peer".
func (s *Server) newSource(plane string, t TLS, listen []*url.URL) (*tlsconf.Source, error) {
	if !t.given() {
		return nil, nil
	}
	s.warnTLS(plane, &t, listen)
	selfMade := t.CertFile == "" && t.KeyFile == ""
	if selfMade {
		var err error
		if t.CertFile, t.KeyFile, err = s.selfSign(plane, listen); err != nil {
			return nil, fmt.Errorf("%s auto TLS: %w", plane, err)
		}
	}
	options := tlsconf.Options{
		Files: tlsconf.Files{
			Cert: t.CertFile, Key: t.KeyFile, ClientCert: t.ClientCertFile, ClientKey: t.ClientKeyFile, CA: t.TrustedCAFile, CRL: t.CRLFile,
		},
		DemandCertificate: t.ClientCertAuth, SelfMade: selfMade,
		AllowedCNs: splitList(t.AllowedCN), AllowedHostnames: splitList(t.AllowedHostname),
		MinVersion: s.settings.tls.oldest, MaxVersion: s.settings.tls.newest, CipherSuites: s.settings.tls.suites,
		CheckAddress: plane == "peer" && !t.SkipSANVerification, NoReverseDNS: s.settings.limits.noReverseDNS,
		Logger: s.log,
	}
	if plane == "client" {
		// gRPC clients offer h2 only. Who offers both has a use for HTTP/1.1,
		// where the JSON gateway is.
		options.Protocols = []string{"http/1.1", "h2"}
	}
	source, err := tlsconf.New(options)
	if err != nil {
		return nil, fmt.Errorf("%s TLS: %w", plane, err)
	}
	s.log.Info("starting with "+plane+" TLS", "cert-file", t.CertFile, "key-file", t.KeyFile, "trusted-ca-file", t.TrustedCAFile,
		"client-cert-auth", t.ClientCertAuth, "crl-file", t.CRLFile, "cipher-suites", splitList(s.settings.CipherSuites))
	return source, nil
}

// warnTLS tells of what was given and has no effect.
func (s *Server) warnTLS(plane string, t *TLS, listen []*url.URL) {
	if t.Auto && t.CertFile != "" {
		s.log.Warn("ignoring " + plane + " auto TLS since certs given")
	}
	for _, u := range listen {
		if isTLS(u) {
			continue
		}
		s.log.Warn("scheme is http or unix while key and cert files are present; ignoring key and cert files", plane+"-url", u.String())
		if t.ClientCertAuth {
			s.log.Warn("scheme is http or unix while client cert auth is enabled; ignoring client cert auth for this URL", plane+"-url", u.String())
		}
	}
}

// selfSign makes a pair of files for auto TLS, where etcd puts them, or finds
// those of an earlier start.
func (s *Server) selfSign(plane string, listen []*url.URL) (certFile, keyFile string, err error) {
	if s.settings.SelfSignedCertYears == 0 {
		return "", "", errors.New("--self-signed-cert-validity must be >0")
	}
	request := pki.Request{Server: true, Client: true, Valid: time.Duration(s.settings.SelfSignedCertYears) * 365 * 24 * time.Hour}
	for _, u := range listen {
		request.Hosts = append(request.Hosts, u.Hostname())
	}
	certFile, keyFile, made, err := pki.KeepSelfSigned(filepath.Join(s.settings.dir, "fixtures", plane), request, time.Now())
	if made {
		s.log.Warn("automatically generate certificates", "certificate-validity-bound-not-after", time.Now().Add(request.Valid))
	}
	return certFile, keyFile, err
}

// secure puts TLS on a listener whose URL asks for it.
func secure(l net.Listener, u *url.URL, source *tlsconf.Source) net.Listener {
	if !isTLS(u) {
		return l
	}
	return tls.NewListener(l, source.Server())
}

// dialTLS is for the links to other members. Without certificates of our own
// theirs have to satisfy the machine's authorities.
func (s *Server) dialTLS(host string) (*tls.Config, error) {
	if s.peerTLS == nil {
		return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}, nil
	}
	return s.peerTLS.Client(host), nil
}

// logRejected tells of a failed handshake, in etcd's words. One that just hung up
// was a probe.
func logRejected(log *slog.Logger, message string, conn *tls.Conn, err error) {
	level := slog.LevelWarn
	if errors.Is(err, io.EOF) {
		level = slog.LevelDebug
	}
	state := conn.ConnectionState()
	fields := []any{"remote-addr", conn.RemoteAddr().String(), "server-name", state.ServerName}
	if len(state.PeerCertificates) > 0 {
		leaf := state.PeerCertificates[0]
		fields = append(fields, "ip-addresses", fmt.Sprint(leaf.IPAddresses), "dns-names", leaf.DNSNames)
	}
	log.Log(context.Background(), level, message, append(fields, "error", err.Error())...)
}

// splitList reads a list as the command line has it; "" is none.
func splitList(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
