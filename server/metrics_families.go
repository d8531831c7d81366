package server

import (
	"github.com/prometheus/client_golang/prometheus"
)

// buckets are etcd's, so that quantiles of both can be compared.
var (
	bucketsDisk      = prometheus.ExponentialBuckets(0.001, 2, 14)  // 1 ms … 8 s
	bucketsHash      = prometheus.ExponentialBuckets(0.01, 2, 15)   // 10 ms … 164 s
	bucketsSnapshot  = prometheus.ExponentialBuckets(0.01, 2, 17)   // 10 ms … 11 min
	bucketsDefrag    = prometheus.ExponentialBuckets(0.1, 2, 13)    // 100 ms … 7 min
	bucketsSave      = prometheus.ExponentialBuckets(0.1, 2, 10)    // 100 ms … 51 s
	bucketsApply     = prometheus.ExponentialBuckets(0.0001, 2, 20) // 0.1 ms … 52 s
	bucketsTTL       = prometheus.ExponentialBuckets(1, 2, 24)      // 1 s … 97 days
	bucketsRoundTrip = prometheus.ExponentialBuckets(0.0001, 2, 16) // 0.1 ms … 3.3 s
	bucketsPause     = prometheus.ExponentialBuckets(1, 2, 13)      // 1 ms … 4 s
	bucketsIndex     = prometheus.ExponentialBuckets(0.5, 2, 14)    // 0.5 ms … 4 s
	bucketsCompact   = prometheus.ExponentialBuckets(100, 2, 14)    // 100 ms … 14 min
)

// times are the histograms of what takes time.
type times struct {
	fsync, write, commit          prometheus.Histogram
	snapshot, save, receive       prometheus.Histogram
	hash, hashKV, defrag          prometheus.Histogram
	leaseTTL                      prometheus.Histogram
	requests, applied, roundTrips *prometheus.HistogramVec
	ranges                        *prometheus.HistogramVec
}

func (m *metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func (m *metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

func (m *metrics) newTimes() times {
	return times{
		fsync:    m.histogram("etcd_disk_wal_fsync_duration_seconds", "The latency distributions of a write to the log with its sync.", bucketsDisk),
		write:    m.histogram("etcd_disk_wal_write_duration_seconds", "The latency distributions of a write to the log with its sync.", bucketsDisk),
		commit:   m.histogram("etcd_disk_backend_commit_duration_seconds", "The latency distributions of applying a batch of entries.", bucketsDisk),
		snapshot: m.histogram("etcd_disk_backend_snapshot_duration_seconds", "The latency distribution of writing a snapshot.", bucketsSnapshot),
		save:     m.histogram("etcd_debugging_snap_save_total_duration_seconds", "The total latency distributions of writing a snapshot.", bucketsDisk),
		receive:  m.histogram("etcd_snap_db_save_total_duration_seconds", "The total latency distributions of receiving a snapshot.", bucketsSave),
		hash:     m.histogram("etcd_mvcc_hash_duration_seconds", "The latency distribution of storage hash operation.", bucketsHash),
		hashKV:   m.histogram("etcd_mvcc_hash_rev_duration_seconds", "The latency distribution of storage hash by revision operation.", bucketsHash),
		defrag:   m.histogram("etcd_disk_backend_defrag_duration_seconds", "The latency distribution of defragmentation.", bucketsDefrag),
		leaseTTL: m.histogram("etcd_debugging_lease_ttl_total", "Bucketed histogram of lease TTLs.", bucketsTTL),
		requests: m.histograms("etcd_server_request_duration_seconds", "Response latency distribution in seconds for each type.",
			bucketsDisk, "type", "success"),
		applied: m.histograms("etcd_server_apply_duration_seconds", "The latency distributions of applying a batch of entries.",
			bucketsApply, "version", "op", "success"),
		ranges: m.histograms("etcd_server_range_duration_seconds", "The latency distributions of reading a range.", bucketsApply, "success"),
		roundTrips: m.histograms("etcd_network_peer_round_trip_time_seconds", "Round-Trip-Time histogram between peers.",
			bucketsRoundTrip, "To"),
	}
}

// absent are families of parts that etcd has and Holdfast doesn't: a backend
// file, a v2 store, a proxy in the same binary. They stay at 0, so that a query
// that names one finds it.
var absent = struct {
	counters, gauges []string
	histograms       map[string][]float64
}{
	counters: []string{
		"etcd_debugging_store_expires_total", "etcd_debugging_store_watch_requests_total", "etcd_grpc_proxy_events_coalescing_total",
		"etcd_debugging_mvcc_db_compaction_keys_total",
	},
	gauges: []string{
		"etcd_debugging_store_watchers", "etcd_grpc_proxy_cache_hits_total", "etcd_grpc_proxy_cache_keys_total",
		"etcd_grpc_proxy_cache_misses_total", "etcd_grpc_proxy_watchers_coalescing_total", "etcd_mvcc_db_open_read_transactions",
	},
	histograms: map[string][]float64{
		"etcd_debugging_disk_backend_commit_rebalance_duration_seconds":                 bucketsDisk,
		"etcd_debugging_disk_backend_commit_spill_duration_seconds":                     bucketsDisk,
		"etcd_debugging_disk_backend_commit_write_duration_seconds":                     bucketsDisk,
		"etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds":                 bucketsPause,
		"etcd_debugging_mvcc_db_compaction_total_duration_milliseconds":                 bucketsCompact,
		"etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds":              bucketsIndex,
		"etcd_debugging_server_watch_send_loop_control_stream_duration_seconds":         bucketsDisk,
		"etcd_debugging_server_watch_send_loop_progress_duration_seconds":               bucketsDisk,
		"etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds": bucketsDisk,
		"etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds":           bucketsDisk,
		"etcd_debugging_snap_save_marshalling_duration_seconds":                         bucketsDisk,
		"etcd_snap_db_fsync_duration_seconds":                                           bucketsDisk,
		"etcd_snap_fsync_duration_seconds":                                              bucketsDisk,
	},
}

// registerAbsent offers them.
func (m *metrics) registerAbsent() {
	const help = "Always 0: there is no such part here."
	for _, name := range absent.counters {
		m.counter(name, help)
	}
	for _, name := range absent.gauges {
		m.gauge(name, help)
	}
	for name, buckets := range absent.histograms {
		m.histogram(name, help, buckets)
	}
}
