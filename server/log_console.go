package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// consoleHandler writes lines for people, in zap's form: the four fields that
// every line has, between tabs, then the others as JSON.
//
//	2026-01-02T15:04:05.000000Z	info	server/life.go:80	ready to serve client requests	{"member-id":"8e9e05c52164694d"}
type consoleHandler struct {
	inner slog.Handler // writes a record as JSON into line
	out   *consoleWriter
}

// consoleWriter turns one JSON line at a time into a console line.
type consoleWriter struct {
	mu   sync.Mutex
	w    io.Writer
	line bytes.Buffer
	head [4]string // of the line at hand
}

// heads are the fields that stand before the JSON, in order.
var heads = []string{"ts", "level", "caller", "msg"}

func newConsoleHandler(w io.Writer, level slog.Level) *consoleHandler {
	out := &consoleWriter{w: w}
	inner := slog.NewJSONHandler(&out.line, &slog.HandlerOptions{
		AddSource: true,
		Level:     level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			a = zapAttr(groups, a)
			if len(groups) > 0 {
				return a
			}
			for i, name := range heads {
				if a.Key == name && out.head[i] == "" {
					out.head[i] = a.Value.String()
					return slog.Attr{}
				}
			}
			return a
		},
	})
	return &consoleHandler{inner: inner, out: out}
}

// Enabled implements slog.Handler.
func (h *consoleHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *consoleHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	h.out.head = [4]string{}
	if err := h.inner.Handle(ctx, r); err != nil {
		return err
	}
	return h.out.write()
}

// write needs mu.
func (c *consoleWriter) write() error {
	var line bytes.Buffer
	for i, field := range c.head {
		if i > 0 {
			line.WriteByte('\t')
		}
		line.WriteString(field)
	}
	if rest := bytes.TrimSpace(c.line.Bytes()); !bytes.Equal(rest, []byte("{}")) {
		line.WriteByte('\t')
		line.Write(rest)
	}
	line.WriteByte('\n')
	_, err := c.w.Write(line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (h *consoleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &consoleHandler{inner: h.inner.WithAttrs(attrs), out: h.out}
}

// WithGroup implements slog.Handler.
func (h *consoleHandler) WithGroup(name string) slog.Handler {
	return &consoleHandler{inner: h.inner.WithGroup(name), out: h.out}
}
