package disk

import (
	"fmt"
	"math/rand/v2"
	"path"
)

// The faults below strike at rest: they change durable content and the page
// cache alike, are not counted as operations, and go through no injector.
// Each returns ErrNotExist if there is no such file.

// Poke overwrites bytes of a file; the range must lie inside it.
func (m *Mem) Poke(name string, off int64, data []byte) error {
	return m.atRest(name, func(n *inode) error {
		if off < 0 || off+int64(len(data)) > n.size {
			return fmt.Errorf("disk: poke [%d,+%d) outside of %s of %d bytes", off, len(data), name, n.size)
		}
		n.poke(data, off)
		return nil
	})
}

// FlipBit flips one bit, counted from the file's first.
func (m *Mem) FlipBit(name string, bit int64) error {
	b, err := m.Peek(name, bit/8, 1)
	if err != nil {
		return err
	}
	b[0] ^= 1 << (bit % 8)
	return m.Poke(name, bit/8, b)
}

// Zero overwrites a range with zeros.
func (m *Mem) Zero(name string, off, size int64) error {
	return m.Poke(name, off, make([]byte, size))
}

// Garbage overwrites a range with random bytes.
func (m *Mem) Garbage(name string, off, size int64, rng *rand.Rand) error {
	return m.Poke(name, off, randomBytes(rng, int(size)))
}

// Misdirect copies size bytes of one file over another place, as a write that
// went to the wrong block does.
func (m *Mem) Misdirect(from string, fromOff int64, to string, toOff, size int64) error {
	b, err := m.Peek(from, fromOff, size)
	if err != nil {
		return err
	}
	return m.Poke(to, toOff, b)
}

// Cut shortens a file.
func (m *Mem) Cut(name string, size int64) error {
	return m.atRest(name, func(n *inode) error {
		m.used -= n.space()
		n.setSize(min(size, n.size))
		n.sync()
		m.used += n.space()
		return nil
	})
}

// Delete removes a file durably.
func (m *Mem) Delete(name string) error {
	name = path.Clean(name)
	return m.atRest(name, func(n *inode) error {
		m.used -= n.space()
		n.linked = false
		delete(m.names, name)
		delete(m.durable, name)
		later := m.changes[:0:0]
		for _, c := range m.changes {
			if c.node != n {
				later = append(later, c)
			}
		}
		m.changes = later
		return nil
	})
}

// Peek reads a range as a process would, without counting as an operation.
func (m *Mem) Peek(name string, off, size int64) ([]byte, error) {
	var b []byte
	err := m.atRest(name, func(n *inode) error {
		if off < 0 || size < 0 || off+size > n.size {
			return fmt.Errorf("disk: peek [%d,+%d) outside of %s of %d bytes", off, size, name, n.size)
		}
		b = make([]byte, size)
		n.get(b, off)
		return nil
	})
	return b, err
}

// SizeOf is a file's size in bytes, without counting as an operation.
func (m *Mem) SizeOf(name string) (int64, error) {
	var size int64
	err := m.atRest(name, func(n *inode) error { size = n.size; return nil })
	return size, err
}

func (m *Mem) atRest(name string, f func(*inode) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[path.Clean(name)]
	if n == nil {
		return fmt.Errorf("disk: %s: %w", name, ErrNotExist)
	}
	return f(n)
}
