package testdisk

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
)

const (
	pageBytes   = 4096
	sectorBytes = 512
)

// node is a file with what was not synced of it.
type node struct {
	dice *dice
	base disk.File

	mu      sync.Mutex
	handles int
	removed bool            // no name leads here any more
	pages   map[int64]*page // by number, those with changes
	size    int64           // as the process sees it
	// stored bytes of the base count, −1 for all of them: behind a truncation that was not synced the base still
	// has the old ones.
	stored int64
	dirty  bool // something waits for a sync
	err    error
}

// page is the content of 4 KiB, and which of its sectors were changed.
type page struct {
	data    [pageBytes]byte
	changed uint8 // a bit a sector
}

// newNode takes over an open file of the base.
func newNode(v *Volatile, base disk.File) *node {
	n := &node{dice: v.dice, base: base, pages: map[int64]*page{}, stored: -1}
	n.size, n.err = base.Size()
	return n
}

// idle tells whether nobody holds the file open and nothing waits.
func (n *node) idle() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.handles == 0 && !n.dirty
}

// unlink is told that the file's name is gone; it lives on in its handles.
func (n *node) unlink() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.removed = true
	if n.handles == 0 {
		_ = n.base.Close() // nobody can read or write it any more
	}
}

func (n *node) open() *volatileFile {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handles++
	return &volatileFile{n: n}
}

// readBase reads what the base has, as the process sees it: zeros behind its end.
func (n *node) readBase(p []byte, off int64) error {
	clear(p)
	if n.stored >= 0 {
		if off >= n.stored {
			return nil
		}
		p = p[:min(int64(len(p)), n.stored-off)]
	}
	if _, err := n.base.ReadAt(p, off); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (n *node) read(p []byte, off int64) (int, error) {
	if n.err != nil {
		return 0, n.err
	}
	if off >= n.size {
		return 0, io.EOF
	}
	var end error
	if off+int64(len(p)) > n.size {
		p, end = p[:n.size-off], io.EOF
	}
	if err := n.readBase(p, off); err != nil {
		return 0, err
	}
	for done := 0; done < len(p); {
		at := (off + int64(done)) % pageBytes
		part := min(len(p)-done, int(pageBytes-at))
		if pg := n.pages[(off+int64(done))/pageBytes]; pg != nil {
			copy(p[done:done+part], pg.data[at:])
		}
		done += part
	}
	return len(p), end
}

func (n *node) write(p []byte, off int64) error {
	for len(p) > 0 {
		number, at := off/pageBytes, off%pageBytes
		part := min(len(p), int(pageBytes-at))
		pg := n.pages[number]
		if pg == nil {
			pg = &page{}
			if part < pageBytes {
				if err := n.readBase(pg.data[:], number*pageBytes); err != nil {
					return err
				}
			}
			n.pages[number] = pg
		}
		copy(pg.data[at:], p[:part])
		for s := at / sectorBytes; s <= (at+int64(part)-1)/sectorBytes; s++ {
			pg.changed |= 1 << s
		}
		p, off = p[part:], off+int64(part)
	}
	n.size, n.dirty = max(n.size, off), true
	return nil
}

// truncate forgets what lies behind the new size, so that growing again shows zeros.
func (n *node) truncate(size int64) {
	if size < n.size {
		for number, pg := range n.pages {
			switch from := size - number*pageBytes; {
			case from <= 0:
				delete(n.pages, number)
			case from < pageBytes:
				clear(pg.data[from:])
			}
		}
		if n.stored < 0 || size < n.stored {
			n.stored = size
		}
	}
	n.size, n.dirty = size, true
}

// sync writes all that waits to the base and syncs it. The caller drew tear: how long to stand still half-way.
func (n *node) sync(tear time.Duration) error {
	if n.err != nil {
		return n.err
	}
	if n.stored >= 0 {
		if err := n.base.Truncate(n.stored); err != nil {
			return n.fail(err)
		}
	}
	numbers := slices.Collect(maps.Keys(n.pages)) // in map order: the kernel has an order of its own, too
	for i, number := range numbers {
		if tear > 0 && i == len(numbers)/2 {
			time.Sleep(tear)
		}
		if err := n.store(number, 0xff); err != nil {
			return n.fail(err)
		}
	}
	if err := n.setBaseSize(); err != nil {
		return n.fail(err)
	}
	if err := n.base.SyncData(); err != nil {
		return n.fail(err)
	}
	n.pages, n.stored, n.dirty = map[int64]*page{}, -1, false
	return nil
}

// fail makes an error of the base final: what the file holds is unknown now.
func (n *node) fail(err error) error {
	n.err = err
	return err
}

// setBaseSize makes the base as long as the process sees the file.
func (n *node) setBaseSize() error {
	size, err := n.base.Size()
	if err != nil || size == n.size {
		return err
	}
	return n.base.Truncate(n.size)
}

// store writes those changed sectors of a page that are in mask. It may write behind the end: the size is set after.
func (n *node) store(number int64, mask uint8) error {
	pg := n.pages[number]
	sectors := pg.changed & mask
	for s := 0; s < pageBytes/sectorBytes; {
		if sectors&(1<<s) == 0 {
			s++
			continue
		}
		end := s + 1
		for end < pageBytes/sectorBytes && sectors&(1<<end) != 0 {
			end++
		}
		if _, err := n.base.WriteAt(pg.data[s*sectorBytes:end*sectorBytes], number*pageBytes+int64(s)*sectorBytes); err != nil {
			return err
		}
		s = end
	}
	return nil
}

// writeBack stores some sectors of some pages, as a kernel may at any time. They still wait for a sync. A file with
// a truncation that waits is left alone, for the base's end must go first.
func (n *node) writeBack(keep func() (mask uint8)) error {
	if n.stored >= 0 {
		return nil
	}
	for number := range n.pages {
		mask := keep()
		if mask == 0 {
			continue
		}
		if err := n.store(number, mask); err != nil {
			return n.fail(err)
		}
	}
	return nil
}

// volatileFile is an open handle on a node.
type volatileFile struct {
	n      *node
	closed bool // guarded by n.mu
}

// use runs f with the node locked, unless the handle is closed.
func (f *volatileFile) use(run func(n *node) error) error {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	return run(f.n)
}

// ReadAt implements disk.File.
func (f *volatileFile) ReadAt(p []byte, off int64) (count int, err error) {
	err = f.use(func(n *node) (err error) {
		count, err = n.read(p, off)
		return err
	})
	return count, err
}

// WriteAt implements disk.File.
func (f *volatileFile) WriteAt(p []byte, off int64) (int, error) {
	masks := f.n.dice.writeBack()
	err := f.use(func(n *node) error {
		if n.err != nil {
			return n.err
		}
		if err := n.write(p, off); err != nil || masks == nil {
			return err
		}
		return n.writeBack(masks)
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Truncate implements disk.File.
func (f *volatileFile) Truncate(size int64) error {
	return f.use(func(n *node) error { n.truncate(size); return n.err })
}

// Size implements disk.File.
func (f *volatileFile) Size() (size int64, err error) {
	err = f.use(func(n *node) error { size = n.size; return n.err })
	return size, err
}

// Allocate implements disk.File. Blocks are reserved at once, so that a full disk says so here; the size that this
// gives the file may be durable early, which any disk is free to do.
func (f *volatileFile) Allocate(size int64) error {
	return f.use(func(n *node) error {
		if n.stored < 0 { // else the base's end is still in the way; growing shows zeros all the same
			if err := n.base.Allocate(size); err != nil {
				return err
			}
		}
		if n.size < size {
			n.size, n.dirty = size, true
		}
		return n.err
	})
}

// SyncData implements disk.File.
func (f *volatileFile) SyncData() error {
	tear := f.n.dice.tear()
	return f.use(func(n *node) error { return n.sync(tear) })
}

// Close implements disk.File. What was not synced stays in memory: closing syncs nothing.
func (f *volatileFile) Close() error {
	return f.use(func(n *node) error {
		f.closed = true
		n.handles--
		if n.handles == 0 && n.removed {
			return n.base.Close()
		}
		return nil
	})
}

func isNotExist(err error) bool { return errors.Is(err, disk.ErrNotExist) }
func isExist(err error) bool    { return errors.Is(err, disk.ErrExist) }

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
