package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/holdfast-db/holdfast/wal"
)

// TestServerCode: whoever supervises a server tells a disk to replace from a flag to correct by the exit code.
func TestServerCode(t *testing.T) {
	path := func(err error) error {
		return fmt.Errorf("wal: repair super: %w", &fs.PathError{Op: "sync", Path: "super", Err: err})
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("append: %w", wal.ErrFailed), exitDisk},
		{path(wal.ErrNoSpace), exitDisk},
		{path(syscall.EIO), exitDisk},
		{path(syscall.EROFS), exitDisk},
		{&wal.CorruptError{}, exitData},
		{path(os.ErrPermission), exitNo},
		{errors.New("--name must not be empty"), exitNo},
	} {
		if got := serverCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
