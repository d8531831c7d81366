//go:build unix

package server

import (
	"errors"
	"syscall"
)

// unavailable tells that the machine has no such address family.
func unavailable(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT)
}
