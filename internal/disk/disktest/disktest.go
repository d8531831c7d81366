// Package disktest holds the one conformance test that every disk.FS passes.
package disktest

import (
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// Run checks that a file system keeps the contract of package disk. open
// returns a file system and an empty directory on it; it is called once for
// each part of the test.
func Run(t *testing.T, open func(t *testing.T) (fsys disk.FS, dir string)) {
	parts := []struct {
		name string
		run  func(*testing.T, disk.FS, string)
	}{
		{"create and open", createAndOpen},
		{"read and write", readAndWrite},
		{"truncate and allocate", truncateAndAllocate},
		{"rename and remove", renameAndRemove},
		{"directories", directories},
		{"locks", locks},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			fsys, dir := open(t)
			p.run(t, fsys, dir)
		})
	}
}

func createAndOpen(t *testing.T, fsys disk.FS, dir string) {
	name := path.Join(dir, "a")
	_, err := fsys.Open(name)
	wantError(t, err, disk.ErrNotExist)
	f, err := fsys.Create(name)
	must(t, err)
	must(t, f.Close())
	_, err = fsys.Create(name)
	wantError(t, err, disk.ErrExist)
	_, err = fsys.Create(path.Join(dir, "missing", "a"))
	wantError(t, err, disk.ErrNotExist)
	f, err = fsys.Open(name)
	must(t, err)
	wantSize(t, f, 0)
	must(t, f.Close())
	if f.Close() == nil {
		t.Error("closing twice succeeded")
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("writing to a closed file succeeded")
	}
}

func readAndWrite(t *testing.T, fsys disk.FS, dir string) {
	name := path.Join(dir, "a")
	f := create(t, fsys, name)
	write(t, f, "hello", 3)
	wantSize(t, f, 8)
	wantRead(t, f, 0, "\x00\x00\x00hello")
	big := bytes.Repeat([]byte("0123456789"), 1500)
	write(t, f, string(big), 4090)
	wantRead(t, f, 4090, string(big))
	wantRead(t, f, 8, string(make([]byte, 4082)))
	n, err := f.ReadAt(make([]byte, 10), 4090+15000-4)
	if n != 4 || err != io.EOF {
		t.Errorf("reading past the end: %d, %v; want 4, EOF", n, err)
	}
	n, err = f.ReadAt(make([]byte, 10), 1<<20)
	if n != 0 || err != io.EOF {
		t.Errorf("reading beyond the end: %d, %v; want 0, EOF", n, err)
	}
	must(t, f.SyncData())
	must(t, f.Close())
	f, err = fsys.Open(name)
	must(t, err)
	wantRead(t, f, 4090, string(big))
	must(t, f.Close())
}

func truncateAndAllocate(t *testing.T, fsys disk.FS, dir string) {
	f := create(t, fsys, path.Join(dir, "a"))
	defer f.Close()
	write(t, f, "abcdef", 0)
	must(t, f.Truncate(3))
	wantSize(t, f, 3)
	must(t, f.Truncate(6))
	wantRead(t, f, 0, "abc\x00\x00\x00")
	must(t, f.Allocate(10000))
	wantSize(t, f, 10000)
	wantRead(t, f, 0, "abc\x00\x00\x00")
	wantRead(t, f, 6, string(make([]byte, 9994)))
	must(t, f.Allocate(4))
	wantSize(t, f, 10000)
	must(t, f.Truncate(0))
	wantSize(t, f, 0)
	must(t, f.SyncData())
}

func renameAndRemove(t *testing.T, fsys disk.FS, dir string) {
	a, b := path.Join(dir, "a"), path.Join(dir, "b")
	wantError(t, fsys.Rename(a, b), disk.ErrNotExist)
	wantError(t, fsys.Remove(a), disk.ErrNotExist)
	fa, fb := create(t, fsys, a), create(t, fsys, b)
	write(t, fa, "from a", 0)
	write(t, fb, "from b", 0)
	must(t, fsys.Rename(a, b))
	must(t, fsys.SyncDir(dir))
	wantList(t, fsys, dir, "b")
	wantRead(t, fb, 0, "from b") // the replaced file lives on in its handle
	write(t, fa, "FROM", 0)      // and the renamed one in its
	f, err := fsys.Open(b)
	must(t, err)
	wantRead(t, f, 0, "FROM a")
	must(t, f.Close())
	must(t, fsys.Remove(b))
	wantList(t, fsys, dir)
	wantRead(t, fa, 0, "FROM a")
	must(t, fa.Close())
	must(t, fb.Close())
}

func directories(t *testing.T, fsys disk.FS, dir string) {
	deep := path.Join(dir, "x", "y")
	_, err := fsys.List(deep)
	wantError(t, err, disk.ErrNotExist)
	wantError(t, fsys.SyncDir(deep), disk.ErrNotExist)
	must(t, fsys.MkdirAll(deep))
	must(t, fsys.MkdirAll(deep))
	must(t, create(t, fsys, path.Join(deep, "2")).Close())
	must(t, create(t, fsys, path.Join(deep, "1")).Close())
	must(t, fsys.SyncDir(deep))
	wantList(t, fsys, dir, "x")
	wantList(t, fsys, deep, "1", "2")
	wantError(t, fsys.MkdirAll(path.Join(deep, "1")), disk.ErrExist)
}

func locks(t *testing.T, fsys disk.FS, dir string) {
	name := path.Join(dir, "LOCK")
	l, err := fsys.Lock(name)
	must(t, err)
	_, err = fsys.Lock(name)
	wantError(t, err, disk.ErrLocked)
	must(t, l.Close())
	l, err = fsys.Lock(name)
	must(t, err)
	must(t, l.Close())
	wantList(t, fsys, dir, "LOCK")
}

func create(t *testing.T, fsys disk.FS, name string) disk.File {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	return f
}

func write(t *testing.T, f disk.File, data string, off int64) {
	t.Helper()
	n, err := f.WriteAt([]byte(data), off)
	must(t, err)
	if n != len(data) {
		t.Fatalf("wrote %d of %d bytes without an error", n, len(data))
	}
}

func wantRead(t *testing.T, f disk.File, off int64, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, off); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("read %q at %d, want %q", clip(got), off, clip([]byte(want)))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 60)] }

func wantSize(t *testing.T, f disk.File, want int64) {
	t.Helper()
	size, err := f.Size()
	must(t, err)
	if size != want {
		t.Errorf("size %d, want %d", size, want)
	}
}

func wantList(t *testing.T, fsys disk.FS, dir string, want ...string) {
	t.Helper()
	got, err := fsys.List(dir)
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("list of %s: %q, want %q", dir, got, want)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
