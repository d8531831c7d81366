package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// traces is an OTLP collector.
type traces struct {
	collector.UnimplementedTraceServiceServer
	address string

	mu    sync.Mutex
	spans []*otlp.Span
	about []string // of each span's service
}

func collect(t *testing.T) *traces {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, s := &traces{address: l.Addr().String()}, grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return c
}

// Export implements the collector's service.
func (c *traces) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans = append(c.spans, span)
				c.about = append(c.about, attributes(resource.Resource.Attributes))
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func attributes(list []*common.KeyValue) string {
	var out []string
	for _, a := range list {
		value := a.Value.GetStringValue()
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_IntValue:
			value = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			value = fmt.Sprint(v.BoolValue)
		}
		out = append(out, a.Key+"="+value)
	}
	return strings.Join(out, " ")
}

// find returns the one span of a name.
func (c *traces) find(t *testing.T, name string) (span *otlp.Span, service string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range c.spans {
		if s.Name == name {
			if span != nil {
				t.Errorf("two spans %s", name)
			}
			span, service = s, c.about[i]
		}
	}
	if span == nil {
		t.Fatalf("no span %s among %d", name, len(c.spans))
	}
	return span, service
}

func (c *traces) names() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// traced is a member that sends its traces to c, and none that nobody asks for.
func (c *traces) traced(rate int) func(*Config) {
	return func(cfg *Config) {
		cfg.Tracing.Enabled, cfg.Tracing.Address = true, c.address
		cfg.Tracing.ServiceName, cfg.Tracing.InstanceID, cfg.Tracing.SamplingRate = "store", "one", rate
	}
}

const traceID, callerSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// within a caller's span, which is sampled or not.
func calledFrom(ctx context.Context, sampled bool) context.Context {
	flags := "00"
	if sampled {
		flags = "01"
	}
	return metadata.AppendToOutgoingContext(ctx, "traceparent", "00-"+traceID+"-"+callerSpan+"-"+flags)
}

// A caller that samples gets spans in its trace, under its own: that of the RPC and
// that of the request. Nobody else does while the rate is 0. A stop sends what waits.
func TestTracesOfSampledCallers(t *testing.T) {
	c := collect(t)
	member := newCluster(t, 1, c.traced(0))
	client := member.client()
	ctx := within(t, 20*time.Second)
	for _, caller := range []context.Context{ctx, calledFrom(ctx, false), calledFrom(ctx, true)} {
		if _, err := client.Put(caller, "k\xff", "secret"); err != nil {
			t.Fatal(err)
		}
	}
	if err := member.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if got := c.names(); !slices.Equal(got, []string{"etcdserverpb.KV/Put", "put"}) {
		t.Fatalf("spans %q", got)
	}
	rpc, service := c.find(t, "etcdserverpb.KV/Put")
	put, _ := c.find(t, "put")
	if service != "service.instance.id=one service.name=store" {
		t.Errorf("the service is %s", service)
	}
	if fmt.Sprintf("%x", rpc.TraceId) != traceID || fmt.Sprintf("%x", rpc.ParentSpanId) != callerSpan || rpc.Kind != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("the RPC: %v", rpc)
	}
	if !bytes.Equal(put.TraceId, rpc.TraceId) || !bytes.Equal(put.ParentSpanId, rpc.SpanId) || attributes(put.Attributes) != "key=k\uFFFD" {
		t.Errorf("the put: %v", put)
	}
	if len(put.Events) != 2 || put.Events[0].Name != "Send raft proposal" || put.Events[1].Name != "Receive raft result" {
		t.Errorf("its events: %v", put.Events)
	}
	if strings.Contains(fmt.Sprint(c.spans), "secret") {
		t.Error("a value is in a trace")
	}
}

// What etcd's spans say about each kind of request, these do.
func TestSpansOfRequests(t *testing.T) {
	c := collect(t)
	member := newCluster(t, 1, c.traced(1_000_000))
	client := member.client()
	ctx := within(t, 20*time.Second)
	do := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(client.Get(ctx, "a", clientv3.WithRange("b"), clientv3.WithLimit(3), clientv3.WithCountOnly()))
	lease, err := client.Grant(ctx, 600)
	do(lease, err)
	do(client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision("cmp"), "=", 0)).
		Then(clientv3.OpPut("op", "v", clientv3.WithLease(lease.ID)), clientv3.OpGet("other")).Commit())
	do(client.KeepAliveOnce(ctx, lease.ID))
	do(client.Delete(ctx, "x", clientv3.WithRange("y")))
	watching, cancel := context.WithCancel(ctx)
	watch := client.Watch(watching, "op", clientv3.WithRev(1), clientv3.WithProgressNotify())
	if r := <-watch; r.Err() != nil || len(r.Events) != 1 {
		t.Fatalf("%+v", r)
	}
	cancel()
	for range watch { // until it is over
	}
	do(client.Compact(ctx, 2))
	do(client.Revoke(ctx, lease.ID))
	stream, err := pb.NewKVClient(client.ActiveConnection()).RangeStream(ctx, &pb.RangeRequest{Key: []byte("s")})
	for err == nil {
		_, err = stream.Recv()
	}
	if _, err := client.Get(ctx, "f", clientv3.WithRev(99)); err == nil {
		t.Fatal("a read of the future")
	}
	if err := member.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprint(int64(lease.ID))
	for name, want := range map[string]string{
		"txn": "compare_first_key=cmp success_first_key=op success_first_type=put success_first_lease=" + id +
			" compare_len=1 success_len=2 failure_len=0 read_only=false",
		"lease_grant": "id=0 ttl=600", "lease_renew": "id=" + id, "lease_revoke": "id=" + id,
		"delete_range": "range_begin=x range_end=y", "compact": "is_physical=false rev=2",
		"watch":           "key=op range_end= start_rev=1 progress_notify=true prev_kv=false fragment=false",
		"range_streaming": "range_begin=s range_end= rev=0 limit=0 count_only=false",
	} {
		if span, _ := c.find(t, name); attributes(span.Attributes) != want {
			t.Errorf("%s is about %s, want %s", name, attributes(span.Attributes), want)
		}
	}
	c.checkRanges(t)
}

func (c *traces) checkRanges(t *testing.T) {
	t.Helper()
	var about []string
	for _, s := range c.spans {
		if s.Name == "range" {
			about = append(about, attributes(s.Attributes))
			if failed := strings.Contains(about[len(about)-1], "rev=99"); failed != (len(s.Events) == 1 && s.Events[0].Name == "exception") {
				t.Errorf("%s: events %v", about[len(about)-1], s.Events)
			}
		}
	}
	want := []string{"range_begin=a range_end=b rev=0 limit=3 count_only=true keys_only=false",
		"range_begin=f range_end= rev=99 limit=0 count_only=false keys_only=false"}
	if !slices.Equal(about, want) {
		t.Errorf("ranges %q", about)
	}
}

// A request over the JSON gateway has both spans, too, in its caller's trace if that
// says so.
func TestTracesOfGateway(t *testing.T) {
	c := collect(t)
	member := newCluster(t, 1, c.traced(0))
	for _, parent := range []string{"", "00-" + traceID + "-" + callerSpan + "-01"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, member.configs[0].ListenClientURLs+"/v3/kv/put", strings.NewReader(`{"key":"aw==","value":"dg=="}`))
		if err != nil {
			t.Fatal(err)
		}
		if parent != "" {
			r.Header.Set("Grpc-Metadata-Traceparent", parent)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	if err := member.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	rpc, _ := c.find(t, "etcdserverpb.KV/Put")
	put, _ := c.find(t, "put")
	if rpc.Kind != otlp.Span_SPAN_KIND_SERVER || fmt.Sprintf("%x", rpc.ParentSpanId) != callerSpan || !bytes.Equal(put.ParentSpanId, rpc.SpanId) {
		t.Errorf("%v\n%v", rpc, put)
	}
}

// A collector that isn't there holds nothing up: requests are served, a stop is as
// quick as ever, the log says once that traces are lost, and nothing goes on.
func TestWithoutCollector(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	before := goleak.IgnoreCurrent()
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.Tracing.Enabled, cfg.Tracing.Address, cfg.Tracing.SamplingRate = true, strings.TrimPrefix(freeURL(t), "http://"), 1_000_000
		cfg.Logger = slog.New(slog.NewTextHandler(&guardedWriter{mu: &mu, to: &log}, nil))
	})
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{c.configs[0].ListenClientURLs}})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := client.Put(within(t, 10*time.Second), "k", "v"); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	began := time.Now()
	if err := c.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the stop took %v", took)
	}
	mu.Lock()
	if n := strings.Count(log.String(), "traces that were not sent yet are lost") + strings.Count(log.String(), "cannot send traces"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	mu.Unlock()
	goleak.VerifyNone(t, before)
}

type guardedWriter struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (w *guardedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// What can't be is refused at the start; what isn't asked for is nobody's business.
func TestTracingConfig(t *testing.T) {
	for _, tt := range []struct {
		enabled bool
		rate    int
		want    string
	}{
		{true, -1, "--distributed-tracing-sampling-rate: tracing sampling rate must be positive"},
		{true, 1_000_001, "--distributed-tracing-sampling-rate: tracing sampling rate must be less than 1000000"},
		{true, 1_000_000, ""}, {true, 0, ""}, {false, -1, ""},
	} {
		cfg := DefaultConfig()
		cfg.Tracing.Enabled, cfg.Tracing.SamplingRate = tt.enabled, tt.rate
		if err := cfg.Check(); (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%d: %v", tt.rate, err)
		}
	}
}
