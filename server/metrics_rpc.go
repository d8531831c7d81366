package server

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server/api"
)

// rpcMetrics are the counters of one method, found once: a request then costs a
// map lookup and a few atomic additions.
type rpcMetrics struct {
	started, received, sent prometheus.Counter
	handled                 [codes.Unauthenticated + 1]prometheus.Counter
	operation               prometheus.Counter  // nil: not one of mvcc's
	handling                prometheus.Observer // seconds to the last answer
	work                    prometheus.Observer // nil: nothing but a request
	inflight                prometheus.Gauge    // nil: nobody asks
}

// register makes the counters of all methods that the server offers.
func (m *metrics) register(s *grpc.Server) {
	labels := []string{"grpc_type", "grpc_service", "grpc_method"}
	vec := func(name, help string, labels []string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	started := vec("grpc_server_started_total", "Total number of RPCs started on the server.", labels)
	received := vec("grpc_server_msg_received_total", "Total number of RPC stream messages received on the server.", labels)
	sent := vec("grpc_server_msg_sent_total", "Total number of gRPC stream messages sent by the server.", labels)
	handled := vec("grpc_server_handled_total", "Total number of RPCs completed on the server, regardless of success or failure.",
		append(labels, "grpc_code"))
	handling := m.histograms("grpc_server_handling_seconds",
		"Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.", prometheus.DefBuckets, labels...)
	work := map[string]prometheus.Observer{
		"Hash": m.times.hash, "HashKV": m.times.hashKV, "Defragment": m.times.defrag,
	}
	for service, info := range s.GetServiceInfo() {
		for _, method := range info.Methods {
			values := []string{rpcType(method), service, method.Name}
			r := &rpcMetrics{
				started: started.WithLabelValues(values...), received: received.WithLabelValues(values...),
				sent: sent.WithLabelValues(values...), operation: m.operations["/"+service+"/"+method.Name],
				handling: handling.WithLabelValues(values...), work: work[method.Name],
			}
			if method.Name == "Defragment" {
				r.inflight = m.defragging
			}
			for code := range r.handled {
				r.handled[code] = handled.WithLabelValues(append(values, codes.Code(code).String())...)
			}
			m.rpcs["/"+service+"/"+method.Name] = r
		}
	}
}

func rpcType(m grpc.MethodInfo) string {
	switch {
	case m.IsClientStream && m.IsServerStream:
		return "bidi_stream"
	case m.IsServerStream:
		return "server_stream"
	case m.IsClientStream:
		return "client_stream"
	default:
		return "unary"
	}
}

// done counts the end of a request that began then.
func (r *rpcMetrics) done(err error, began time.Time) {
	took := time.Since(began).Seconds()
	r.handling.Observe(took)
	if r.work != nil && err == nil {
		r.work.Observe(took)
	}
	code := status.Code(err)
	if int(code) >= len(r.handled) {
		code = codes.Unknown
	}
	r.handled[code].Inc()
}

// unary counts unary requests around the next interceptor.
func (m *metrics) unary(next grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		r := m.rpcs[info.FullMethod]
		began := time.Now()
		r.started.Inc()
		r.received.Inc()
		m.clientVersions.inc(ctx, "unary")
		if r.inflight != nil {
			r.inflight.Inc()
			defer r.inflight.Dec()
		}
		resp, err := next(ctx, req, info, handler)
		if err == nil {
			r.sent.Inc()
			if r.operation != nil {
				r.operation.Inc()
			}
		}
		r.done(err, began)
		return resp, err
	}
}

// stream counts streams and their messages around the next interceptor.
func (m *metrics) stream(next grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		r := m.rpcs[info.FullMethod]
		began := time.Now()
		r.started.Inc()
		m.clientVersions.inc(ss.Context(), "stream")
		watch := strings.HasSuffix(info.FullMethod, "Watch/Watch")
		if watch {
			m.watchStreams.Inc()
			defer m.watchStreams.Dec()
		}
		err := next(srv, &countedStream{ServerStream: ss, rpc: r, events: m.eventsSent}, info, handler)
		r.done(err, began)
		return err
	}
}

// countedStream counts messages.
type countedStream struct {
	grpc.ServerStream
	rpc    *rpcMetrics
	events prometheus.Counter
}

func (s *countedStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err != nil {
		return err
	}
	s.rpc.sent.Inc()
	if watch, ok := m.(*api.WatchMessage); ok {
		s.events.Add(float64(watch.Events()))
	}
	return nil
}

func (s *countedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.rpc.received.Inc()
	}
	return err
}
