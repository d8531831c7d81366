package tlsconf

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/pki"
)

const year = 365 * 24 * time.Hour

// house is an authority and a folder for what it signs.
type house struct {
	t   *testing.T
	dir string
	ca  *pki.Authority
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ca, err := pki.NewAuthority("CA", time.Now(), 10*year)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: t.TempDir(), ca: ca}
	pair, err := ca.Pair()
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(h.path("ca.crt"), h.path("ca.key")); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

// issue writes NAME.crt and NAME.key and returns files that show them.
func (h *house) issue(name string, valid time.Duration, hosts ...string) Files {
	h.t.Helper()
	pair, err := h.ca.Issue(pki.Request{CommonName: name, Hosts: hosts, Server: true, Client: true, Valid: valid}, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	f := Files{Cert: h.path(name + ".crt"), Key: h.path(name + ".key"), CA: h.path("ca.crt")}
	if err := pair.Write(f.Cert, f.Key); err != nil {
		h.t.Fatal(err)
	}
	return f
}

func (h *house) revoke(name string, certs ...string) string {
	h.t.Helper()
	var list []*x509.Certificate
	for _, file := range certs {
		cert, err := pki.LoadCertificate(file)
		if err != nil {
			h.t.Fatal(err)
		}
		list = append(list, cert)
	}
	der, err := h.ca.Revoke(list, time.Now(), year)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := pki.Replace(h.path(name), der, 0o644); err != nil {
		h.t.Fatal(err)
	}
	return h.path(name)
}

func source(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// meet shakes hands over loopback, and says a byte: in TLS 1.3 a client learns
// only then that it was refused. It returns what either side got.
func meet(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		secured := tls.Server(conn, server)
		if err := secured.Handshake(); err != nil {
			done <- err
			return
		}
		_, err = secured.Write([]byte{1})
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, clientErr = tls.Client(conn, client).Read(make([]byte, 1))
	conn.Close()
	return <-done, clientErr
}

func says(err error, text string) bool {
	if text == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), text)
}

// names resolves from a table, in both directions.
type names map[string][]string

func (n names) LookupAddr(_ context.Context, address string) ([]string, error) {
	return n[address], nil
}

func (n names) LookupHost(_ context.Context, host string) ([]string, error) {
	if n[host] == nil {
		return nil, errors.New("no such host")
	}
	return n[host], nil
}

// TestWhoMayConnect: every rule, with one certificate that it refuses.
func TestWhoMayConnect(t *testing.T) {
	h := newHouse(t)
	here := h.issue("here", year, "127.0.0.1", "localhost")
	away := h.issue("away", year, "10.9.8.7")
	named := h.issue("named", year, "named.example")
	wild := h.issue("wild", year, "*.pods.example")
	bare := h.issue("bare", year)
	old := h.issue("old", -time.Minute, "127.0.0.1")
	gone := h.issue("gone", year, "127.0.0.1")
	crl := h.revoke("list.crl", gone.Cert)
	stranger := newHouse(t).issue("here", year, "127.0.0.1")

	for _, c := range []struct {
		name   string
		edit   func(*Options)
		client Files
		server string // the server's error
		told   string // the client's
	}{
		{"anybody whom the CA knows", nil, bare, "", ""},
		{"another CA's", nil, stranger, "unknown authority", "certificate"},
		{"nobody without certificate", nil, Files{}, "client didn't provide a certificate", "certificate required"},
		{"no certificate wanted", func(o *Options) { o.CA = "" }, Files{}, "", ""},
		{"expired", nil, old, "expired", "certificate"},
		{"revoked", func(o *Options) { o.CRL = crl }, gone, "revoked", "bad certificate"},
		{"not revoked", func(o *Options) { o.CRL = crl }, here, "", ""},
		{"common name", func(o *Options) { o.AllowedCNs = []string{"x", "here"} }, here, "", ""},
		{"another common name", func(o *Options) { o.AllowedCNs = []string{"x", "here"} }, away, "client certificate authentication failed", "bad certificate"},
		{"host name", func(o *Options) { o.AllowedHostnames = []string{"localhost"} }, here, "", ""},
		{"another host name", func(o *Options) { o.AllowedHostnames = []string{"localhost"} }, away, "client certificate authentication failed", "bad certificate"},
		{"from its address", func(o *Options) { o.CheckAddress = true }, here, "", ""},
		{"from another address", func(o *Options) { o.CheckAddress = true }, away, "x509: certificate is valid for 10.9.8.7, not 127.0.0.1", "bad certificate"},
		{"names no address", func(o *Options) { o.CheckAddress = true }, bare, "", ""},
		{"its name leads here", func(o *Options) { o.CheckAddress, o.Resolver = true, names{"named.example": {"127.0.0.1"}} }, named, "", ""},
		{"the address has its name", func(o *Options) { o.CheckAddress, o.Resolver = true, names{"127.0.0.1": {"named.example."}} }, named, "", ""},
		{"the address has its name, unheard", func(o *Options) {
			o.CheckAddress, o.NoReverseDNS, o.Resolver = true, true, names{"127.0.0.1": {"named.example."}}
		}, named, "does not match any of DNSNames", "bad certificate"},
		{"its name leads elsewhere", func(o *Options) { o.CheckAddress, o.Resolver = true, names{"named.example": {"10.0.0.1"}} }, named,
			`"127.0.0.1" does not match any of DNSNames ["named.example"]`, "bad certificate"},
		{"a wildcard", func(o *Options) { o.CheckAddress, o.Resolver = true, names{"127.0.0.1": {"a.pods.example."}} }, wild, "", ""},
		{"a wildcard of others", func(o *Options) { o.CheckAddress, o.Resolver = true, names{"127.0.0.1": {"xpods.example."}} }, wild, "does not match", "bad certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Files: here}
			if c.edit != nil {
				c.edit(&o)
			}
			client := &tls.Config{InsecureSkipVerify: true}
			if c.client.Cert != "" {
				client = source(t, Options{Files: Files{Cert: c.client.Cert, Key: c.client.Key}, SelfMade: true}).Client("")
			}
			server, told := meet(t, source(t, o).Server(), client)
			if !says(server, c.server) || !says(told, c.told) {
				t.Errorf("server %v, want %q; client %v, want %q", server, c.server, told, c.told)
			}
		})
	}
}

// TestWhomWeDial: the side that dials judges, too.
func TestWhomWeDial(t *testing.T) {
	h := newHouse(t)
	here := h.issue("here", year, "127.0.0.1", "localhost")
	gone := h.issue("gone", year, "localhost")
	crl := h.revoke("list.crl", gone.Cert)
	stranger := newHouse(t).issue("here", year, "localhost")
	for _, c := range []struct {
		name   string
		edit   func(*Options)
		host   string
		server Files
		want   string
	}{
		{"address", nil, "127.0.0.1", here, ""},
		{"name", nil, "localhost", here, ""},
		{"another name", nil, "n2.example", here, "x509: certificate is valid for localhost, not n2.example"},
		{"another CA", nil, "localhost", stranger, "unknown authority"},
		{"self-made", func(o *Options) { o.SelfMade = true }, "localhost", stranger, ""},
		{"revoked", func(o *Options) { o.CRL = crl }, "localhost", gone, "revoked"},
		{"common name", func(o *Options) { o.AllowedCNs = []string{"gone"} }, "localhost", here, "client certificate authentication failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Files: here}
			if c.edit != nil {
				c.edit(&o)
			}
			server := source(t, Options{Files: Files{Cert: c.server.Cert, Key: c.server.Key}}).Server()
			if _, err := meet(t, server, source(t, o).Client(c.host)); !says(err, c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestVersions: the oldest and the newest version hold on both sides.
func TestVersions(t *testing.T) {
	h := newHouse(t)
	here := h.issue("here", year, "127.0.0.1")
	dial := func(from, to uint16) *tls.Config {
		c := source(t, Options{Files: here}).Client("127.0.0.1")
		c.MinVersion, c.MaxVersion = from, to
		return c
	}
	for _, c := range []struct {
		name     string
		from, to uint16
		client   *tls.Config
		ok       bool
	}{
		{"default takes 1.2", 0, 0, dial(0, tls.VersionTLS12), true},
		{"default refuses 1.1", 0, 0, dial(tls.VersionTLS10, tls.VersionTLS11), false},
		{"1.3 refuses 1.2", tls.VersionTLS13, 0, dial(0, tls.VersionTLS12), false},
		{"1.2 alone refuses 1.3", 0, tls.VersionTLS12, dial(tls.VersionTLS13, 0), false},
	} {
		server := source(t, Options{Files: here, MinVersion: c.from, MaxVersion: c.to}).Server()
		if err, _ := meet(t, server, c.client); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestReload: certificate, CA and list are those of the moment; a set that isn't
// whole leaves the last one in use and is told once.
func TestReload(t *testing.T) {
	h := newHouse(t)
	here := h.issue("here", year, "127.0.0.1")
	user := h.issue("user", year, "127.0.0.1")
	here.CRL = h.revoke("list.crl")
	var log bytes.Buffer
	s := source(t, Options{Files: here, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	server := s.Server()
	client := source(t, Options{Files: user, SelfMade: true})
	shown := func() (serial string, err error) {
		c := client.Client("127.0.0.1")
		c.VerifyConnection = func(state tls.ConnectionState) error {
			serial = state.PeerCertificates[0].SerialNumber.String()
			return nil
		}
		err, _ = meet(t, server, c)
		return serial, err
	}
	first, err := shown()
	if err != nil {
		t.Fatal(err)
	}

	key, _ := os.ReadFile(here.Key)
	h.issue("here", year, "127.0.0.1")
	newKey, _ := os.ReadFile(here.Key)
	if err := pki.Replace(here.Key, key, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if again, err := shown(); err != nil || again != first {
			t.Fatalf("a new certificate beside the old key: %v, %v", again == first, err)
		}
	}
	if n := strings.Count(log.String(), "cannot load changed TLS files"); n != 1 {
		t.Errorf("told %d times: %s", n, &log)
	}
	if err := pki.Replace(here.Key, newKey, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := shown(); err != nil || again == first {
		t.Fatalf("a new pair is not shown: %v", err)
	}

	h.revoke("list.crl", user.Cert)
	if _, err := shown(); !says(err, "revoked") {
		t.Fatalf("revoked while running: %v", err)
	}
	if err := os.Remove(here.CRL); err != nil {
		t.Fatal(err)
	}
	if _, err := shown(); !says(err, "revoked") {
		t.Fatalf("without the list's file: %v", err)
	}
	h.revoke("list.crl")
	if _, err := shown(); err != nil {
		t.Fatalf("restored: %v", err)
	}

	other := newHouse(t)
	ca, _ := os.ReadFile(other.path("ca.crt"))
	if err := pki.Replace(here.CA, ca, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := shown(); !says(err, "unknown authority") {
		t.Fatalf("after the CA was replaced: %v", err)
	}
}

// TestResumedSession: a session that was good may have been revoked since.
func TestResumedSession(t *testing.T) {
	h := newHouse(t)
	here, user := h.issue("here", year, "127.0.0.1"), h.issue("user", year)
	now := time.Now()
	server := source(t, Options{Files: here, Now: func() time.Time { return now }}).Server()
	client := source(t, Options{Files: user}).Client("127.0.0.1")
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	resumed := false
	client.VerifyConnection = func(state tls.ConnectionState) error { resumed = state.DidResume; return nil }
	for range 2 {
		if err, told := meet(t, server, client); err != nil || told != nil {
			t.Fatal(err, told)
		}
	}
	if !resumed {
		t.Fatal("the session was not resumed")
	}
	now = now.Add(2 * year)
	if err, _ := meet(t, server, client); !says(err, "expired") {
		t.Errorf("a resumed session with an expired certificate: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	h := newHouse(t)
	here, other := h.issue("here", year), h.issue("other", year)
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no key", Options{Files: Files{Cert: here.Cert}}, "KeyFile and CertFile must both be present"},
		{"half a client pair", Options{Files: Files{Cert: here.Cert, Key: here.Key, ClientCert: here.Cert}}, "ClientKeyFile and ClientCertFile must both be present"},
		{"another's key", Options{Files: Files{Cert: here.Cert, Key: other.Key}}, "private key does not match"},
		{"no CA there", Options{Files: Files{Cert: here.Cert, Key: here.Key, CA: h.path("none")}}, "no such file"},
		{"a key as CA", Options{Files: Files{Cert: here.Cert, Key: here.Key, CA: here.Key}}, "no certificate"},
		{"a CA as list", Options{Files: Files{Cert: here.Cert, Key: here.Key, CRL: here.CA}}, "revocation list"},
		{"two lists", Options{Files: here, AllowedCNs: []string{"a"}, AllowedHostnames: []string{"b"}}, "mutually exclusive"},
	} {
		if _, err := New(c.o); !says(err, c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"TLS1.2", "", ""},
		{"TLS1.2", "TLS1.3", ""},
		{"TLS1.3", "TLS1.2", "min version (TLS1.3) is greater than max version (TLS1.2)"},
		{"TLS1.1", "", `unexpected TLS version "TLS1.1" (must be one of: TLS1.2, TLS1.3)`},
	} {
		if _, _, err := Versions(c.from, c.to); !says(err, c.want) {
			t.Errorf("%s to %s: %v, want %q", c.from, c.to, err, c.want)
		}
	}
	for _, c := range []struct {
		list string
		from uint16
		want string
	}{
		{"", tls.VersionTLS13, ""},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", 0, ""},
		{"TLS_NO_SUCH", 0, `unexpected TLS cipher suite "TLS_NO_SUCH"`},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", tls.VersionTLS13, "cipher suites cannot be configured when only TLS1.3 is enabled"},
	} {
		if _, err := CipherSuites(c.list, c.from); !says(err, c.want) {
			t.Errorf("%s: %v, want %q", c.list, err, c.want)
		}
	}
}

// FuzzRevoked: a list from outside gives serial numbers or an error.
func FuzzRevoked(f *testing.F) {
	ca, err := pki.NewAuthority("CA", time.Now(), year)
	if err != nil {
		f.Fatal(err)
	}
	der, err := ca.Revoke([]*x509.Certificate{ca.Cert}, time.Now(), year)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add([]byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		serials, _, err := parseRevoked(content)
		if err == nil && serials == nil {
			t.Error("neither serials nor an error")
		}
	})
}
