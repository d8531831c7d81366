package tlsconf

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Source gives the TLS configurations of one plane, always by what its files
// hold now. It may be used from any goroutine.
type Source struct {
	options Options
	log     *slog.Logger

	mu      sync.Mutex
	loaded  *generation // the last sound one
	read    contents    // of the files when they were read last, sound or not
	seen    stamps      // then
	fresh   bool        // some file was changed just then, and may change again unseen
	failure string      // why the files as read last are not in use
	warned  bool        // that the revocation list of loaded is out of date
}

// New reads all files once: what is wrong at the start is an error.
func New(options Options) (*Source, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Resolver == nil {
		options.Resolver = net.DefaultResolver
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{options: options, log: options.Logger}
	s.note(options.stamps())
	var err error
	if s.read, err = options.read(); err != nil {
		return nil, err
	}
	g, err := options.parse(&s.read)
	if err != nil {
		return nil, err
	}
	s.adopt(g)
	return s, nil
}

// adopt needs mu, except in New.
func (s *Source) adopt(g *generation) {
	g.server = s.newServer(g)
	s.loaded, s.failure, s.warned = g, "", false
}

// current looks whether the files changed, and returns the last sound
// generation.
func (s *Source) current() *generation {
	now := s.options.stamps()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now != s.seen || s.fresh {
		s.note(now)
		s.reload()
	}
	if ends := s.loaded.listEnds; !s.warned && !ends.IsZero() && s.options.Now().After(ends) {
		s.warned = true
		s.log.Warn("the certificate revocation list is out of date; it stays in force", "crl-file", s.options.CRL, "next-update", ends)
	}
	return s.loaded
}

// note remembers how the files look. Stamps are coarse (some milliseconds), so
// two changes at almost one moment look like one.
func (s *Source) note(now stamps) {
	s.seen, s.fresh = now, false
	for i := range now {
		if time.Since(now[i].changed) < stampCoarse {
			s.fresh = true
		}
	}
}

// reload reads the files, and takes what they hold if that is sound and new. What
// is not is looked at again when it changes, not at each handshake.
func (s *Source) reload() {
	read, err := s.options.read()
	if err == nil && read.equal(&s.read) {
		return
	}
	var g *generation
	if err == nil {
		s.read = read
		g, err = s.options.parse(&read)
	}
	if err != nil {
		if s.failure != err.Error() {
			s.failure = err.Error()
			s.log.Warn("cannot load changed TLS files; the old ones stay in use", "error", s.failure)
		}
		return
	}
	s.adopt(g)
	s.log.Info("loaded changed TLS files", "cert-file", s.options.Cert, "trusted-ca-file", s.options.CA,
		"crl-file", s.options.CRL, "not-after", g.pair.Leaf.NotAfter)
}

// newServer makes what listeners use for a generation. All connections share it,
// so that sessions can be resumed until the files change.
func (s *Source) newServer(g *generation) *tls.Config {
	c := &tls.Config{
		Certificates: []tls.Certificate{*g.pair},
		ClientCAs:    g.ca,
		MinVersion:   max(s.options.MinVersion, tls.VersionTLS12),
		MaxVersion:   s.options.MaxVersion,
		CipherSuites: s.options.CipherSuites,
		NextProtos:   s.options.Protocols,
		Time:         s.options.Now,
	}
	if s.demandsCertificate() {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.VerifyConnection = func(state tls.ConnectionState) error { return s.verify(g, &state, true) }
	}
	return c
}

func (s *Source) demandsCertificate() bool {
	return s.options.CA != "" || s.options.DemandCertificate
}

// Server is for listeners. It stays right when files change.
//
// With CheckAddress, a client's certificate that names addresses or hosts must
// name the one it comes from: an address literally, a host by DNS. One that names
// nothing may come from anywhere.
func (s *Source) Server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			g := s.current()
			if !s.options.CheckAddress || !s.demandsCertificate() {
				return g.server, nil
			}
			c := g.server.Clone()
			remote := hello.Conn.RemoteAddr()
			c.VerifyConnection = func(state tls.ConnectionState) error {
				if err := s.verify(g, &state, true); err != nil {
					return err
				}
				return s.checkAddress(state.PeerCertificates[0], remote)
			}
			return c, nil
		},
	}
}

// Client is for one connection to a host, whose certificate must name it.
func (s *Source) Client(host string) *tls.Config {
	g := s.current()
	c := &tls.Config{
		ServerName:         host,
		RootCAs:            g.ca,
		MinVersion:         max(s.options.MinVersion, tls.VersionTLS12),
		MaxVersion:         s.options.MaxVersion,
		CipherSuites:       s.options.CipherSuites,
		InsecureSkipVerify: s.options.SelfMade,
		Time:               s.options.Now,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return g.dialing, nil
		},
	}
	c.VerifyConnection = func(state tls.ConnectionState) error { return s.verify(g, &state, !s.options.SelfMade) }
	return c
}
