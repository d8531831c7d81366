package server

import (
	"context"
	"log"
	"log/slog"
	"strings"
)

// quietLines are what net/http prints about clients that misbehave: nothing an
// operator can act on.
type quietLines struct{ log *slog.Logger }

// Write implements io.Writer.
func (q quietLines) Write(p []byte) (int, error) {
	q.log.Log(context.Background(), slog.LevelDebug, strings.TrimSpace(string(p)))
	return len(p), nil
}

// quietLog is for http.Server.ErrorLog, which else writes plain lines to stderr.
func quietLog(to *slog.Logger) *log.Logger { return log.New(quietLines{to}, "", 0) }
