package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fetch asks over HTTP and returns the status and the body, or an error's text.
func fetch(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t, 5*time.Second), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return "error"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

// TestHTTPApart: with addresses for HTTP, those for clients are gRPC's alone.
func TestHTTPApart(t *testing.T) {
	apart := freeURL(t)
	c := newCluster(t, 1, func(c *Config) { c.ListenClientHTTPURLs = apart })
	if _, err := c.client(0).Put(within(t, 5*time.Second), "k", "v"); err != nil {
		t.Errorf("gRPC where it belongs: %v", err)
	}
	if got := fetch(t, c.configs[0].ListenClientURLs+"/version"); got != "error" {
		t.Errorf("HTTP on the address of gRPC: %s", got)
	}
	if got := fetch(t, apart+"/version"); !strings.HasPrefix(got, `200 {"etcdserver":"3.7.1"`) {
		t.Errorf("HTTP on its own address: %s", got)
	}
	c.configs[0].AdvertiseClientURLs = apart
	if _, err := c.client(0).Get(within(t, 300*time.Millisecond), "k"); err == nil {
		t.Error("gRPC on the address of HTTP")
	}
}

// TestMonitors: probes and metrics on addresses of their own, from before the
// member is ready, and nothing else.
func TestMonitors(t *testing.T) {
	cfg := DefaultConfig()
	cfg.DataDir = filepath.Join(t.TempDir(), "d")
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.ListenClientURLs, cfg.ListenPeerURLs, cfg.ListenMetricsURLs = freeURL(t), freeURL(t), freeURL(t)
	cfg.AdvertiseClientURLs, cfg.InitialAdvertisePeerURLs = cfg.ListenClientURLs, cfg.ListenPeerURLs
	cfg.InitialCluster = "default=" + cfg.ListenPeerURLs + ",other=" + freeURL(t) // which never starts
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if got := fetch(t, cfg.ListenMetricsURLs+"/livez"); got != "error" {
			t.Errorf("after the stop: %s", got)
		}
	}()
	for path, want := range map[string]string{
		"/livez":              "200 ok\n",
		"/health":             "503 " + `{"health":"false","reason":"RAFT NO LEADER"}`,
		"/metrics":            "200 # HELP ",
		"/version":            "404 ",
		"/v3/kv/range":        "404 ",
		"/debug/vars":         "404 ",
		"/readyz/non_learner": "200 ok\n",
	} {
		if got := fetch(t, cfg.ListenMetricsURLs+path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %.100s, want %s", path, got, want)
		}
	}
	if got := s.MetricsAddrs(); len(got) != 1 || "http://"+got[0] != cfg.ListenMetricsURLs {
		t.Errorf("addresses %v", got)
	}
}
