package grpcproxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/pki"
	"github.com/holdfast-db/holdfast/internal/proc"
	"github.com/holdfast-db/holdfast/internal/servertest"
	"github.com/holdfast-db/holdfast/server"
)

// papers is an authority and what it has issued, in a folder.
type papers struct {
	t   *testing.T
	dir string
	ca  *pki.Authority
}

func newPapers(t *testing.T) *papers {
	t.Helper()
	p := &papers{t, t.TempDir(), must(pki.NewAuthority("test", time.Now(), time.Hour))(t)}
	pair := must(p.ca.Pair())(t)
	if err := os.WriteFile(p.path("ca.crt"), pair.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *papers) path(name string) string { return filepath.Join(p.dir, name) }

func (p *papers) issue(name, user string) (certFile, keyFile string) {
	p.t.Helper()
	pair := must(p.ca.Issue(pki.Request{CommonName: user, Hosts: []string{"127.0.0.1"}, Server: true, Client: true, Valid: time.Hour}, time.Now()))(p.t)
	certFile, keyFile = p.path(name+".crt"), p.path(name+".key")
	if err := pair.Write(certFile, keyFile); err != nil {
		p.t.Fatal(err)
	}
	return certFile, keyFile
}

// client is the TLS of somebody who shows a certificate; "" for nobody's.
func (p *papers) client(name, user string) *tls.Config {
	p.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(p.ca.Cert)
	c := &tls.Config{RootCAs: pool}
	if name != "" {
		certFile, keyFile := p.issue(name, user)
		c.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(certFile, keyFile))(p.t)}
	}
	return c
}

// TestTLS: both sides with certificates; who has none is refused, on gRPC and HTTP alike.
func TestTLS(t *testing.T) {
	p := newPapers(t)
	cert, key := p.issue("server", "server")
	member, _ := servertest.Start(t, func(c *server.Config) {
		c.ListenClientURLs = strings.Replace(c.ListenClientURLs, "http://", "https://", 1)
		c.AdvertiseClientURLs = c.ListenClientURLs
		c.ClientTLS = server.TLS{CertFile: cert, KeyFile: key, TrustedCAFile: p.path("ca.crt"), ClientCertAuth: true}
	})
	proxy := startProxy(t, member, func(c *Config) {
		c.MembersTLS = p.client("proxy", "")
		c.ClientTLS = ClientTLS{CertFile: cert, KeyFile: key, TrustedCAFile: p.path("ca.crt"), MinVersion: "TLS1.3"}
		c.MetricsAddr = fmt.Sprintf("https://127.0.0.1:%d", must(proc.FreePort())(t))
	})
	secured := p.client("alice", "alice")
	c := connect(t, "https://"+proxy.Addr(), func(c *clientv3.Config) { c.TLS = secured })
	must(c.Put(soon(t), "a", "1"))(t)
	watch(t, c, "a")
	for _, url := range []string{"https://" + proxy.Addr(), proxy.config.MetricsAddr} {
		for path, want := range map[string]string{"/proxy/health": `"true"`, "/health": `"true"`, "/metrics": "etcd_server_has_leader 1"} {
			if body := fetch(t, url+path, secured); !strings.Contains(body, want) {
				t.Errorf("%s%s: %.100s", url, path, body)
			}
		}
	}
	if body := fetch(t, "https://"+proxy.Addr()+"/health", p.client("", "")); !strings.Contains(body, "certificate required") {
		t.Errorf("without a certificate: %s", body)
	}
}

// fetch is the body, or the error.
func fetch(t *testing.T, url string, config *tls.Config) string {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config.Clone()}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	return string(must(io.ReadAll(resp.Body))(t))
}

// TestAutoTLS: a certificate is made once and kept, and calls are logged without what was said.
func TestAutoTLS(t *testing.T) {
	member, _ := servertest.Start(t)
	dir, log := t.TempDir(), &proc.Output{}
	var before []byte
	for i := range 2 {
		proxy := startProxy(t, member, func(c *Config) {
			c.AutoTLS, c.DataDir, c.LogCalls, c.Log = true, dir, true, slog.New(slog.NewTextHandler(log, nil))
		})
		c := connect(t, "https://"+proxy.Addr(), func(c *clientv3.Config) { c.TLS = &tls.Config{InsecureSkipVerify: true} })
		must(c.Put(soon(t), "a", "secret"))(t)
		c.Close()
		proxy.Stop()
		cert := must(os.ReadFile(filepath.Join(dir, "fixtures", "proxy", "cert.pem")))(t)
		if i > 0 && string(before) != string(cert) {
			t.Error("another certificate at the second start")
		}
		before = cert
	}
	if text := log.String(); strings.Count(text, "method=/etcdserverpb.KV/Put") != 2 || strings.Contains(text, "secret") || strings.Count(text, "automatically generate") != 1 {
		t.Error(text)
	}
}

// TestConfigs: what can't work is refused before anything is opened.
func TestConfigs(t *testing.T) {
	named := newPapers(t).client("proxy", "root")
	for want, change := range map[string]func(*Config){
		"no endpoints found":                        func(c *Config) { c.Endpoints = nil },
		"invalid resolver-ttl 0":                    func(c *Config) { c.ResolverPrefix = "p" },
		`invalid resolver-prefix ""`:                func(c *Config) { c.ResolverTTL = 5 },
		`invalid advertise-client-url ""`:           func(c *Config) { c.ResolverPrefix, c.ResolverTTL, c.AdvertiseURL = "p", 5, "" },
		"selfSignedCertValidity is invalid":         func(c *Config) { c.AutoTLS, c.SelfSignedYears = true, 0 },
		`unexpected TLS version "TLS1.1"`:           func(c *Config) { c.ClientTLS.MinVersion = "TLS1.1" },
		"min version (TLS1.3) is greater":           func(c *Config) { c.ClientTLS.MinVersion, c.ClientTLS.MaxVersion = "TLS1.3", "TLS1.2" },
		"cipher suites cannot be configured":        func(c *Config) { c.ClientTLS.MinVersion, c.ClientTLS.CipherSuites = "TLS1.3", "x" },
		"cert has non empty Common Name (root)":     func(c *Config) { c.MembersTLS = named },
		"cannot parse --metrics-addr":               func(c *Config) { c.MetricsAddr = "127.0.0.1:1" },
		"https needs --cert-file":                   func(c *Config) { c.MetricsAddr = "https://127.0.0.1:1" },
		"KeyFile and CertFile must both be present": func(c *Config) { c.ClientTLS.CertFile = "x" },
	} {
		c := DefaultConfig()
		c.ListenAddr = "127.0.0.1:0"
		change(&c)
		p, err := Start(t.Context(), c)
		if err == nil {
			p.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestAutoSync: the members' own addresses replace the one that was given.
func TestAutoSync(t *testing.T) {
	member, _ := servertest.Start(t)
	log := &proc.Output{}
	startProxy(t, member, func(c *Config) {
		c.AutoSync, c.Log = 10*time.Millisecond, slog.New(slog.NewTextHandler(log, nil))
	})
	until(t, "the endpoints were replaced", func() bool {
		return strings.Contains(log.String(), "set etcd endpoints by autoSync") && strings.Contains(log.String(), "http://"+member)
	})
}
