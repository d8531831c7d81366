package grpcproxy

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// meter is what /proxy/metrics shows. The names are etcd's.
type meter struct {
	registry *prometheus.Registry

	hits, misses                         prometheus.Gauge
	watchersCoalescing                   prometheus.Gauge
	eventsCoalescing                     prometheus.Counter
	started, handled, received, answered *prometheus.CounterVec
}

func newMeter(cacheSize func() int) *meter {
	m := &meter{registry: prometheus.NewRegistry()}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "etcd_grpc_proxy_" + name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	m.hits = gauge("cache_hits_total", "Total number of cache hits")
	m.misses = gauge("cache_misses_total", "Total number of cache misses")
	m.watchersCoalescing = gauge("watchers_coalescing_total", "Total number of current watchers coalescing")
	m.eventsCoalescing = prometheus.NewCounter(prometheus.CounterOpts{Name: "etcd_grpc_proxy_events_coalescing_total", Help: "Total number of events coalescing"})
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "grpc_server_" + name, Help: help}, append([]string{"grpc_type", "grpc_service", "grpc_method"}, labels...))
		m.registry.MustRegister(v)
		return v
	}
	m.started = counters("started_total", "Total number of RPCs started on the server.")
	m.handled = counters("handled_total", "Total number of RPCs completed on the server, regardless of success or failure.", "grpc_code")
	m.received = counters("msg_received_total", "Total number of RPC stream messages received on the server.")
	m.answered = counters("msg_sent_total", "Total number of gRPC stream messages sent by the server.")
	m.registry.MustRegister(m.eventsCoalescing,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "etcd_grpc_proxy_cache_keys_total", Help: "Total number of keys/ranges cached"}, func() float64 { return float64(cacheSize()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// call counts one call. What isn't known has no name of its own here: clients
// must not be able to make up metrics.
type call struct {
	meter  *meter
	labels []string
}

func (m *meter) begin(method string) *call {
	c := &call{m, labelsOf(method)}
	m.started.WithLabelValues(c.labels...).Inc()
	return c
}

func (c *call) end(err error) {
	c.meter.handled.WithLabelValues(append(c.labels, status.Code(err).String())...).Inc()
}

func (c *call) requested()   { c.meter.received.WithLabelValues(c.labels...).Inc() }
func (c *call) wasAnswered() { c.meter.answered.WithLabelValues(c.labels...).Inc() }

// counted counts a stream's messages.
type counted struct {
	grpc.ServerStream
	call *call
}

func (s *counted) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.call.requested()
	}
	return err
}

func (s *counted) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		s.call.wasAnswered()
	}
	return err
}
