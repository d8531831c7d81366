package server

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/api"
)

// metrics are a member's, in a registry of its own (several members can live in
// one process). Names and meanings are etcd's where etcd has the thing, so that
// its dashboards and alerts work.
type metrics struct {
	registry *prometheus.Registry
	rpcs     map[string]*rpcMetrics // by full method; fixed after register

	pending         prometheus.Gauge
	proposalsFailed prometheus.Counter
	leaderChanges   prometheus.Counter
	readsFailed     prometheus.Counter
	sendFailures    prometheus.Counter
	healthy         prometheus.Counter
	unhealthy       prometheus.Counter
	fsync           prometheus.Histogram
	watchStreams    prometheus.Gauge
	clientReceived  prometheus.Counter
	clientSent      prometheus.Counter
	operations      map[string]prometheus.Counter // by full method
}

func newMetrics() *metrics {
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
	m.fsync = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "etcd_disk_wal_fsync_duration_seconds",
		Help:    "The latency distributions of fsync, the write before it included.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 17), // 0.1 ms to 6.5 s
	})
	m.registry.MustRegister(m.fsync)
	m.operations = map[string]prometheus.Counter{
		"/etcdserverpb.KV/Put":         m.counter("etcd_mvcc_put_total", "Total number of puts asked of this member."),
		"/etcdserverpb.KV/DeleteRange": m.counter("etcd_mvcc_delete_total", "Total number of deletes asked of this member."),
		"/etcdserverpb.KV/Range":       m.counter("etcd_mvcc_range_total", "Total number of ranges asked of this member."),
		"/etcdserverpb.KV/Txn":         m.counter("etcd_mvcc_txn_total", "Total number of txns asked of this member."),
	}
	return m
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
	m.gaugeFunc("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.", func() float64 { return float64(b.settings.quota()) })
	m.gaugeFunc("etcd_mvcc_db_total_size_in_bytes", "Total logical size of the key space in bytes.", func() float64 { return float64(b.head.bytes.Load()) })
	m.gaugeFunc("etcd_mvcc_db_total_size_in_use_in_bytes", "Total logical size of the key space that is in use, in bytes.", func() float64 { return float64(b.head.inUse.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_keys_total", "Total number of keys.", func() float64 { return float64(b.head.keys.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_current_revision", "The current revision of store.", func() float64 { return float64(b.head.revision.Load()) })
	m.gaugeFunc("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.", func() float64 { return float64(b.head.compact.Load()) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "etcd_disk_wal_write_bytes_total", Help: "Total number of bytes written to the log, whole blocks.",
	}, func() float64 { return float64(b.head.logBytes.Load()) }))
	m.registry.MustRegister(peerCollector{b})
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

// peerCollector reads the links' own counters.
type peerCollector struct{ b *backend }

var (
	peerSent     = prometheus.NewDesc("etcd_network_peer_sent_bytes_total", "The total number of bytes sent to peers.", []string{"To"}, nil)
	peerReceived = prometheus.NewDesc("etcd_network_peer_received_bytes_total", "The total number of bytes received from peers.", []string{"From"}, nil)
	peerActive   = prometheus.NewDesc("etcd_network_active_peers", "The current number of active peer connections.", []string{"Local", "Remote"}, nil)
	peerTrip     = prometheus.NewDesc("holdfast_peer_round_trip_seconds", "The last ping's round trip to a peer.", []string{"To"}, nil)
)

// Describe implements prometheus.Collector.
func (peerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{peerSent, peerReceived, peerActive, peerTrip} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c peerCollector) Collect(ch chan<- prometheus.Metric) {
	local := hex(c.b.settings.member)
	for _, p := range c.b.driver.network.Stats() {
		id := p.ID.String()
		ch <- prometheus.MustNewConstMetric(peerSent, prometheus.CounterValue, float64(p.BytesSent), id)
		ch <- prometheus.MustNewConstMetric(peerReceived, prometheus.CounterValue, float64(p.BytesReceived), id)
		ch <- prometheus.MustNewConstMetric(peerActive, prometheus.GaugeValue, flag(p.Connected), local, id)
		ch <- prometheus.MustNewConstMetric(peerTrip, prometheus.GaugeValue, p.RoundTrip.Seconds(), id)
	}
}
