package server

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
)

// NewLogger writes one JSON object a line, with the fields that etcd's log
// lines have, so that what reads those can read these:
//
//	{"ts":"2026-01-02T15:04:05.000000Z","level":"info","caller":"server/start.go:42","msg":"…",…}
func NewLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		AddSource:   true,
		Level:       level,
		ReplaceAttr: zapAttr,
	}))
}

// zapAttr gives slog's own attributes etcd's names and forms.
func zapAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch v := a.Value.Any().(type) {
	case time.Time:
		if a.Key == slog.TimeKey {
			return slog.String("ts", v.UTC().Format("2006-01-02T15:04:05.000000Z0700"))
		}
	case slog.Level:
		if a.Key == slog.LevelKey {
			return slog.String("level", strings.ToLower(v.String()))
		}
	case *slog.Source:
		if a.Key == slog.SourceKey {
			dir := filepath.Base(filepath.Dir(v.File))
			return slog.String("caller", fmt.Sprintf("%s/%s:%d", dir, filepath.Base(v.File), v.Line))
		}
	case time.Duration:
		return slog.String(a.Key, v.String())
	}
	return a
}
