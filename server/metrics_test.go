package server

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc/metadata"

	"github.com/holdfast-db/holdfast/server/state"
)

// gather reads a member's metrics, by name.
func gather(t *testing.T, s *Server) map[string]*dto.MetricFamily {
	t.Helper()
	list, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range list {
		out[f.GetName()] = f
	}
	return out
}

// value adds up a family's samples whose labels include those given: counts of
// histograms, values of the rest.
func value(f *dto.MetricFamily, labels ...string) (sum float64, samples int) {
	for _, m := range f.GetMetric() {
		var has []string
		for _, l := range m.GetLabel() {
			has = append(has, l.GetName()+"="+l.GetValue())
		}
		if slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(has, l) }) {
			continue
		}
		samples++
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum, samples
}

// busy does a bit of everything on a cluster of three and returns its members.
func busy(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 3)
	ctx := within(t, 20*time.Second)
	cli := c.client(0, 1, 2)
	lease, err := cli.Grant(ctx, 60)
	if err != nil {
		t.Fatal(err)
	}
	watch := cli.Watch(ctx, "k")
	for i := range 20 {
		if _, err := cli.Put(ctx, "k", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	<-watch
	for _, do := range []func() error{
		func() error { _, err := cli.Get(ctx, "k"); return err },
		func() error { _, err := cli.KeepAliveOnce(ctx, lease.ID); return err },
		func() error { _, err := cli.Revoke(ctx, lease.ID); return err },
		func() error { _, err := cli.Compact(ctx, 5); return err },
		func() error { _, err := cli.HashKV(ctx, c.configs[0].AdvertiseClientURLs, 0); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(1500 * time.Millisecond) // round trips are sampled each second
	return c
}

// TestEtcdsMetrics: every metric of etcd 3.7.1 is there, of the same type.
func TestEtcdsMetrics(t *testing.T) {
	content, err := os.ReadFile("testdata/etcd-3.7.1.metrics")
	if err != nil {
		t.Fatal(err)
	}
	c := busy(t)
	t.Run("dashboards", func(t *testing.T) { testDashboards(t, c) })
	if fetched := fetch(t, c.configs[0].ListenClientURLs+"/metrics"); !strings.Contains(fetched, "etcd_server_version{server_version=\"3.7.1\"} 1\n") {
		t.Errorf("/metrics: %.200s", fetched)
	}
	families := gather(t, c.members[0])
	named := 0
	for line := range strings.Lines(string(content)) {
		name, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		f := families[name]
		if f == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if got := strings.ToLower(f.GetType().String()); got != kind {
			t.Errorf("%s is a %s, in etcd a %s", name, got, kind)
		}
		named++
	}
	if named < 125 {
		t.Errorf("%d of etcd's families", named)
	}
}

// testDashboards: what etcd's published dashboard and alerts query has a value,
// summed over the members.
func testDashboards(t *testing.T, c *cluster) {
	for _, q := range []struct {
		name   string
		labels string
		more   bool // than 0; else any value will do
	}{
		{"etcd_server_has_leader", "", true},
		{"etcd_server_leader_changes_seen_total", "", true},
		{"etcd_server_proposals_applied_total", "", true},
		{"etcd_server_proposals_committed_total", "", true},
		{"etcd_server_proposals_failed_total", "", false},
		{"etcd_server_proposals_pending", "", false},
		{"etcd_server_quota_backend_bytes", "", true},
		{"etcd_mvcc_db_total_size_in_bytes", "", true},
		{"etcd_mvcc_db_total_size_in_use_in_bytes", "", true},
		{"etcd_disk_wal_fsync_duration_seconds", "", true},
		{"etcd_disk_backend_commit_duration_seconds", "", true},
		{"etcd_network_client_grpc_received_bytes_total", "", true},
		{"etcd_network_client_grpc_sent_bytes_total", "", true},
		{"etcd_network_peer_received_bytes_total", "", true},
		{"etcd_network_peer_sent_bytes_total", "", true},
		{"etcd_network_peer_sent_failures_total", "", false},
		{"etcd_network_peer_round_trip_time_seconds", "", true},
		{"grpc_server_handled_total", "grpc_type=unary grpc_code=OK", true},
		{"grpc_server_handled_total", "grpc_service=etcdserverpb.Watch grpc_type=bidi_stream", false},
		{"grpc_server_started_total", "grpc_type=unary", true},
		{"grpc_server_started_total", "grpc_service=etcdserverpb.Watch grpc_type=bidi_stream", true},
		{"grpc_server_started_total", "grpc_service=etcdserverpb.Lease grpc_type=bidi_stream", true},
		{"grpc_server_handling_seconds", "grpc_type=unary grpc_method=Put", true},
		{"process_resident_memory_bytes", "", true},
		// Beyond the published ones, what others look at.
		{"etcd_debugging_mvcc_events_total", "", true},
		{"etcd_debugging_mvcc_watcher_total", "", true},
		{"etcd_debugging_mvcc_compact_revision", "", true},
		{"etcd_debugging_mvcc_db_compaction_last", "", true},
		{"etcd_debugging_lease_granted_total", "", true},
		{"etcd_debugging_lease_renewed_total", "", true},
		{"etcd_debugging_lease_revoked_total", "", true},
		{"etcd_debugging_lease_ttl_total", "", true},
		{"etcd_server_request_duration_seconds", "type=Put success=true", true},
		{"etcd_server_apply_duration_seconds", "version=v3", true},
		{"etcd_server_range_duration_seconds", "success=true", true},
		{"etcd_server_client_requests_total", "type=unary client_api_version=3.7", true},
		{"etcd_server_feature_enabled", "name=FastLeaseKeepAlive stage=BETA", true},
		{"etcd_mvcc_put_total", "", true},
		{"etcd_mvcc_hash_rev_duration_seconds", "", true},
		{"etcd_network_active_peers", "", true},
		{"os_fd_used", "", true},
		{"os_fd_limit", "", true},
	} {
		total, samples := 0.0, 0
		for _, s := range c.members {
			v, n := value(gather(t, s)[q.name], strings.Fields(q.labels)...)
			total, samples = total+v, samples+n
		}
		if samples == 0 || q.more && total == 0 {
			t.Errorf("%s %s: %d samples, %g in all", q.name, q.labels, samples, total)
		}
	}
}

// TestMetricsDocument: every metric of ours has a row in the document, and every
// row a metric.
func TestMetricsDocument(t *testing.T) {
	content, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)`").FindAllStringSubmatch(string(content), -1) {
		rows[m[1]] = true
	}
	families := gather(t, newCluster(t, 1).members[0])
	perPeer := []string{ // there only once there are others
		"etcd_network_active_peers", "etcd_network_peer_sent_bytes_total", "etcd_network_peer_received_bytes_total", "etcd_network_peer_sent_failures_total",
		"etcd_network_peer_received_failures_total", "etcd_network_peer_round_trip_time_seconds", "holdfast_peer_round_trip_seconds",
		"etcd_server_client_requests_total",                                                    // there once there were requests
		"promhttp_metric_handler_requests_in_flight", "promhttp_metric_handler_requests_total", // and scrapes
	}
	for _, name := range perPeer {
		families[name] = nil
	}
	for name := range families {
		if !rows[name] && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("docs/metrics.md has no row for %s", name)
		}
	}
	for name := range rows {
		if _, there := families[name]; !there {
			t.Errorf("docs/metrics.md explains %s, which isn't there", name)
		}
	}
}

// TestClientVersions: what clients say of themselves can't make metrics without
// bound.
func TestClientVersions(t *testing.T) {
	c := clientVersions{vec: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x"}, []string{"type", "version"})}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c.vec)
	say := func(version string) {
		c.inc(metadata.NewIncomingContext(t.Context(), metadata.Pairs("client-api-version", version)), "unary")
	}
	for i := range 1000 {
		say(fmt.Sprintf("3.%d", i))
		say(fmt.Sprintf("nonsense %d", i))
	}
	c.inc(t.Context(), "unary")
	list, err := registry.Gather()
	if err != nil || len(list[0].Metric) > clientVersionsMax+1 {
		t.Errorf("%d versions, %v", len(list[0].Metric), err)
	}
	if sum, _ := value(list[0]); sum != 2001 {
		t.Errorf("%g requests of 2001", sum)
	}
}

func TestRequestTimer(t *testing.T) {
	timer := requestTimer{vec: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "x"}, []string{"type", "success"})}
	registry := prometheus.NewRegistry()
	registry.MustRegister(timer.vec)
	timer.observe(&state.CompactRequest{}, true, time.Now())
	timer.observe(&state.CompactRequest{}, false, time.Now())
	timer.observe(&state.LeaseGrantRequest{}, true, time.Now())
	list, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, labels := range []string{"type=Compaction success=true", "type=Compaction success=false", "type=LeaseGrant success=true"} {
		if n, _ := value(list[0], strings.Fields(labels)...); n != 1 {
			t.Errorf("%s: %g", labels, n)
		}
	}
}
