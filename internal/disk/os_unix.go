//go:build unix && !solaris && !aix && !illumos

package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes a flock: it belongs to the open file, so it ends with the
// process however that ends, and two opens in one process exclude each other.
func lockFile(f *os.File) (unlock func(), err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, wrapLock(f, err)
	}
	return func() { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }, nil
}

func wrapLock(f *os.File, err error) error {
	return &os.PathError{Op: "flock", Path: f.Name(), Err: err}
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}
