package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/holdfast-db/holdfast/internal/pki"
)

// papers is an authority and the files of what it signed.
type papers struct {
	t   *testing.T
	dir string
	ca  *pki.Authority
}

func newPapers(t *testing.T) *papers {
	t.Helper()
	ca, err := pki.NewAuthority("CA", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p := &papers{t: t, dir: t.TempDir(), ca: ca}
	pair, err := ca.Pair()
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(p.path("ca.crt"), p.path("ca.key")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *papers) path(name string) string { return filepath.Join(p.dir, name) }

// issue signs a pair under a name and returns how a listener uses it.
func (p *papers) issue(name string, hosts ...string) TLS {
	p.t.Helper()
	pair, err := p.ca.Issue(pki.Request{CommonName: name, Hosts: hosts, Server: true, Client: true, Valid: time.Hour}, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	f := TLS{CertFile: p.path(name + ".crt"), KeyFile: p.path(name + ".key"), TrustedCAFile: p.path("ca.crt"), ClientCertAuth: true}
	if err := pair.Write(f.CertFile, f.KeyFile); err != nil {
		p.t.Fatal(err)
	}
	return f
}

// config is a client's, with the certificate of a name, "" for none.
func (p *papers) config(name string) *tls.Config {
	p.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.ca.Cert)
	c := &tls.Config{RootCAs: roots}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(p.path(name+".crt"), p.path(name+".key"))
		if err != nil {
			p.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func https(url string) string { return strings.Replace(url, "http://", "https://", 1) }

// overTLS gives a member https everywhere.
func overTLS(client, peer TLS) func(*Config) {
	return func(c *Config) {
		c.ClientTLS, c.PeerTLS = client, peer
		for _, urls := range []*string{&c.ListenClientURLs, &c.AdvertiseClientURLs, &c.ListenPeerURLs, &c.InitialAdvertisePeerURLs} {
			*urls = https(*urls)
		}
	}
}

func dialTLS(t *testing.T, url string, config *tls.Config) *clientv3.Client {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, TLS: config, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

func get(config *tls.Config, url string) (string, error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// TestMutualTLS: three members with certificates on both planes serve gRPC and
// HTTP to who has one, and to nobody else.
func TestMutualTLS(t *testing.T) {
	p := newPapers(t)
	member := p.issue("member", "127.0.0.1", "localhost")
	p.issue("client")
	var log syncBuffer
	c := newCluster(t, 3, overTLS(member, member), func(cfg *Config) { cfg.Logger = NewLogger(&log, slog.LevelInfo) })
	url := c.configs[0].AdvertiseClientURLs

	cli := dialTLS(t, url, p.config("client"))
	if _, err := cli.Put(within(t, 10*time.Second), "a", "1"); err != nil {
		t.Fatal(err)
	}
	if body, err := get(p.config("client"), url+"/health"); err != nil || !strings.Contains(body, "true") {
		t.Errorf("%q, %v", body, err)
	}
	for name, try := range map[string]func() error{
		"HTTP without a certificate": func() error { _, err := get(p.config(""), url+"/health"); return err },
		"HTTP in the clear":          func() error { _, err := get(nil, strings.Replace(url, "https", "http", 1)+"/health"); return err },
		"gRPC without a certificate": func() error {
			_, err := dialTLS(t, url, p.config("")).Get(within(t, time.Second), "a")
			return err
		},
		"another's CA": func() error { _, err := get(newPapers(t).config(""), url+"/health"); return err },
		"TLS 1.1": func() error {
			old := p.config("client")
			old.MaxVersion = tls.VersionTLS11
			_, err := get(old, url+"/health")
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s was served", name)
		}
	}
	for _, want := range []string{"starting with client TLS", "starting with peer TLS", "serving client traffic securely", "rejected connection on client endpoint"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no line %q", want)
		}
	}
	if strings.Contains(log.String(), `"level":"error"`) {
		t.Errorf("a line at level error:\n%s", log.String())
	}
}

// TestForeignPeer: what reaches the peer port without a proper certificate is
// told, and hears nothing.
func TestForeignPeer(t *testing.T) {
	p := newPapers(t)
	member := p.issue("member", "127.0.0.1")
	var log syncBuffer
	c := newCluster(t, 1, overTLS(member, member), func(cfg *Config) { cfg.Logger = NewLogger(&log, slog.LevelInfo) })
	address := strings.TrimPrefix(c.configs[0].ListenPeerURLs, "https://")
	conn, err := tls.Dial("tcp", address, p.config(""))
	if err == nil { // TLS 1.3: the refusal comes with the first read
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("%v", err)
	}
	plain, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprint(plain, "GET / HTTP/1.0\r\n\r\n")
	plain.SetDeadline(time.Now().Add(5 * time.Second))
	if answer, _ := io.ReadAll(plain); bytes.Contains(answer, []byte("HTTP/1")) {
		t.Errorf("the peer port answered %q", answer)
	}
	for end := time.Now().Add(5 * time.Second); strings.Count(log.String(), "rejected connection on peer endpoint") < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not told:\n%s", log.String())
		}
	}
}

// TestSharedAddress: http and https on one port share a listener.
func TestSharedAddress(t *testing.T) {
	p := newPapers(t)
	member := p.issue("member", "127.0.0.1")
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.ClientTLS = member
		cfg.ListenClientURLs += "," + https(cfg.ListenClientURLs)
		cfg.AdvertiseClientURLs = cfg.ListenClientURLs
	})
	plain, _, _ := strings.Cut(c.configs[0].ListenClientURLs, ",")
	for url, config := range map[string]*tls.Config{plain: nil, https(plain): p.config("member")} {
		if _, err := dialTLS(t, url, config).Put(within(t, 5*time.Second), "a", "1"); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := get(config, url+"/health"); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if len(c.members[0].clients) != 1 {
		t.Errorf("%d listeners for one address", len(c.members[0].clients))
	}
}

// TestAutoTLS: members make certificates for themselves, once, with keys that
// only their owner reads.
func TestAutoTLS(t *testing.T) {
	c := newCluster(t, 3, overTLS(TLS{Auto: true}, TLS{Auto: true}))
	cli := dialTLS(t, c.configs[0].AdvertiseClientURLs, &tls.Config{InsecureSkipVerify: true})
	if _, err := cli.Put(within(t, 10*time.Second), "a", "1"); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(c.configs[0].DataDir, "fixtures", "client")
	before, err := os.ReadFile(filepath.Join(made, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(made, "key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v", info, err)
	}
	if err := c.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	c.start(0)
	c.ready(0)
	if after, _ := os.ReadFile(filepath.Join(made, "cert.pem")); !bytes.Equal(before, after) {
		t.Error("another certificate after a restart")
	}
}

// TestUnixSocketTLS: unixs is TLS over a socket file, for clients and peers.
func TestUnixSocketTLS(t *testing.T) {
	p := newPapers(t)
	member := p.issue("member", "localhost")
	dir := t.TempDir()
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.ClientTLS, cfg.PeerTLS = member, member
		cfg.ListenClientURLs = "unixs://" + filepath.Join(dir, "client.sock")
		cfg.AdvertiseClientURLs = cfg.ListenClientURLs
	})
	conn, err := net.Dial("unix", filepath.Join(dir, "client.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	config := p.config("member")
	config.ServerName = "localhost"
	secured := tls.Client(conn, config)
	fmt.Fprint(secured, "GET /version HTTP/1.0\r\n\r\n")
	if answer, err := io.ReadAll(secured); err != nil || !bytes.Contains(answer, []byte("200 OK")) {
		t.Errorf("%q, %v", answer, err)
	}
	_ = c
}

// TestCertificateRotation: a new certificate from a new authority takes effect
// for new connections, under load, with no restart.
func TestCertificateRotation(t *testing.T) {
	p := newPapers(t)
	member := p.issue("member", "127.0.0.1")
	c := newCluster(t, 3, overTLS(member, member))
	url := c.configs[0].AdvertiseClientURLs
	cli := dialTLS(t, url, p.config("member"))
	if _, err := cli.Put(within(t, 10*time.Second), "a", "1"); err != nil {
		t.Fatal(err)
	}

	next := newPapers(t)
	old, _ := os.ReadFile(p.path("ca.crt"))
	fresh, _ := os.ReadFile(next.path("ca.crt"))
	if err := pki.Replace(p.path("ca.crt"), append(old, fresh...), 0o644); err != nil { // trust both first
		t.Fatal(err)
	}
	next.issue("member", "127.0.0.1")
	for _, file := range []string{"member.key", "member.crt"} {
		content, err := os.ReadFile(next.path(file))
		if err != nil {
			t.Fatal(err)
		}
		if err := pki.Replace(p.path(file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cli.Put(within(t, 10*time.Second), "a", "2"); err != nil {
		t.Errorf("on the old connection: %v", err)
	}
	again := dialTLS(t, url, next.config("member"))
	if _, err := again.Put(within(t, 10*time.Second), "a", "3"); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	i := c.leader()
	if err := c.members[i].Stop(); err != nil { // so that peers dial with what they have now
		t.Fatal(err)
	}
	c.start(i)
	c.ready(i)
}

// TestTLSFlags: what can't work is refused with etcd's words.
func TestTLSFlags(t *testing.T) {
	for _, c := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.ListenClientURLs = "https://127.0.0.1:1" }, "TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:1 with HTTPS scheme"},
		{func(c *Config) { c.TLSMinVersion = "TLS1.1" }, `unexpected TLS version "TLS1.1"`},
		{func(c *Config) { c.TLSMinVersion, c.TLSMaxVersion = "TLS1.3", "TLS1.2" }, "min version (TLS1.3) is greater than max version (TLS1.2)"},
		{func(c *Config) { c.CipherSuites = "x" }, `unexpected TLS cipher suite "x"`},
		{func(c *Config) { c.ClientTLS.CertFile = "/none" }, "KeyFile and CertFile must both be present[key: , cert: /none]"},
	} {
		cfg := DefaultConfig()
		cfg.DataDir = filepath.Join(t.TempDir(), "data")
		cfg.Logger = slog.New(slog.DiscardHandler)
		c.edit(&cfg)
		s, err := Start(cfg)
		if err == nil {
			s.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestLocalAddress: with the gate, members dial from the address that they
// advertise, which their certificates name.
func TestLocalAddress(t *testing.T) {
	for _, c := range []struct{ gates, urls, want string }{
		{"", "http://10.0.0.1:1", "<nil>"},
		{"SetMemberLocalAddr=true", "http://127.0.0.1:1,http://10.0.0.1:1,http://10.0.0.2:1", "10.0.0.1"},
		{"SetMemberLocalAddr=true", "http://[fd00::1]:1", "fd00::1"},
		{"SetMemberLocalAddr=true", "http://n1.example:1,http://localhost:1", "<nil>"},
	} {
		cfg := DefaultConfig()
		cfg.FeatureGates, cfg.InitialAdvertisePeerURLs, cfg.InitialCluster = c.gates, c.urls, ""
		set, err := cfg.resolve()
		if err != nil {
			t.Fatal(err)
		}
		if ip, _ := set.localAddress(); fmt.Sprint(ip) != c.want {
			t.Errorf("%s %s: %v, want %s", c.gates, c.urls, ip, c.want)
		}
	}
}
