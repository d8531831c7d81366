package main

import (
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/grpc/grpclog"
)

// libraryLines takes what libraries print by themselves, a line a call.
type libraryLines struct{}

// Write implements io.Writer.
func (libraryLines) Write(p []byte) (int, error) {
	slog.Default().Log(context.Background(), slog.LevelWarn, strings.TrimSpace(string(p)))
	return len(p), nil
}

// tameLibraries keeps what others print on stderr from breaking the log, whose
// lines are all of one form. It has to run before anything uses gRPC.
func tameLibraries() {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, libraryLines{}))
}

// adoptLog makes a member's log the process's, package log included, unless
// somebody asked for lines of Go's HTTP/2, which are read as they are.
func adoptLog(logger *slog.Logger) {
	if strings.Contains(os.Getenv("GODEBUG"), "http2debug") {
		return
	}
	log.SetFlags(log.Lshortfile) // slog asks for the caller then
	slog.SetDefault(logger)
}
