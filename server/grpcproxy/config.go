package grpcproxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/holdfast-db/holdfast/internal/tlsconf"
)

// Config is what an operator says. DefaultConfig has etcd's defaults.
type Config struct {
	// Endpoints are the members', with or without a scheme; AutoSync is how often
	// they are replaced by what the members say, 0: never.
	Endpoints []string
	AutoSync  time.Duration
	// MembersTLS is for connections to them; nil: an endpoint's scheme decides.
	MembersTLS *tls.Config

	ListenAddr  string // host:port
	MetricsAddr string // URL of another listener for HTTP; "" for none
	// AdvertiseURL is how clients reach this proxy, and what they see of the cluster;
	// "": they see the members.
	AdvertiseURL string

	Namespace     string
	LeasingPrefix string // "": no leasing
	Ordering      bool   // serializable reads don't go back in time

	ResolverPrefix string // "": proxies don't know each other
	ResolverTTL    int    // seconds

	// ClientTLS says how clients reach the proxy. AutoTLS makes a certificate in
	// DataDir, good for SelfSignedYears, if there is none in ClientTLS.
	ClientTLS       ClientTLS
	AutoTLS         bool
	DataDir         string
	SelfSignedYears uint

	SendBytesMax, RecvBytesMax int // of a message to and from members

	DialKeepAliveTime, DialKeepAliveTimeout time.Duration // towards members; time 0: no pings
	PermitWithoutStream                     bool          // pings with nothing under way

	KeepAliveMinTime, KeepAliveInterval, KeepAliveTimeout time.Duration // towards clients
	MaxConcurrentStreams                                  uint32        // of a client's connection

	LogCalls, EnablePprof bool
	Log                   *slog.Logger
}

// ClientTLS is the pair that the proxy shows, the authority that clients'
// certificates have to come from (then they need one), and more.
type ClientTLS struct {
	CertFile, KeyFile, TrustedCAFile, CRLFile string
	CipherSuites                              string // Go's names, separated by commas
	MinVersion, MaxVersion                    string // TLS1.2, TLS1.3, or ""
}

// DefaultConfig has etcd's defaults.
func DefaultConfig() Config {
	return Config{
		Endpoints: []string{"127.0.0.1:2379"}, ListenAddr: "127.0.0.1:23790", AdvertiseURL: "127.0.0.1:23790",
		DataDir: "default.proxy", SelfSignedYears: 1, ClientTLS: ClientTLS{MinVersion: "TLS1.2"},
		SendBytesMax: 3 << 19, RecvBytesMax: math.MaxInt32, DialKeepAliveTimeout: 20 * time.Second,
		KeepAliveMinTime: 5 * time.Second, KeepAliveInterval: 2 * time.Hour, KeepAliveTimeout: 20 * time.Second,
		MaxConcurrentStreams: math.MaxUint32, Log: slog.New(slog.DiscardHandler),
	}
}

// check finds what can't work, in etcd's words where it has some.
func (c *Config) check() error {
	switch {
	case len(c.Endpoints) == 0:
		return errors.New("no endpoints found")
	case c.ResolverPrefix != "" && c.ResolverTTL < 1:
		return fmt.Errorf("invalid resolver-ttl %d", c.ResolverTTL)
	case c.ResolverPrefix == "" && c.ResolverTTL > 0:
		return fmt.Errorf("invalid resolver-prefix %q", c.ResolverPrefix)
	case c.ResolverPrefix != "" && c.AdvertiseURL == "":
		return fmt.Errorf("invalid advertise-client-url %q", c.AdvertiseURL)
	case c.AutoTLS && c.SelfSignedYears == 0:
		return errors.New("selfSignedCertValidity is invalid,it should be greater than 0")
	}
	oldest, _, err := tlsconf.Versions(c.ClientTLS.MinVersion, c.ClientTLS.MaxVersion)
	if err != nil {
		return err
	}
	_, err = tlsconf.CipherSuites(c.ClientTLS.CipherSuites, oldest)
	return errors.Join(err, c.checkCertificate())
}

// checkCertificate refuses a certificate towards the members that has a name. With
// --client-cert-auth members take its common name for the user, so every client of
// the proxy would be that user.
func (c *Config) checkCertificate() error {
	if c.MembersTLS == nil {
		return nil
	}
	for _, pair := range c.MembersTLS.Certificates {
		if pair.Leaf != nil && pair.Leaf.Subject.CommonName != "" {
			return fmt.Errorf("cert has non empty Common Name (%s): every client of the proxy would be that user", pair.Leaf.Subject.CommonName)
		}
	}
	return nil
}
