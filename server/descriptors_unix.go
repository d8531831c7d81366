//go:build unix

package server

import (
	"os"

	"golang.org/x/sys/unix"
)

// descriptors are how many files this process has open and may open; 0 where the
// system doesn't tell.
func descriptors() (used, limit uint64) {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) == nil {
		limit = l.Cur
	}
	if dir, err := os.Open("/proc/self/fd"); err == nil {
		defer dir.Close()
		if names, err := dir.Readdirnames(-1); err == nil {
			used = uint64(len(names))
		}
	}
	return used, limit
}
