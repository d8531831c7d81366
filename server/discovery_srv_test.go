package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// zone is a name service.
type zone struct {
	srv   map[string][]*net.SRV // by service
	hosts map[string][]string
}

func (z *zone) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	records, ok := z.srv[service]
	if !ok || proto != "tcp" || name != "example.com" {
		return "", nil, errors.New("no such host")
	}
	return "", records, nil
}

func (z *zone) LookupHost(_ context.Context, host string) ([]string, error) {
	if net.ParseIP(host) != nil {
		return []string{host}, nil
	}
	if addresses := z.hosts[host]; addresses != nil {
		return addresses, nil
	}
	return nil, errors.New("no such host")
}

func record(target string, port uint16) *net.SRV { return &net.SRV{Target: target + ".", Port: port} }

func TestSRVRecords(t *testing.T) {
	hosts := map[string][]string{"a.example.com": {"10.0.0.1", "fd00::1"}, "b.example.com": {"10.0.0.2"}, "me": {"fd00::1"}}
	three := []*net.SRV{record("a.example.com", 2380), record("b.example.com", 2380), record("10.0.0.3", 2380)}
	for _, tt := range []struct {
		name, advertise, suffix string
		srv                     map[string][]*net.SRV
		listed, own, err        string
	}{
		{"by address", "http://10.0.0.1:2380", "", map[string][]*net.SRV{"etcd-server": three},
			"n=http://a.example.com:2380,0=http://b.example.com:2380,1=http://10.0.0.3:2380", "http://a.example.com:2380", ""},
		{"by name", "http://b.example.com:2380", "", map[string][]*net.SRV{"etcd-server": three},
			"0=http://a.example.com:2380,n=http://b.example.com:2380,1=http://10.0.0.3:2380", "http://b.example.com:2380", ""},
		{"by another name of the same", "http://me:2380", "", map[string][]*net.SRV{"etcd-server": three},
			"n=http://a.example.com:2380,0=http://b.example.com:2380,1=http://10.0.0.3:2380", "http://a.example.com:2380", ""},
		{"TLS, with a suffix", "https://10.0.0.2:2380", "blue", map[string][]*net.SRV{"etcd-server-ssl-blue": three[:2]},
			"0=https://a.example.com:2380,n=https://b.example.com:2380", "https://b.example.com:2380", ""},
		{"some with TLS", "http://10.0.0.2:2380", "", map[string][]*net.SRV{"etcd-server-ssl": three[:1], "etcd-server": three[1:2]},
			"0=https://a.example.com:2380,n=http://b.example.com:2380", "http://b.example.com:2380", ""},
		{"another port", "http://10.0.0.1:1", "", map[string][]*net.SRV{"etcd-server": three}, "", "", `cannot find local etcd member "n" in SRV records`},
		{"no TLS expected", "http://10.0.0.1:2380", "", map[string][]*net.SRV{"etcd-server-ssl": three[:1]}, "", "", "scheme mismatch"},
		{"no records", "http://10.0.0.1:2380", "", nil, "", "", "error querying DNS SRV records for _etcd-server-ssl no such host"},
		{"no such member", "http://10.0.0.1:2380", "", map[string][]*net.SRV{"etcd-server": {record("gone", 2380)}}, "", "", "no such host"},
	} {
		u, err := url.Parse(tt.advertise)
		if err != nil {
			t.Fatal(err)
		}
		s := &settings{Config: Config{Name: "n", DiscoverySRV: "example.com", DiscoverySRVName: tt.suffix}, advertise: []*url.URL{u}}
		m := &srvMembers{ctx: t.Context(), names: &zone{tt.srv, hosts}, settings: s}
		err = m.lookUp()
		if err == nil != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		}
		if got := strings.Join(m.listed, ","); err == nil && (got != tt.listed || strings.Join(m.own, ",") != tt.own) {
			t.Errorf("%s: %s, own %v", tt.name, got, m.own)
		}
	}
}

// Two members find each other by DNS, and after a restart without it.
func TestClusterFromDNS(t *testing.T) {
	z := &zone{hosts: map[string][]string{"one.test": {"127.0.0.1"}, "localhost": {"127.0.0.1"}}, srv: map[string][]*net.SRV{}}
	c := &cluster{t: t, configs: make([]Config, 2), members: make([]*Server, 2)}
	for i := range c.configs {
		cfg := DefaultConfig()
		cfg.Name, cfg.Logger = []string{"n1", "n2"}[i], slog.New(slog.DiscardHandler)
		cfg.DataDir = filepath.Join(t.TempDir(), cfg.Name)
		client, peer := freeURL(t), freeURL(t)
		cfg.ListenClientURLs, cfg.AdvertiseClientURLs, cfg.ListenPeerURLs, cfg.InitialAdvertisePeerURLs = client, client, peer, peer
		cfg.DiscoverySRV, cfg.names = "example.com", z
		c.configs[i] = cfg
		u, err := url.Parse(peer)
		if err != nil {
			t.Fatal(err)
		}
		port, err := net.LookupPort("tcp", u.Port())
		if err != nil {
			t.Fatal(err)
		}
		z.srv["etcd-server"] = append(z.srv["etcd-server"], record("localhost", uint16(port)))
	}
	for i := range c.configs {
		c.start(i)
	}
	for i := range c.members {
		c.ready(i)
	}
	t.Cleanup(c.stop)
	if _, err := c.client().Put(within(t, 10*time.Second), "k", "v"); err != nil {
		t.Fatal(err)
	}
	if list, err := c.client().MemberList(within(t, 10*time.Second)); err != nil || len(list.Members) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	id := c.members[0].MemberID()
	if err := c.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	z.srv = nil
	c.start(0)
	c.ready(0)
	if c.members[0].MemberID() != id {
		t.Errorf("member %x was %x", c.members[0].MemberID(), id)
	}
}
