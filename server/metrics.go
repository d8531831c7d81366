package server

import (
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/api"
)

// metrics are a member's, in a registry of its own (several members can live in
// one process). Names and meanings are etcd's where etcd has the thing, so that
// its dashboards and alerts work.
type metrics struct {
	registry *prometheus.Registry
	scrapes  sync.Once
	pages    http.Handler
	rpcs     map[string]*rpcMetrics // by full method; fixed after register

	pending         prometheus.Gauge
	proposalsFailed prometheus.Counter
	leaderChanges   prometheus.Counter
	readsFailed     prometheus.Counter
	sendFailures    prometheus.Counter
	healthy         prometheus.Counter
	unhealthy       prometheus.Counter
	times           times
	requestTimes    requestTimer
	rangeTimes      [2]prometheus.Observer // of failures, of successes
	clientVersions  clientVersions
	leasesGranted   prometheus.Counter
	leasesRevoked   prometheus.Counter
	leasesRenewed   prometheus.Counter
	appliedBatches  prometheus.Observer
	slowApply       time.Duration // an apply that takes longer is slow
	slowApplies     prometheus.Counter
	slowReads       prometheus.Counter
	eventsSent      prometheus.Counter
	defragging      prometheus.Gauge
	receiving       prometheus.Gauge
	watchStreams    prometheus.Gauge
	clientReceived  prometheus.Counter
	clientSent      prometheus.Counter
	operations      map[string]prometheus.Counter // by full method
}

func newMetrics(slowApply time.Duration) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), rpcs: map[string]*rpcMetrics{}}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.pending = m.gauge("etcd_server_proposals_pending", "The current number of pending proposals to commit.")
	m.proposalsFailed = m.counter("etcd_server_proposals_failed_total", "The total number of failed proposals seen.")
	m.leaderChanges = m.counter("etcd_server_leader_changes_seen_total", "The number of leader changes seen.")
	m.readsFailed = m.counter("etcd_server_read_indexes_failed_total", "The total number of failed read index rounds seen.")
	m.sendFailures = m.counter("etcd_server_heartbeat_send_failures_total", "The total number of times that messages to a peer could not be sent.")
	m.healthy = m.counter("etcd_server_health_success", "The total number of successful health checks.")
	m.unhealthy = m.counter("etcd_server_health_failures", "The total number of failed health checks.")
	m.watchStreams = m.gauge("etcd_debugging_mvcc_watch_stream_total", "Total number of watch streams.")
	m.clientReceived = m.counter("etcd_network_client_grpc_received_bytes_total", "The total number of bytes received from grpc clients.")
	m.clientSent = m.counter("etcd_network_client_grpc_sent_bytes_total", "The total number of bytes sent to grpc clients.")
	m.times = m.newTimes()
	m.requestTimes.vec = m.times.requests
	for i := range m.rangeTimes {
		m.rangeTimes[i] = m.times.ranges.WithLabelValues(strconv.FormatBool(i == 1))
	}
	m.slowApply = slowApply
	m.appliedBatches = m.times.applied.WithLabelValues("v3", "Batch", "true")
	m.leasesGranted = m.counter("etcd_debugging_lease_granted_total", "The total number of leases granted at the request of this member's clients.")
	m.leasesRevoked = m.counter("etcd_debugging_lease_revoked_total", "The total number of leases revoked at the request of this member's clients.")
	m.leasesRenewed = m.counter("etcd_debugging_lease_renewed_total", "The number of leases renewed by this member's clients.")
	m.slowApplies = m.counter("etcd_server_slow_apply_total", "The total number of batches that took longer to apply than --warning-apply-duration.")
	m.slowReads = m.counter("etcd_server_slow_read_indexes_total", "The total number of linearizable reads that waited longer than 500 ms for their index.")
	promoted := m.counter("etcd_server_learner_promote_successes", "The total number of learners promoted at the request of this member's clients.")
	m.eventsSent = m.counter("etcd_debugging_mvcc_events_total", "Total number of events sent by this member.")
	m.defragging = m.gauge("etcd_disk_defrag_inflight", "Whether or not defrag is active on the member. 1 means active, 0 means not.")
	m.receiving = m.gauge("etcd_server_snapshot_apply_in_progress_total", "1 if a snapshot is being received. 0 if none.")
	m.clientVersions.vec = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "etcd_server_client_requests_total", Help: "The total number of client requests per client version.",
	}, []string{"type", "client_api_version"})
	m.registry.MustRegister(m.clientVersions.vec)
	m.registerAbsent()
	m.operations = map[string]prometheus.Counter{
		"/etcdserverpb.KV/Put":                m.counter("etcd_mvcc_put_total", "Total number of puts asked of this member."),
		"/etcdserverpb.KV/DeleteRange":        m.counter("etcd_mvcc_delete_total", "Total number of deletes asked of this member."),
		"/etcdserverpb.KV/Range":              m.counter("etcd_mvcc_range_total", "Total number of ranges asked of this member."),
		"/etcdserverpb.Cluster/MemberPromote": promoted,
		"/etcdserverpb.KV/Txn":                m.counter("etcd_mvcc_txn_total", "Total number of txns asked of this member."),
	}
	return m
}

// handler answers scrapes, and counts them.
func (m *metrics) handler() http.Handler {
	m.scrapes.Do(func() {
		m.pages = promhttp.InstrumentMetricHandler(m.registry, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	})
	return m.pages
}

func (m *metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.registry.MustRegister(g)
	return g
}

func (m *metrics) gaugeFunc(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// fact is a gauge that is always 1 and says something in its label.
func (m *metrics) fact(name, help, label, value string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: name, Help: help, ConstLabels: prometheus.Labels{label: value},
	}, func() float64 { return 1 }))
}

// observe adds what is read off the member when somebody asks.
func (m *metrics) observe(b *backend) {
	m.fact("etcd_server_id", "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.", "server_id", hex(b.settings.member))
	m.fact("etcd_server_version", "Which version is running. 1 for 'server_version' label with current version.", "server_version", api.Version)
	m.fact("etcd_server_go_version", "Which Go version server is running with. 1 for 'server_go_version' label with current version.", "server_go_version", runtime.Version())
	m.fact("etcd_cluster_version", "Which version is running. 1 for 'cluster_version' label with current cluster version.", "cluster_version", "3.7")

	m.gaugeFunc("etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", func() float64 { return flag(b.Head().HasLeader) })
	m.gaugeFunc("etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", func() float64 {
		st := b.head.raft.Load()
		return flag(st != nil && st.Role == raft.Leader)
	})
	m.gaugeFunc("etcd_server_is_learner", "Whether or not this member is a learner. 1 if is, 0 otherwise.", func() float64 { return flag(b.Head().Learner) })
	m.gaugeFunc("etcd_server_proposals_committed_total", "The total number of consensus proposals committed.", func() float64 { return float64(b.Status().Raft.Commit) })
	m.gaugeFunc("etcd_server_proposals_applied_total", "The total number of consensus proposals applied.", func() float64 { return float64(b.head.applied.Load()) })
	m.gaugeFunc("holdfast_response_memory_bytes", "Bytes that responses hold while they are put together and sent.", func() float64 { return float64(b.responses.Held()) })
	m.gaugeFunc("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.", func() float64 { return float64(b.settings.quota()) })
	m.gaugeFunc("etcd_mvcc_db_total_size_in_bytes", "Total logical size of the key space in bytes.", func() float64 { return float64(b.head.bytes.Load()) })
	m.gaugeFunc("etcd_mvcc_db_total_size_in_use_in_bytes", "Total logical size of the key space that is in use, in bytes.", func() float64 { return float64(b.head.inUse.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_keys_total", "Total number of keys.", func() float64 { return float64(b.head.keys.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_current_revision", "The current revision of store.", func() float64 { return float64(b.head.revision.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.", func() float64 { return float64(b.head.compact.Load()) })
	m.gaugeFunc("etcd_disk_wal_write_bytes_total", "Total number of bytes written to the log, whole blocks.", func() float64 { return float64(b.head.logBytes.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_watcher_total", "Total number of watchers.", func() float64 { return float64(b.head.watchers.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_slow_watcher_total", "Total number of watchers that catch up with history.", func() float64 { return float64(b.head.watchersBehind.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_pending_events_total", "Total number of watchers that have events still to be sent.", func() float64 { return float64(b.head.watchersBehind.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_total_put_size_in_bytes", "The total size of all versions of all keys.", func() float64 { return float64(b.head.bytes.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_db_compaction_last", "The unix time of the last db compaction. Resets to 0 on start.", func() float64 { return float64(b.head.compacted.Load()) })
	m.gaugeFunc("etcd_debugging_auth_revision", "The current revision of auth store.", func() float64 { return float64(b.head.authRevision.Load()) })
	m.gaugeFunc("os_fd_used", "The number of used file descriptors.", func() float64 { used, _ := descriptors(); return float64(used) })
	m.gaugeFunc("os_fd_limit", "The file descriptor limit.", func() float64 { _, limit := descriptors(); return float64(limit) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "etcd_debugging_server_lease_expired_total", Help: "The total number of leases that this member found expired while it led.",
	}, func() float64 { return float64(b.head.expired.Load()) }))
	m.observeGates(b.settings.gates)
	m.registry.MustRegister(peerCollector{b})
}

// observeGates says which features are on.
func (m *metrics) observeGates(on map[string]bool) {
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "etcd_server_feature_enabled", Help: "Whether or not a feature is enabled. 1 is enabled, 0 is not.",
	}, []string{"name", "stage"})
	m.registry.MustRegister(vec)
	for _, g := range gates {
		vec.WithLabelValues(g.name, g.stage()).Set(flag(on[g.name]))
	}
}

// trace counts what raft did.
func (m *metrics) trace(ev raft.Event) {
	switch ev.Kind {
	case raft.EventBecameLeader:
		m.leaderChanges.Inc()
	case raft.EventBecameFollower:
		if ev.Peer != 0 {
			m.leaderChanges.Inc()
		}
	case raft.EventRoundFailed:
		m.readsFailed.Inc()
	}
}

func (m *metrics) health(ok bool) {
	if ok {
		m.healthy.Inc()
	} else {
		m.unhealthy.Inc()
	}
}

func flag(v bool) float64 {
	if v {
		return 1
	}
	return 0
}
