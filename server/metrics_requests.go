package server

import (
	"context"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"

	"github.com/holdfast-db/holdfast/server/state"
)

// requestNames are etcd's names of what goes through the log, where they differ
// from ours.
var requestNames = map[string]string{
	"Compact": "Compaction", "MemberAttributes": "ClusterMemberAttrSet", "Login": "Authenticate",
}

// requestTimer finds the histograms of a kind of request once.
type requestTimer struct {
	vec   *prometheus.HistogramVec
	kinds sync.Map // reflect.Type → *[2]prometheus.Observer, failure and success
}

func (t *requestTimer) observe(body state.Body, ok bool, began time.Time) {
	kind := reflect.TypeOf(body)
	found, known := t.kinds.Load(kind)
	if !known {
		name := strings.TrimSuffix(kind.Elem().Name(), "Request")
		if etcds, other := requestNames[name]; other {
			name = etcds
		}
		var pair [2]prometheus.Observer
		for i := range pair {
			pair[i] = t.vec.WithLabelValues(name, strconv.FormatBool(i == 1))
		}
		found, _ = t.kinds.LoadOrStore(kind, &pair)
	}
	i := 0
	if ok {
		i = 1
	}
	found.(*[2]prometheus.Observer)[i].Observe(time.Since(began).Seconds())
}

// proposed counts a request that went through the log.
func (m *metrics) proposed(body state.Body, res *state.Result, err error, began time.Time) {
	ok := err == nil && res.Err == nil
	m.requestTimes.observe(body, ok, began)
	if !ok {
		return
	}
	switch r := body.(type) {
	case *state.LeaseGrantRequest:
		m.leasesGranted.Inc()
		m.times.leaseTTL.Observe(float64(r.TTL))
	case *state.LeaseRevokeRequest:
		m.leasesRevoked.Inc()
	}
}

// clientVersions counts requests by what clients say of themselves. What they
// say is theirs to choose, so only versions are taken, and not many.
type clientVersions struct {
	vec   *prometheus.CounterVec
	known sync.Map // type and version → prometheus.Counter
	count int
	mu    sync.Mutex
}

// clientVersionsMax bounds how many different versions are counted apart.
const clientVersionsMax = 50

var versionLike = regexp.MustCompile(`^[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?$`)

func (c *clientVersions) inc(ctx context.Context, kind string) {
	version := "unknown"
	if v := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataClientAPIVersionKey); len(v) > 0 {
		version = v[0]
	}
	if counter, ok := c.known.Load([2]string{kind, version}); ok {
		counter.(prometheus.Counter).Inc()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if version != "unknown" && (c.count >= clientVersionsMax || !versionLike.MatchString(version)) {
		version = "unknown"
	}
	counter := c.vec.WithLabelValues(kind, version)
	if _, known := c.known.LoadOrStore([2]string{kind, version}, counter); !known {
		c.count++
	}
	counter.Inc()
}

// appliedBatch counts entries that were applied in one go, and tells whether that
// took too long.
func (m *metrics) appliedBatch(took time.Duration) (slow bool) {
	m.times.commit.Observe(took.Seconds())
	m.appliedBatches.Observe(took.Seconds())
	if took <= m.slowApply {
		return false
	}
	m.slowApplies.Inc()
	return true
}

// jobDone counts what took long, by the job's name.
func (m *metrics) jobDone(name string, err error, took time.Duration) {
	if name == "snapshot" && err == nil {
		m.times.snapshot.Observe(took.Seconds())
		m.times.save.Observe(took.Seconds())
	}
}
