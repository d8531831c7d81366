package grpcproxy

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/holdfast-db/holdfast/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startProxy runs one before members.
func startProxy(t *testing.T, member string, change ...func(*Config)) *Proxy {
	t.Helper()
	c := DefaultConfig()
	c.Endpoints, c.ListenAddr, c.AdvertiseURL = []string{member}, "127.0.0.1:0", ""
	for _, f := range change {
		f(&c)
	}
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func connect(t *testing.T, address string, change ...func(*clientv3.Config)) *clientv3.Client {
	t.Helper()
	config := clientv3.Config{Endpoints: []string{address}, Logger: zap.NewNop(), DialTimeout: 5 * time.Second}
	for _, f := range change {
		f(&config)
	}
	c, err := clientv3.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// behind starts a member and a proxy and connects to both.
func behind(t *testing.T, change ...func(*Config)) (p *Proxy, through, direct *clientv3.Client) {
	t.Helper()
	member, _ := servertest.Start(t)
	p = startProxy(t, member, change...)
	return p, connect(t, p.Addr()), connect(t, member)
}

// soon is a context for what must not hang.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must[V any](v V, err error) func(testing.TB) V {
	return func(t testing.TB) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// value reads a metric of the proxy.
func value(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

// scrape reads a metric without labels over HTTP.
func scrape(t *testing.T, url, name string) float64 {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(body)
	if m == nil {
		t.Fatalf("%s has no %s", url, name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// memberWatchers is how many watchers a member has.
func memberWatchers(t *testing.T, member string) (n int) {
	t.Helper()
	return int(scrape(t, "http://"+member+"/metrics", "etcd_debugging_mvcc_watcher_total"))
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened that %s", what)
		}
	}
}
