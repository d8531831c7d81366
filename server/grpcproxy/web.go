package grpcproxy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// web answers over HTTP/1.1: for the members behind the proxy (/health, /metrics)
// and for the proxy itself (/proxy/health, /proxy/metrics).
type web struct {
	members *clientv3.Client
	self    *clientv3.Client // through the proxy
	meter   *meter
	http    *http.Client // for a member's /metrics
	secure  bool         // members without a scheme have TLS
}

func newWeb(members, self *clientv3.Client, m *meter, config *tls.Config) *web {
	return &web{members, self, m, &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}, config != nil}
}

func (w *web) handler(profile bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", w.serveMembersMetrics)
	mux.HandleFunc("/health", func(rw http.ResponseWriter, r *http.Request) { serveHealth(rw, r, w.membersHealth) })
	mux.Handle("/proxy/metrics", promhttp.HandlerFor(w.meter.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/proxy/health", func(rw http.ResponseWriter, r *http.Request) { serveHealth(rw, r, w.proxyHealth) })
	if profile {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// serveHealth answers as a member does; the reason is "" where all is well.
func serveHealth(rw http.ResponseWriter, r *http.Request, check func(context.Context) (reason string)) {
	if r.Method != http.MethodGet {
		rw.Header().Set("Allow", http.MethodGet)
		http.Error(rw, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	answer := struct {
		Health string `json:"health"`
		Reason string `json:"reason"`
	}{"true", check(r.Context())}
	code := http.StatusOK
	if answer.Reason != "" {
		answer.Health, code = "false", http.StatusServiceUnavailable
	}
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	_, _ = rw.Write(body) // whoever asked has gone, or not
}

// membersHealth asks for a key. That nobody may read it without a name is an
// answer, too.
func (w *web) membersHealth(ctx context.Context) string { return get(ctx, w.members) }

func get(ctx context.Context, c *clientv3.Client) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := c.Get(ctx, "a")
	for _, fine := range []error{nil, rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty} {
		if errors.Is(err, fine) {
			return ""
		}
	}
	return "GET ERROR:" + err.Error()
}

// proxyHealth goes through the proxy's own front, and opens a watch as well.
func (w *web) proxyHealth(ctx context.Context) string {
	if reason := get(ctx, w.self); reason != "" {
		return reason
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	select {
	case <-w.self.Watch(ctx, "a", clientv3.WithCreatedNotify()):
		return ""
	case <-ctx.Done():
		return "WATCH TIMEOUT"
	}
}

// serveMembersMetrics shows those of a member, any that answers.
func (w *web) serveMembersMetrics(rw http.ResponseWriter, r *http.Request) {
	endpoints := w.members.Endpoints()
	for _, i := range rand.Perm(len(endpoints)) {
		resp, err := w.ask(r.Context(), w.url(endpoints[i])+"/metrics")
		if err != nil {
			continue
		}
		defer resp.Body.Close()
		rw.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body) // whoever asked has gone, or not
		return
	}
	http.Error(rw, "no member answered", http.StatusBadGateway)
}

func (w *web) ask(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return w.http.Do(req)
}

func (w *web) url(endpoint string) string {
	switch {
	case strings.Contains(endpoint, "://"):
		return endpoint
	case w.secure:
		return "https://" + endpoint
	}
	return "http://" + endpoint
}
