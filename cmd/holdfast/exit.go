package main

import (
	"context"
	"errors"
	"syscall"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/wal"
)

// Exit codes; 64 and up are those of BSD's sysexits.h.
const (
	exitNo          = 1
	exitUsage       = 64
	exitData        = 65
	exitUnavailable = 69
	exitDisk        = 74
	exitConfig      = 78
)

// exitError is an error that says how to exit.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

// run adapts what a command does to cobra: its errors are its own, not the
// command line's.
func run(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd, args)
		var known *exitError
		if err == nil || errors.As(err, &known) {
			return err
		}
		return exitWith(codeOf(err), err)
	}
}

// exitCode is the process's. Errors that no command made are about the command
// line.
func exitCode(err error) int {
	var known *exitError
	if errors.As(err, &known) {
		return known.code
	}
	return exitUsage
}

// codeOf classifies a client's error.
func codeOf(err error) int {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	case status.Code(err) == codes.Unavailable, status.Code(err) == codes.DeadlineExceeded:
		return exitUnavailable
	default:
		return exitNo
	}
}

// serverCode classifies why a server ended.
func serverCode(err error) int {
	var corrupt *wal.CorruptError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, replica.ErrIdentity), errors.Is(err, server.ErrInconsistent), errors.Is(err, server.ErrForeign):
		return exitData
	case errors.Is(err, wal.ErrFailed), errors.Is(err, wal.ErrNoSpace), errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS):
		return exitDisk
	default:
		return exitNo
	}
}
