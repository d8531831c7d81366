package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// retry repeats a system call that a signal interrupted before it began.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// syncData uses fdatasync: it skips the inode's times, which nobody reads, but
// not its size.
func syncData(f *os.File) error {
	return wrapPath("fdatasync", f, retry(func() error { return unix.Fdatasync(int(f.Fd())) }))
}

func allocate(f *os.File, size int64) error {
	err := retry(func() error { return unix.Fallocate(int(f.Fd()), 0, 0, size) })
	return wrapPath("fallocate", f, err)
}

func wrapPath(op string, f *os.File, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: f.Name(), Err: err}
}

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
