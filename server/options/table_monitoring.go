package options

import (
	"time"

	"github.com/holdfast-db/holdfast/server"
)

func monitoring() []Option {
	return []Option{
		{Name: "enable-pprof", Help: "Serve profiles on the client URLs, under /debug/pprof/.",
			bind: truth(func(c *server.Config) *bool { return &c.EnablePprof })},
		{Name: "metrics", Class: Adapted, Why: "the histograms of gRPC are always there",
			Help: "basic or extensive.", bind: oneOf(nowhere("basic"), "basic", "extensive")},
		{Name: "listen-metrics-urls",
			Help: "More URLs to serve metrics and probes on.",
			bind: urls(func(c *server.Config) *string { return &c.ListenMetricsURLs }, "")},
	}
}

func logging() []Option {
	return []Option{
		{Name: "logger", Class: Inert, Why: "there is one logger", Help: "Only zap.", bind: text(nowhere("zap"))},
		{Name: "log-outputs", Help: "default (stderr), stderr, stdout or files.", bind: list(func(c *server.Config) *string { return &c.LogOutputs })},
		{Name: "log-level", Help: "debug, info, warn, error, panic or fatal.",
			bind: text(func(c *server.Config) *string { return &c.LogLevel })},
		{Name: "log-format", Help: "json or console.", bind: text(func(c *server.Config) *string { return &c.LogFormat })},
		{Name: "enable-log-rotation", Help: "Rotate the one file of --log-outputs.", bind: truth(func(c *server.Config) *bool { return &c.LogRotation })},
		{Name: "log-rotation-config-json",
			Help: "When to rotate (maxsize in MB), and what to keep (maxbackups, maxage in days), as JSON.", bind: text(func(c *server.Config) *string { return &c.LogRotationConfig })},
		{Name: "warning-unary-request-duration", Help: "Log a request that takes longer.",
			bind: span(func(c *server.Config) *time.Duration { return &c.WarningUnary })},
	}
}

func distributedTracing() []Option {
	return []Option{
		{Name: "enable-distributed-tracing", Help: "Send traces of requests to an OpenTelemetry collector (OTLP over gRPC, without TLS). Keys are in them, values are not.",
			bind: truth(func(c *server.Config) *bool { return &c.Tracing.Enabled })},
		{Name: "distributed-tracing-address", Help: "Host and port of the collector.",
			bind: text(func(c *server.Config) *string { return &c.Tracing.Address })},
		{Name: "distributed-tracing-service-name", Help: "The service's name in traces, the same on all members.",
			bind: text(func(c *server.Config) *string { return &c.Tracing.ServiceName })},
		{Name: "distributed-tracing-instance-id", Help: "This member's name in traces, on no two members the same.",
			bind: text(func(c *server.Config) *string { return &c.Tracing.InstanceID })},
		{Name: "distributed-tracing-sampling-rate", Help: "How many of a million requests are traced whose callers don't say; 0 for none of them.",
			bind: integer(func(c *server.Config) *int { return &c.Tracing.SamplingRate })},
	}
}
