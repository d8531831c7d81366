package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// query is what a panel of etcd's published dashboard or one of its alert rules (contrib/mixin) selects.
type query struct {
	by     string // panels and rules
	name   string // of the series
	labels string // that it selects, "name=value", or groups by, "name"
	// least is what the sum over all members must exceed after a little load; −1: any value is one.
	least float64
	// late: etcd has the series only once something has gone wrong.
	late bool
}

// failedCodes are those that panels and rules take for failures.
var failedCodes = []string{"Unknown", "FailedPrecondition", "ResourceExhausted", "Internal", "Unavailable", "DataLoss", "DeadlineExceeded"}

func queries() []query {
	out := []query{
		{"panel Up; etcdNoLeader", "etcd_server_has_leader", "", 2, false},
		{"panel RPC rate", "grpc_server_started_total", "grpc_type=unary", 0, false},
		{"panel RPC rate; etcdHighNumberOfFailedGRPCRequests", "grpc_server_handled_total", "grpc_type=unary grpc_code=OK grpc_method grpc_service", 0, false},
		{"panel Active streams", "grpc_server_started_total", "grpc_service=etcdserverpb.Watch grpc_type=bidi_stream", 0, false},
		{"panel Active streams", "grpc_server_handled_total", "grpc_service=etcdserverpb.Watch grpc_type=bidi_stream", -1, false},
		{"panel Active streams", "grpc_server_started_total", "grpc_service=etcdserverpb.Lease grpc_type=bidi_stream", 0, false},
		{"panel Active streams", "grpc_server_handled_total", "grpc_service=etcdserverpb.Lease grpc_type=bidi_stream", -1, false},
		{"panel DB size; etcdDatabaseQuotaLowSpace, etcdExcessiveDatabaseGrowth", "etcd_mvcc_db_total_size_in_bytes", "", 0, false},
		{"etcdDatabaseHighFragmentationRatio", "etcd_mvcc_db_total_size_in_use_in_bytes", "", 0, false},
		{"etcdDatabaseQuotaLowSpace, etcdExcessiveDatabaseGrowth", "etcd_server_quota_backend_bytes", "", 0, false},
		{"panel Disk sync duration; etcdHighFsyncDurations", "etcd_disk_wal_fsync_duration_seconds_bucket", "le=+Inf", 0, false},
		{"panel Disk sync duration; etcdHighCommitDurations", "etcd_disk_backend_commit_duration_seconds_bucket", "le=+Inf", 0, false},
		{"panel Memory", "process_resident_memory_bytes", "", 0, false},
		{"panel Client traffic in", "etcd_network_client_grpc_received_bytes_total", "", 0, false},
		{"panel Client traffic out", "etcd_network_client_grpc_sent_bytes_total", "", 0, false},
		{"panel Peer traffic in", "etcd_network_peer_received_bytes_total", "From", 0, false},
		{"panel Peer traffic out", "etcd_network_peer_sent_bytes_total", "To", 0, false},
		{"panel Raft proposals; etcdHighNumberOfFailedProposals", "etcd_server_proposals_failed_total", "", -1, false},
		{"panel Raft proposals", "etcd_server_proposals_pending", "", -1, false},
		{"panel Raft proposals", "etcd_server_proposals_committed_total", "", 0, false},
		{"panel Raft proposals", "etcd_server_proposals_applied_total", "", 0, false},
		{"panel Total leader elections per day; etcdHighNumberOfLeaderChanges", "etcd_server_leader_changes_seen_total", "", 0, false},
		{"panel Peer round trip time; etcdMemberCommunicationSlow", "etcd_network_peer_round_trip_time_seconds_bucket", "To le=+Inf", 0, false},
		{"etcdMembersDown", "etcd_network_peer_sent_failures_total", "To", -1, true},
	}
	for _, code := range failedCodes { // rates of what is not there from the start are not there when it matters
		out = append(out, query{"panel RPC rate; etcdHighNumberOfFailedGRPCRequests", "grpc_server_handled_total", "grpc_type=unary grpc_method=Put grpc_code=" + code, -1, false})
	}
	return out
}

// sample is a line of /metrics.
type sample struct {
	labels []string // name=value
	value  float64
}

var (
	sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`([A-Za-z_]+)="((?:[^"\\]|\\.)*)"`)
)

// scrape reads a member's metrics, by name.
func scrape(t *testing.T, m *proc.Member) map[string][]sample {
	t.Helper()
	r := must(http.Get(m.ClientURL + "/metrics"))(t)
	defer r.Body.Close()
	out := map[string][]sample{}
	for line := range strings.Lines(string(must(io.ReadAll(r.Body))(t))) {
		parts := sampleLine.FindStringSubmatch(strings.TrimSpace(line))
		if parts == nil {
			continue // a comment
		}
		s := sample{value: must(strconv.ParseFloat(parts[3], 64))(t)}
		for _, pair := range labelPair.FindAllStringSubmatch(parts[2], -1) {
			s.labels = append(s.labels, pair[1]+"="+pair[2])
		}
		out[parts[1]] = append(out[parts[1]], s)
	}
	return out
}

// selects tells whether a query finds a sample.
func (q query) selects(s sample) bool {
	for _, want := range strings.Fields(q.labels) {
		if !slices.ContainsFunc(s.labels, func(l string) bool {
			return l == want || !strings.Contains(want, "=") && strings.HasPrefix(l, want+"=")
		}) {
			return false
		}
	}
	return true
}

// TestDashboard: every series that etcd's published dashboard and alert rules query is there on each member of a real
// cluster under a little load, with the labels that they select and group by, and has a value.
func TestDashboard(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	for i, url := range c.Endpoints() {
		cli := connect(t, url)
		ctx := timeout(t, 20*time.Second)
		lease := must(cli.Grant(ctx, 60))(t)
		must(cli.KeepAliveOnce(ctx, lease.ID))(t)
		watch := cli.Watch(ctx, fmt.Sprint(i))
		for range 10 {
			must(cli.Put(ctx, fmt.Sprint(i), "v", clientv3.WithLease(lease.ID)))(t)
			must(cli.Get(ctx, fmt.Sprint(i)))(t)
		}
		<-watch
	}
	foreign := os.Getenv(proc.BinaryVariable) != ""
	deadline := time.Now().Add(15 * time.Second) // round trips are sampled now and then
	for {
		wrong := unanswered(t, c, foreign)
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// unanswered are the queries without a value.
func unanswered(t *testing.T, c *proc.Cluster, foreign bool) (wrong []string) {
	t.Helper()
	var pages []map[string][]sample
	for _, m := range c.Members {
		pages = append(pages, scrape(t, m))
	}
	for _, q := range queries() {
		if q.late && foreign {
			continue
		}
		sum := 0.0
		for i, page := range pages {
			found := slices.DeleteFunc(slices.Clone(page[q.name]), func(s sample) bool { return !q.selects(s) })
			if len(found) == 0 {
				wrong = append(wrong, fmt.Sprintf("%s: %s has no %s{%s}", q.by, c.Members[i].Name, q.name, q.labels))
			}
			for _, s := range found {
				sum += s.value
			}
		}
		if sum <= q.least {
			wrong = append(wrong, fmt.Sprintf("%s: %s{%s} is %g over all members, want more than %g", q.by, q.name, q.labels, sum, q.least))
		}
	}
	return wrong
}
