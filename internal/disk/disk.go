// Package disk is the seam between Holdfast and storage: two small interfaces,
// an operating-system version (OS) and an in-memory one that can crash (Mem).
//
// Nothing else in Holdfast touches files. So the simulator can run the real
// log and the real snapshots on a disk that loses, tears and rots what it was
// given, and a test can crash the program after each single disk operation.
//
// What a disk promises, and all that callers may rely on:
//
//  1. A write that was not followed by a completed SyncData may be kept, lost
//     or torn at any 512-byte sector, in any order and any subset.
//  2. A write that was followed by a completed SyncData of the same file stays,
//     unless the disk is faulty.
//  3. A name (created, renamed or removed) is durable only once SyncDir of its
//     directory completed. A rename may become durable before the data of the
//     file it names.
//  4. After a failed write or SyncData the file's content is unknown. The
//     caller stops and never syncs that file again (ATC'20 "Can applications
//     recover from fsync failures?").
//
// Every implementation passes disktest.Run.
package disk

import (
	"errors"
	"io"
	"io/fs"
)

// Errors every implementation returns, wrapped; test with errors.Is.
var (
	// ErrNotExist: the named file or directory isn't there.
	ErrNotExist = fs.ErrNotExist
	// ErrExist: Create found a file of that name.
	ErrExist = fs.ErrExist
	// ErrLocked: another process (or another open FS) holds the lock file.
	ErrLocked = errors.New("disk: locked by another process")
	// ErrNoSpace: the device is full. Recoverable only while something is
	// being prepared; see log-format, "Failing disks".
	ErrNoSpace = errors.New("disk: no space left on device")
)

// FS is a directory tree. Names are slash-separated paths.
type FS interface {
	// Create makes an empty file, open for reading and writing, mode 0600.
	// It fails with ErrExist if the name is taken.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// List returns the base names in dir, sorted.
	List(dir string) ([]string, error)
	// Rename replaces newname atomically, if it exists.
	Rename(oldname, newname string) error
	// Remove removes a file.
	Remove(name string) error
	// MkdirAll makes a directory and its parents, mode 0700. The names it makes
	// are durable when it returns.
	MkdirAll(dir string) error
	// SyncDir makes the names in dir durable.
	SyncDir(dir string) error
	// Lock takes an exclusive advisory lock on the named file, creating it if
	// needed. It fails at once with ErrLocked if another holds it; the lock
	// ends with Close or with the process.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Concurrent calls on disjoint ranges are allowed.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Truncate sets the size. Not durable before SyncData.
	Truncate(size int64) error
	// Size returns the size in bytes.
	Size() (int64, error)
	// Allocate reserves blocks for [0, size) without changing what is read
	// below the present size; the size becomes at least size, zero-filled.
	Allocate(size int64) error
	// SyncData makes the content and the size durable (fdatasync).
	SyncData() error
	Close() error
}
