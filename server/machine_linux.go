package server

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errMlock says what --memory-mlock needs. Beyond a limit each new mapping fails,
// which ends a Go program somewhere in its midst; better not to begin.
var errMlock = errors.New("--memory-mlock needs an unlimited RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=infinity) or root")

// lockMemory keeps all memory of the process in RAM, what it has and what it will
// have, each page from its first use on.
func lockMemory() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return fmt.Errorf("--memory-mlock: %w", err)
	}
	if limit.Cur != unix.RLIM_INFINITY && os.Geteuid() != 0 {
		return errMlock
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		return fmt.Errorf("--memory-mlock: mlockall: %w", err)
	}
	return nil
}

// reusePort lets several processes listen on the same port; the kernel divides
// connections among them.
func reusePort(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}
