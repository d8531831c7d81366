package discovery

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func answer(kvs ...string) *clientv3.GetResponse {
	r := &clientv3.GetResponse{Header: &pb.ResponseHeader{Revision: 9}}
	for i := 0; i < len(kvs); i += 2 {
		r.Kvs = append(r.Kvs, &mvccpb.KeyValue{Key: []byte(kvs[i]), Value: []byte(kvs[i+1])})
	}
	return r
}

// TestRead holds what a registry means: keys and values are those that etcd 3.7.1
// wrote when it was watched.
func TestRead(t *testing.T) {
	const m = "/_etcd/registry/tok/members/"
	three := []string{m + "63cd911f2773220e", "n1=http://127.0.0.1:31201", m + "9c31d2915820e24e", "n2=http://127.0.0.1:31202",
		m + "dfcb3e37bdbf537", "n3=http://127.0.0.1:31205,n3=http://127.0.0.1:31305"}
	for name, tt := range map[string]struct {
		size    string
		members []string
		own     string
		place   bool // own is among those that count
		cluster string
		err     error
	}{
		"nobody":        {"3", nil, "63cd911f2773220e", false, "", nil},
		"one":           {"3", three[:2], "63cd911f2773220e", true, "n1=http://127.0.0.1:31201", nil},
		"all":           {"3", three, "dfcb3e37bdbf537", true, "n1=http://127.0.0.1:31201,n2=http://127.0.0.1:31202,n3=http://127.0.0.1:31205,n3=http://127.0.0.1:31305", nil},
		"the last, too": {"2", three, "9c31d2915820e24e", true, "n1=http://127.0.0.1:31201,n2=http://127.0.0.1:31202", nil},
		"too late":      {"2", three, "dfcb3e37bdbf537", false, "n1=http://127.0.0.1:31201,n2=http://127.0.0.1:31202", nil},
		"of no use": {"2", append([]string{m + "1", "rubbish", m + "2", "=http://a:1", m + "3", "a=http://a:1,b=http://b:1", m + "4/5", "x=http://a:1", m + "6", "x="}, three...),
			"9c31d2915820e24e", true, "n1=http://127.0.0.1:31201,n2=http://127.0.0.1:31202", nil},
		"no size":       {"", nil, "", false, "", ErrNoSize},
		"not a size":    {"x", nil, "", false, "", ErrBadSize},
		"none":          {"0", nil, "", false, "", ErrBadSize},
		"below none":    {"-1", nil, "", false, "", ErrBadSize},
		"two of a name": {"2", append([]string{m + "1", "n1=http://a:1"}, three...), "1", true, "", ErrSameName},
	} {
		size := answer("/_etcd/registry/tok/_config/size", tt.size)
		if tt.size == "" {
			size = answer()
		}
		r, err := read("tok", size, answer(tt.members...))
		cluster := ""
		if err == nil {
			if place := r.place(tt.own); (place != nil) != tt.place {
				t.Errorf("%s: its place is %v", name, place)
			}
			if r.revision != 9 {
				t.Errorf("%s: revision %d", name, r.revision)
			}
			cluster, err = r.cluster()
		}
		if cluster != tt.cluster || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v", name, cluster, err)
		}
	}
}

func TestSelf(t *testing.T) {
	s := Self{ID: 0xdfcb3e37bdbf537, Name: "n5", URLs: []string{"http://127.0.0.1:31305", "http://127.0.0.1:31205"}}
	if s.id() != "dfcb3e37bdbf537" || s.info() != "n5=http://127.0.0.1:31205,n5=http://127.0.0.1:31305" {
		t.Errorf("%s: %s", s.id(), s.info())
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		edit func(*Config)
		want string // part of the error; "": none
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Token = "t" }, "both --discovery-token and --discovery-endpoints must be set"},
		{func(c *Config) { c.Endpoints = "a:1" }, "both --discovery-token and --discovery-endpoints must be set"},
		{func(c *Config) { c.Token, c.Endpoints = "t", "a:1,http://b:1" }, ""},
		{func(c *Config) { c.Token, c.Endpoints = "t", "a:1," }, "--discovery-endpoints must not contain empty endpoints"},
		{func(c *Config) { c.Token, c.Endpoints = "t/u", "a:1" }, "--discovery-token must not contain a slash"},
		{func(c *Config) { c.Token, c.Endpoints, c.RequestTimeout = "t", "a:1", 0 }, "--discovery-request-timeout must be >0"},
		{func(c *Config) { c.Token, c.Endpoints, c.Cert = "t", "a:1", "x.crt" }, "both --discovery-cert and --discovery-key must be set"},
		{func(c *Config) { c.Token, c.Endpoints, c.User = "t", "a:1", "u" }, "--discovery-user needs a password, as USER:PASSWORD or with --discovery-password"},
		{func(c *Config) { c.Token, c.Endpoints, c.Password = "t", "a:1", "p" }, "--discovery-user needs a password, as USER:PASSWORD or with --discovery-password"},
		{func(c *Config) { c.Token, c.Endpoints, c.User = "t", "a:1", "u:p" }, ""},
	} {
		c := DefaultConfig()
		tt.edit(&c)
		if err := c.Check(); fmt.Sprint(err) != tt.want && !(tt.want == "" && err == nil) {
			t.Errorf("%+v: %v, want %q", c, err, tt.want)
		}
	}
}

// TestFinal: what the service refuses is not asked for again.
func TestFinal(t *testing.T) {
	c := DefaultConfig()
	c.Token, c.Endpoints, c.CACert = "t", "127.0.0.1:1", "/nowhere/ca"
	c.InsecureTransport = false
	began := time.Now()
	_, err := Join(t.Context(), c, Self{ID: 1, Name: "n", URLs: []string{"http://a:1"}}, discard())
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ca") || time.Since(began) > 5*time.Second {
		t.Errorf("a CA that isn't there: %v after %v", err, time.Since(began))
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
