//go:build !linux

package server

import (
	"errors"
	"syscall"
)

func lockMemory() error { return errors.New("--memory-mlock is not supported on this system") }

func reusePort(string, string, syscall.RawConn) error {
	return errors.New("--socket-reuse-port is not supported on this system")
}
