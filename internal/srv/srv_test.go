package srv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-db/holdfast/internal/pki"
)

// zone is DNS: records by service.
type zone map[string][]*net.SRV

func (z zone) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	records, ok := z["_"+service+"._"+proto+"."+name]
	if !ok {
		return "", nil, errors.New("no such host")
	}
	return "", records, nil
}

func lookUp(t *testing.T, q Query) []Endpoint {
	t.Helper()
	q.Log = slog.New(slog.DiscardHandler)
	found, err := Lookup(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestLookupInsecure(t *testing.T) {
	names := zone{
		"_etcd-client-ssl._tcp.example.com":  {{Target: "a.example.com.", Port: 2379, Priority: 1, Weight: 5}},
		"_etcd-client._tcp.example.com":      {{Target: "b.example.com.", Port: 2380}},
		"_etcd-client-blue._tcp.example.com": {{Target: "c.example.com.", Port: 1}},
	}
	want := []Endpoint{
		{URL: "https://a.example.com:2379", Host: "a.example.com:2379", Priority: 1, Weight: 5},
		{URL: "http://b.example.com:2380", Host: "b.example.com:2380"},
	}
	if diff := cmp.Diff(want, lookUp(t, Query{Domain: "example.com", Insecure: true, Names: names})); diff != "" {
		t.Error(diff)
	}
	want = []Endpoint{{URL: "http://c.example.com:1", Host: "c.example.com:1"}}
	if diff := cmp.Diff(want, lookUp(t, Query{Domain: "example.com", Name: "blue", Insecure: true, Names: names})); diff != "" {
		t.Error(diff)
	}
	_, err := Lookup(t.Context(), Query{Domain: "example.org", Names: names, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("a domain without records")
	}
}

// TestProof: only the endpoint with a certificate for the domain, from the authority given, counts.
func TestProof(t *testing.T) {
	dir := t.TempDir()
	ca, err := pki.NewAuthority("test", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Pair()
	if err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(caFile, pair.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	port := func(host string) uint16 {
		pair, err := ca.Issue(pki.Request{CommonName: "server", Hosts: []string{host}, Server: true, Valid: time.Hour}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		return serveTLS(t, cert)
	}
	good, bad := port("example.com"), port("example.org")
	names := zone{
		"_etcd-client-ssl._tcp.example.com": {{Target: "127.0.0.1", Port: good}, {Target: "127.0.0.1", Port: bad}},
		"_etcd-client._tcp.example.com":     {{Target: "127.0.0.1", Port: 1}},
	}
	host := fmt.Sprintf("127.0.0.1:%d", good)
	want := []Endpoint{{URL: "https://" + host, Host: host}}
	if diff := cmp.Diff(want, lookUp(t, Query{Domain: "example.com", CAFile: caFile, Names: names})); diff != "" {
		t.Error(diff)
	}
}

func serveTLS(t *testing.T, cert tls.Certificate) uint16 {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.(*tls.Conn).Handshake() // the other side judges
			}()
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}
