//go:build !linux

package disk

import (
	"errors"
	"os"
	"syscall"
)

// syncData falls back to a full sync (on macOS Go's Sync asks the drive to
// flush its cache, F_FULLFSYNC).
func syncData(f *os.File) error { return f.Sync() }

// allocate is not offered; the caller grows a sparse file.
func allocate(*os.File, int64) error { return errors.ErrUnsupported }

func isNoSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) }
