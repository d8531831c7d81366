package tracing

import (
	"context"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Unary gives requests their inner spans, around the next interceptor.
func (t *Tracer) Unary(next grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if t == nil {
		return next
	}
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		ctx, end := t.begin(ctx, info.FullMethod)
		defer end()
		if !trace.SpanFromContext(ctx).IsRecording() {
			return next(ctx, request, info, handler)
		}
		if name, about := describe(request); name != "" {
			inner, span := t.spans.Start(ctx, name, trace.WithAttributes(about...))
			defer span.End()
			ctx = inner
		}
		response, err := next(ctx, request, info, handler)
		if err != nil {
			trace.SpanFromContext(ctx).RecordError(err)
		}
		return response, err
	}
}

// begin makes the span of an RPC that gRPC's handler hasn't seen, since it came over
// the JSON gateway.
func (t *Tracer) begin(ctx context.Context, method string) (context.Context, func()) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func() {}
	}
	header := propagation.MapCarrier{}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for name, values := range md {
			header[name] = values[0]
		}
	}
	ctx = carried.Extract(ctx, header)
	method = strings.TrimPrefix(method, "/")
	ctx, span := t.spans.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", method)))
	return ctx, func() { span.End() }
}

// Stream does the same for streams, whose requests come one by one.
func (t *Tracer) Stream(next grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	if t == nil {
		return next
	}
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx, end := t.begin(ss.Context(), info.FullMethod)
		defer end()
		s := &stream{ServerStream: ss, ctx: ctx, tracer: t}
		defer s.close()
		err := next(srv, s, info, handler)
		if err != nil {
			trace.SpanFromContext(ctx).RecordError(err)
		}
		return err
	}
}

// stream has a span for each request that is not done with. A renewal is with its
// answer, a streamed range with the stream, a watch when it is canceled.
//
// Invariant: waiting has the spans of requests without an answer, the oldest first;
// watches those of watches that were created, by id.
type stream struct {
	grpc.ServerStream
	ctx    context.Context
	tracer *Tracer

	mu      sync.Mutex // requests and answers have a goroutine each
	waiting []trace.Span
	watches map[int64]trace.Span
	closed  bool
}

// WatchAnswer is an answer on a watch stream.
type WatchAnswer interface {
	// About tells which watch it is for, and whether it begins or ends there.
	About() (id int64, created, canceled bool)
}

// Context implements grpc.ServerStream.
func (s *stream) Context() context.Context { return s.ctx }

// RecvMsg implements grpc.ServerStream.
func (s *stream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.asked(m)
	}
	return err
}

func (s *stream) asked(request any) {
	if !trace.SpanFromContext(s.ctx).IsRecording() {
		return // nor will its children be
	}
	name, about := describe(request)
	if r, ok := request.(*pb.RangeRequest); ok {
		name, about = "range_streaming", aboutRange(r)
	}
	if name == "" {
		return
	}
	_, span := s.tracer.spans.Start(s.ctx, name, trace.WithAttributes(about...))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		span.End()
		return
	}
	s.waiting = append(s.waiting, span)
}

// SendMsg implements grpc.ServerStream.
func (s *stream) SendMsg(m any) error {
	switch a := m.(type) {
	case WatchAnswer:
		s.watched(a.About())
	case *pb.LeaseKeepAliveResponse:
		s.mu.Lock()
		s.first().End()
		s.mu.Unlock()
	}
	return s.ServerStream.SendMsg(m)
}

func (s *stream) watched(id int64, created, canceled bool) {
	if !created && !canceled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	span := s.watches[id]
	if created {
		span = s.first()
	}
	switch {
	case span == nil:
	case canceled:
		span.End()
		delete(s.watches, id)
	default:
		if s.watches == nil {
			s.watches = map[int64]trace.Span{}
		}
		s.watches[id] = span
	}
}

// first takes the oldest span without an answer.
func (s *stream) first() trace.Span {
	if len(s.waiting) == 0 { // an answer to nothing that was asked
		return trace.SpanFromContext(context.Background())
	}
	span := s.waiting[0]
	s.waiting = s.waiting[1:]
	return span
}

// close ends what the stream has ended.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, span := range s.waiting {
		span.End()
	}
	for _, span := range s.watches {
		span.End()
	}
	s.waiting, s.watches = nil, nil
}
