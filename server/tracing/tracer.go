package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// carried is how a trace goes from one program to the next.
var carried = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// scope is the name of what makes the inner spans.
const scope = "github.com/holdfast-db/holdfast"

// Tracer makes spans and sends them. A nil one does nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	spans    trace.Tracer
	reporter *reporter
}

// Start makes a tracer; nil if tracing is off. It doesn't wait for the collector,
// which may come and go.
func Start(c Config, log *slog.Logger) (*Tracer, error) {
	if !c.Enabled {
		return nil, nil
	}
	exporter, err := otlptracegrpc.New(context.Background(), otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(c.Address))
	if err != nil {
		return nil, fmt.Errorf("--distributed-tracing-address=%s: %w", c.Address, err)
	}
	about := []attribute.KeyValue{attribute.String("service.name", c.ServiceName)}
	if c.InstanceID != "" {
		about = append(about, attribute.String("service.instance.id", c.InstanceID))
	}
	r := &reporter{SpanExporter: exporter, log: log}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(r),
		sdk.WithResource(resource.NewSchemaless(about...)),
		sdk.WithSampler(sdk.ParentBased(sampler(c.SamplingRate))),
	)
	log.Info("distributed tracing setup enabled", "address", c.Address, "service-name", c.ServiceName,
		"service-instance-id", c.InstanceID, "sampling-rate", c.SamplingRate)
	return &Tracer{provider: provider, spans: provider.Tracer(scope), reporter: r}, nil
}

// sampler decides about requests that don't say.
func sampler(perMillion int) sdk.Sampler {
	if perMillion == 0 {
		return sdk.NeverSample()
	}
	return sdk.TraceIDRatioBased(float64(perMillion) / SamplingRateMax)
}

// Stop sends what waits, and gives up when ctx ends: then the rest is lost.
func (t *Tracer) Stop(ctx context.Context) {
	if t == nil {
		return
	}
	err := t.provider.Shutdown(ctx)
	if t.reporter.ended.Store(true); err != nil {
		t.reporter.log.Warn("traces that were not sent yet are lost", "error", err.Error())
		_ = t.reporter.Shutdown(ctx) // ends the export that is under way
	}
}

// Options makes a gRPC server take part in its callers' traces.
func (t *Tracer) Options() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(t.provider),
		otelgrpc.WithPropagators(carried),
	))}
}

// Event notes in a request's span that something happened to it now.
func (t *Tracer) Event(ctx context.Context, what string) {
	if t != nil {
		trace.SpanFromContext(ctx).AddEvent(what)
	}
}

// reporter logs when spans begin to get lost, and when that is over. The errors
// between would be the same every five seconds.
type reporter struct {
	sdk.SpanExporter
	log    *slog.Logger
	losing bool        // one export at a time
	ended  atomic.Bool // nobody reads the log any more
}

// ExportSpans implements sdk.SpanExporter.
func (r *reporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case r.ended.Load():
	case err != nil && !r.losing:
		r.log.Warn("cannot send traces; they are dropped", "error", err.Error())
	case err == nil && r.losing:
		r.log.Info("traces are sent again")
	}
	r.losing = err != nil
	return nil
}
