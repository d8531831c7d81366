package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// memFile is an open handle. It outlives a removal of the name, not a Kill.
type memFile struct {
	m          *Mem
	node       *inode
	generation uint64
	closed     bool
}

func (f *memFile) usable() error {
	if f.closed || f.generation != f.m.generation {
		return fs.ErrClosed
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	err := f.m.do(Op{Kind: OpRead, Name: f.node.name, Offset: off, Size: int64(len(p))}, func(fault Fault) error {
		if err := f.usable(); err != nil {
			return err
		}
		if off < 0 {
			return fmt.Errorf("negative offset %d: %w", off, fs.ErrInvalid)
		}
		n = int(max(0, min(int64(len(p)), f.node.size-off)))
		f.node.getShifted(p[:n], off, fault.Shift)
		if n < len(p) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	n := 0
	err := f.m.do(Op{Kind: OpWrite, Name: f.node.name, Offset: off, Size: int64(len(p))}, func(fault Fault) error {
		if err := f.usable(); err != nil {
			return err
		}
		if off < 0 {
			return fmt.Errorf("negative offset %d: %w", off, fs.ErrInvalid)
		}
		n = len(p)
		if fault.Err != nil {
			n = min(fault.Stored, len(p))
		} else if fault.Lost {
			return nil
		}
		if n == 0 {
			return nil
		}
		if err := f.grow(off + int64(n)); err != nil {
			n = 0
			return err
		}
		f.node.record(change{kind: OpWrite, off: off, data: f.node.pool.copied(p[:n])})
		return nil
	})
	return n, err
}

// grow takes the space that a size needs.
func (f *memFile) grow(size int64) error {
	more := roundUp(max(size, f.node.size)) - f.node.space()
	if f.m.space >= 0 && more > 0 && f.m.used+more > f.m.space {
		return ErrNoSpace
	}
	if f.node.linked {
		f.m.used += more
	}
	return nil
}

func (f *memFile) Truncate(size int64) error {
	return f.m.do(Op{Kind: OpTruncate, Name: f.node.name, Size: size}, func(Fault) error {
		if err := f.usable(); err != nil {
			return err
		}
		if size < 0 {
			return fmt.Errorf("negative size %d: %w", size, fs.ErrInvalid)
		}
		before := f.node.space()
		if err := f.grow(size); err != nil {
			return err
		}
		f.node.record(change{kind: OpTruncate, off: size})
		if after := f.node.space(); after < before && f.node.linked {
			f.m.used += after - before
		}
		return nil
	})
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.usable(); err != nil {
		return 0, &fs.PathError{Op: "size", Path: f.node.name, Err: err}
	}
	return f.node.size, nil
}

func (f *memFile) Allocate(size int64) error {
	return f.m.do(Op{Kind: OpAllocate, Name: f.node.name, Size: size}, func(Fault) error {
		if err := f.usable(); err != nil {
			return err
		}
		if err := f.grow(size); err != nil {
			return err
		}
		f.node.record(change{kind: OpAllocate, off: size})
		return nil
	})
}

func (f *memFile) SyncData() error {
	return f.m.do(Op{Kind: OpSync, Name: f.node.name}, func(fault Fault) error {
		if err := f.usable(); err != nil {
			return err
		}
		switch {
		case errors.Is(fault.Err, ErrStopped):
			// The machine stops before the sync: what is pending stays pending, to
			// be kept, lost or torn by the Crash that follows.
		case fault.Err != nil:
			f.node.syncFailed()
		default:
			f.node.sync()
		}
		return nil
	})
}

func (f *memFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.node.name, Err: fs.ErrClosed}
	}
	f.closed = true
	f.node.handles--
	return nil
}
