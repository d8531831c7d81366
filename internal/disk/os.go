package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// OS is the operating system's file system. Names are used as they are, so a
// relative name is relative to the working directory.
//
// On Linux it preallocates with fallocate, syncs with fdatasync, syncs
// directories and locks with flock. Elsewhere it falls back to what the
// standard library offers (os_other.go says what that costs).
type OS struct{}

// Create implements FS.
func (OS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, translate(err)
	}
	return &osFile{f: f}, nil
}

// Open implements FS.
func (OS) Open(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, translate(err)
	}
	return &osFile{f: f}, nil
}

// List implements FS.
func (OS) List(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, translate(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, translate(err)
}

// Rename implements FS.
func (OS) Rename(oldname, newname string) error { return translate(os.Rename(oldname, newname)) }

// Remove implements FS.
func (OS) Remove(name string) error { return translate(os.Remove(name)) }

// MkdirAll implements FS.
func (o OS) MkdirAll(dir string) error {
	if fi, err := os.Stat(dir); err == nil {
		if fi.IsDir() {
			return nil
		}
		return fmt.Errorf("disk: mkdir %s: a file is in the way: %w", dir, ErrExist)
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := o.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return translate(err)
	}
	return o.SyncDir(parent)
}

// SyncDir implements FS.
func (OS) SyncDir(dir string) error { return translate(syncDir(dir)) }

// Lock implements FS.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, translate(err)
	}
	unlock, err := lockFile(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, translate(err))
	}
	return &osLock{f: f, unlock: unlock}, nil
}

type osLock struct {
	f      *os.File
	unlock func()
}

// Close gives the lock up. The file stays: removing it would let two
// processes hold locks on two files of one name.
func (l *osLock) Close() error {
	l.unlock()
	return l.f.Close()
}

type osFile struct{ f *os.File }

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	return n, translate(err)
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, translate(err)
}

func (f *osFile) Truncate(size int64) error { return translate(f.f.Truncate(size)) }

func (f *osFile) Size() (int64, error) {
	fi, err := f.f.Stat()
	if err != nil {
		return 0, translate(err)
	}
	return fi.Size(), nil
}

func (f *osFile) Allocate(size int64) error {
	old, err := f.Size()
	if err != nil {
		return err
	}
	if err := allocate(f.f, size); err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			return translate(err)
		}
		// A file system without preallocation: grow a sparse file instead. The
		// reservation is lost, so ENOSPC may come at a later write.
		if old < size {
			return f.Truncate(size)
		}
	}
	return nil
}

func (f *osFile) SyncData() error { return translate(syncData(f.f)) }
func (f *osFile) Close() error    { return f.f.Close() }

// translate makes a full device recognisable as ErrNoSpace on every system;
// the original error stays in the chain.
func translate(err error) error {
	if err != nil && isNoSpace(err) && !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
