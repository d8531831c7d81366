package testdisk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// ErrInjected is the input/output error of a disk that was told to fail; errors.Is takes it for the kernel's.
var ErrInjected = fmt.Errorf("testdisk: injected: %w", syscall.EIO)

// checkEvery is how old what was read of the control file may be; a stalled sync looks as often.
const checkEvery = 10 * time.Millisecond

// Condition is how a disk is at a moment. The zero value: healthy.
type Condition struct {
	// SyncDelay is added to each sync of a file.
	SyncDelay time.Duration
	// Stall keeps syncs from returning at all.
	Stall bool
	// WriteError fails what changes files, other than syncs; ErrInjected or disk.ErrNoSpace.
	WriteError error
	// SyncError fails syncs, of files and of folders.
	SyncError error
}

// conditionWords are what a condition is written with, separated by commas; "slow=DURATION" besides.
var conditionWords = map[string]func(*Condition){
	"stall":     func(c *Condition) { c.Stall = true },
	"write-eio": func(c *Condition) { c.WriteError = ErrInjected },
	"sync-eio":  func(c *Condition) { c.SyncError = ErrInjected },
	"eio":       func(c *Condition) { c.WriteError, c.SyncError = ErrInjected, ErrInjected },
	"full":      func(c *Condition) { c.WriteError = disk.ErrNoSpace },
	"healthy":   func(*Condition) {},
	"":          func(*Condition) {},
}

// set reads one word into the condition.
func (c *Condition) set(word string) error {
	if text, ok := strings.CutPrefix(word, "slow="); ok {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return fmt.Errorf("testdisk: %q: slow wants a duration, such as slow=20ms", word)
		}
		c.SyncDelay = d
		return nil
	}
	set := conditionWords[word]
	if set == nil {
		return fmt.Errorf("testdisk: %q is no condition of a disk: slow=DURATION, stall, write-eio, sync-eio, eio, full or healthy", word)
	}
	set(c)
	return nil
}

// ParseCondition reads words separated by commas.
func ParseCondition(text string) (c Condition, err error) {
	for word := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if err := c.set(strings.TrimSpace(word)); err != nil {
			return Condition{}, err
		}
	}
	return c, nil
}

// Faulty is a disk that is slow, full or broken while its control file says so. Methods may be called from several
// goroutines.
type Faulty struct {
	base    disk.FS
	preset  Condition
	control string // path of the file; "" for none, then preset holds for ever

	mu      sync.Mutex
	now     Condition
	checked time.Time
}

// NewFaulty wraps a disk. preset holds while there is no control file.
func NewFaulty(base disk.FS, preset Condition, control string) *Faulty {
	return &Faulty{base: base, preset: preset, control: control, now: preset}
}

// condition reads the control file if the last look is too long ago. What can't be understood counts for healthy:
// it may be half written, and the next look is near.
func (f *Faulty) condition() Condition {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.control == "" || time.Since(f.checked) < checkEvery {
		return f.now
	}
	f.checked = time.Now()
	text, err := os.ReadFile(f.control)
	if err != nil {
		f.now = f.preset
		return f.now
	}
	f.now, _ = ParseCondition(string(text))
	return f.now
}

// change runs an operation that changes the disk.
func (f *Faulty) change(op, name string, run func() error) error {
	if err := f.condition().WriteError; err != nil {
		return pathError(op, name, err)
	}
	return run()
}

// sync runs a sync, late, or fails it. As a kernel may, a failed one has done some of its work or all: here none.
func (f *Faulty) sync(op, name string, run func() error) error {
	c := f.condition()
	for c.Stall {
		time.Sleep(checkEvery)
		c = f.condition()
	}
	time.Sleep(c.SyncDelay)
	if c.SyncError != nil {
		return pathError(op, name, c.SyncError)
	}
	return run()
}

// Create implements disk.FS.
func (f *Faulty) Create(name string) (file disk.File, err error) {
	err = f.change("create", name, func() error {
		file, err = f.base.Create(name)
		return err
	})
	return f.wrap(name, file, err)
}

// Open implements disk.FS.
func (f *Faulty) Open(name string) (disk.File, error) {
	file, err := f.base.Open(name)
	return f.wrap(name, file, err)
}

func (f *Faulty) wrap(name string, file disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, f: f, name: name}, nil
}

// List implements disk.FS.
func (f *Faulty) List(dir string) ([]string, error) { return f.base.List(dir) }

// Rename implements disk.FS. A full disk still renames.
func (f *Faulty) Rename(oldname, newname string) error {
	if err := f.condition().WriteError; err != nil && !errors.Is(err, disk.ErrNoSpace) {
		return pathError("rename", oldname, err)
	}
	return f.base.Rename(oldname, newname)
}

// Remove implements disk.FS. A full disk still removes.
func (f *Faulty) Remove(name string) error {
	if err := f.condition().WriteError; err != nil && !errors.Is(err, disk.ErrNoSpace) {
		return pathError("remove", name, err)
	}
	return f.base.Remove(name)
}

// MkdirAll implements disk.FS.
func (f *Faulty) MkdirAll(dir string) error { return f.base.MkdirAll(dir) }

// SyncDir implements disk.FS.
func (f *Faulty) SyncDir(dir string) error {
	return f.sync("syncdir", dir, func() error { return f.base.SyncDir(dir) })
}

// Lock implements disk.FS.
func (f *Faulty) Lock(name string) (io.Closer, error) { return f.base.Lock(name) }

// faultyFile is an open file; what isn't below passes.
type faultyFile struct {
	disk.File
	f    *Faulty
	name string
}

// WriteAt implements disk.File. On a full disk only growing fails: blocks that are there can be written.
func (o *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	err := o.f.condition().WriteError
	if errors.Is(err, disk.ErrNoSpace) {
		if size, e := o.Size(); e == nil && off+int64(len(p)) <= size {
			err = nil
		}
	}
	if err != nil {
		return 0, pathError("write", o.name, err)
	}
	return o.File.WriteAt(p, off)
}

// Truncate implements disk.File. A full disk still makes files shorter.
func (o *faultyFile) Truncate(size int64) error {
	return o.grow("truncate", size, func() error { return o.File.Truncate(size) })
}

// Allocate implements disk.File.
func (o *faultyFile) Allocate(size int64) error {
	return o.grow("allocate", size, func() error { return o.File.Allocate(size) })
}

// grow runs what may need more room.
func (o *faultyFile) grow(op string, size int64, run func() error) error {
	err := o.f.condition().WriteError
	if errors.Is(err, disk.ErrNoSpace) {
		if now, e := o.Size(); e == nil && size <= now {
			err = nil
		}
	}
	if err != nil {
		return pathError(op, o.name, err)
	}
	return run()
}

// SyncData implements disk.File.
func (o *faultyFile) SyncData() error {
	return o.f.sync("sync", o.name, o.File.SyncData)
}
