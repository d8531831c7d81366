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

func tracing() []Option {
	const why = "no traces are sent; how long requests take is in /metrics, slow ones are logged (--warning-unary-request-duration)"
	return []Option{
		{Name: "enable-distributed-tracing", Class: Refused, Why: why, Help: "Send traces of requests.", bind: truth(nowhere(false))},
		{Name: "distributed-tracing-address", Class: Inert, Why: why, Help: "Collector of traces.", bind: text(nowhere("localhost:4317"))},
		{Name: "distributed-tracing-service-name", Class: Inert, Why: why, Help: "The service's name in traces.", bind: text(nowhere("etcd"))},
		{Name: "distributed-tracing-instance-id", Class: Inert, Why: why, Help: "This member's name in traces.", bind: text(nowhere(""))},
		{Name: "distributed-tracing-sampling-rate", Class: Inert, Why: why, Help: "Traces per million requests.", bind: integer(nowhere(0))},
	}
}
