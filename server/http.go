package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/server/api"
)

// handleProbes offers what monitors ask: is it alive, ready, and how is it?
func (b *backend) handleProbes(mux *http.ServeMux) {
	h := &healthHandler{backend: b, timeout: b.settings.requestTimeout()}
	mux.HandleFunc("/health", h.health)
	for _, probe := range []probe{livez, readyz} {
		mux.HandleFunc("/"+probe.name, func(w http.ResponseWriter, r *http.Request) { h.probe(w, r, probe, "") })
		mux.HandleFunc("/"+probe.name+"/{check}", func(w http.ResponseWriter, r *http.Request) {
			h.probe(w, r, probe, r.PathValue("check"))
		})
	}
	mux.Handle("/metrics", b.metrics.handler())
}

// serveVersion says etcd's versions, in digits and dots only.
func serveVersion(w http.ResponseWriter, r *http.Request) {
	if !allowGet(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"etcdserver":%q,"etcdcluster":%q,"storage":%q}`, api.Version, api.ClusterVersion, api.StorageVersion)
}

// allowGet refuses all but GET, even HEAD, as etcd does.
func allowGet(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet {
		return true
	}
	w.Header().Set("Allow", http.MethodGet)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	return false
}

// healthHandler asks the member how it is.
type healthHandler struct {
	backend *backend
	timeout time.Duration
}

// health is etcd's old probe: {"health":"true","reason":""}, or 503.
// ?serializable=true asks this member only, ?exclude=NOSPACE overlooks an alarm.
func (h *healthHandler) health(w http.ResponseWriter, r *http.Request) {
	if !allowGet(w, r) {
		return
	}
	query := r.URL.Query()
	reason := h.unhealthy(r.Context(), query["exclude"], query.Get("serializable") == "true")
	body, _ := json.Marshal(struct { // two strings always marshal
		Health string `json:"health"`
		Reason string `json:"reason"`
	}{fmt.Sprint(reason == ""), reason})
	h.backend.metrics.health(reason == "")
	if reason != "" {
		http.Error(w, string(body), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write(body) // a client that has left needs no answer
}

func (h *healthHandler) unhealthy(ctx context.Context, excluded []string, serializable bool) string {
	st := h.backend.Status()
	for _, a := range st.Alarms {
		if name := pb.AlarmType(a.Kind).String(); !slices.Contains(excluded, name) {
			return "ALARM " + name
		}
	}
	if !serializable && !st.HasLeader {
		return "RAFT NO LEADER"
	}
	if err := h.read(ctx, serializable); err != nil {
		return "RANGE ERROR:" + errorText(err)
	}
	return ""
}

// read asks for a view, which is all of a range that can fail. It goes by no
// client's name: probes have no password.
func (h *healthHandler) read(ctx context.Context, serializable bool) error {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	_, err := h.backend.View(ctx, !serializable)
	return api.ToGRPC(err)
}

// probe is one of the two that Kubernetes knows, with the checks it runs.
type probe struct {
	name   string
	checks []string
}

var (
	livez  = probe{"livez", []string{"serializable_read"}}
	readyz = probe{"readyz", []string{"data_corruption", "serializable_read", "linearizable_read", "non_learner"}}
)

// probe runs the checks of a probe, or one of them: /readyz/linearizable_read.
// ?verbose lists them, ?exclude= leaves one out of the whole probe.
func (h *healthHandler) probe(w http.ResponseWriter, r *http.Request, p probe, only string) {
	checks := p.checks
	if only != "" {
		if !slices.Contains(checks, only) {
			http.NotFound(w, r)
			return
		}
		checks = []string{only}
	}
	if !allowGet(w, r) {
		return
	}
	query := r.URL.Query()
	if only == "" {
		checks = slices.DeleteFunc(slices.Clone(checks), func(name string) bool { return slices.Contains(query["exclude"], name) })
	}
	report, failed := h.run(r.Context(), checks)
	h.backend.metrics.health(!failed)
	if failed {
		http.Error(w, report, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if query.Has("verbose") {
		fmt.Fprint(w, report)
	}
	fmt.Fprint(w, "ok\n")
}

func (h *healthHandler) run(ctx context.Context, checks []string) (report string, failed bool) {
	var lines strings.Builder
	for _, name := range checks {
		if err := h.check(ctx, name); err != nil {
			failed = true
			fmt.Fprintf(&lines, "[-]%s failed: %s\n", name, errorText(err))
			continue
		}
		fmt.Fprintf(&lines, "[+]%s ok\n", name)
	}
	return lines.String(), failed
}

func (h *healthHandler) check(ctx context.Context, name string) error {
	head := h.backend.Head()
	switch name {
	case "data_corruption":
		if head.Corrupt {
			return fmt.Errorf("alarm activated: CORRUPT")
		}
		return nil
	case "non_learner":
		if head.Learner {
			return fmt.Errorf("not supported for learner")
		}
		return nil
	default:
		return h.read(ctx, name == "serializable_read")
	}
}
