package disk

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// CrashOptions say how a power loss treats what was not synced. The zero value
// draws a manner for each crash: all kept, all lost, or each by its own coin.
type CrashOptions struct {
	// KeepAll keeps every un-synced write and name.
	KeepAll bool
	// DropAll loses every un-synced write and name.
	DropAll bool
	// TearAll tears every un-synced write; names are kept or lost by their own coins.
	TearAll bool
	// NoGarbage never leaves random bytes in a torn sector.
	NoGarbage bool
}

// Kill ends the process that uses the disk: open files become unusable and
// locks are released. Nothing is lost, and nothing becomes durable either: what
// was not synced is still in the page cache, where the next process reads it
// and a later power loss may take it away. The injector is removed.
func (m *Mem) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	clear(m.locks)
	m.inject = nil
}

// Clone returns a copy that shares content with m until either writes. Open
// files, locks, the injector and the tracer stay with m.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	c.dirs = maps.Clone(m.dirs)
	c.space, c.used = m.space, m.used
	copies := map[*inode]*inode{}
	cloned := func(n *inode) *inode {
		if copies[n] == nil {
			copies[n] = n.clone(&c.pool)
		}
		return copies[n]
	}
	for name, n := range m.names {
		c.names[name] = cloned(n)
	}
	for name, n := range m.durable {
		c.durable[name] = cloned(n)
	}
	for _, ch := range m.changes {
		ch.node = cloned(ch.node)
		c.changes = append(c.changes, ch)
	}
	return c
}

// clone copies an inode; both give up the pages that they now share.
func (n *inode) clone(p *pool) *inode {
	n.epoch = new(epoch)
	n.lent = true
	return &inode{
		name:        n.name,
		linked:      n.linked,
		epoch:       new(epoch),
		pages:       slices.Clone(n.pages),
		size:        n.size,
		durableSize: n.durableSize,
		saved:       maps.Clone(n.saved),
		stale:       maps.Clone(n.stale),
		pending:     slices.Clone(n.pending),
		pendingSize: n.pendingSize,
		pool:        p,
		lent:        true,
	}
}

// Crash returns the disk as a power loss at this moment may leave it, drawn
// from rng. m itself is not changed, so many outcomes of one moment can be
// drawn. Everything on the returned disk is durable.
func (m *Mem) Crash(rng *rand.Rand, opts CrashOptions) *Mem {
	c := m.Clone()
	d := newDice(rng, opts)
	for _, ch := range c.changes {
		if d.keep() {
			applyName(c.durable, ch)
		}
	}
	c.changes = nil
	c.used = 0
	for _, name := range slices.Sorted(maps.Keys(c.durable)) {
		n := c.durable[name]
		n.name, n.linked = name, true
		n.crash(d)
		c.used += n.space()
	}
	c.names = maps.Clone(c.durable)
	return c
}

// crash leaves a file with its durable content and some of the rest.
func (n *inode) crash(d *dice) {
	pending := slices.Clone(n.pending)
	n.revert(d)
	size := n.durableSize
	for _, c := range pending {
		switch c.kind {
		case OpWrite:
			n.crashWrite(c, d)
			// The size is metadata: it may come before or after the data.
			if end := c.off + int64(len(c.data)); end > size && d.keep() {
				size = end
			}
		case OpTruncate:
			if d.keep() {
				n.setSize(min(c.off, n.size))
				size = c.off
			}
		case OpAllocate:
			if d.keep() {
				size = max(size, c.off)
			}
		}
	}
	n.size = int64(len(n.pages)) * pageBytes
	n.setSize(min(size, n.size))
	n.size = size
	n.sync()
}

// revert puts the durable pages back. A page whose sync failed may have
// reached the disk before the failure.
func (n *inode) revert(d *dice) {
	for _, i := range slices.Sorted(maps.Keys(n.saved)) {
		n.pages[i] = n.saved[i]
	}
	for _, i := range slices.Sorted(maps.Keys(n.stale)) {
		if _, again := n.saved[i]; !again && !d.rareKeep() {
			n.pages[i] = n.stale[i]
		}
	}
	n.stale = nil
	n.saved = map[int]*page{}
	n.size = int64(len(n.pages)) * pageBytes
}

// crashWrite lets one un-synced write reach the disk whole, in part or not.
func (n *inode) crashWrite(c change, d *dice) {
	switch fate := d.write(); fate {
	case kept:
		n.put(c.data, c.off)
	case torn:
		for off, data := c.off, c.data; len(data) > 0; {
			k := min(len(data), sectorBytes-int(off%sectorBytes))
			n.crashSector(data[:k], off, d)
			data, off = data[k:], off+int64(k)
		}
	}
	n.size = max(n.size, int64(len(n.pages))*pageBytes)
}

func (n *inode) crashSector(data []byte, off int64, d *dice) {
	switch d.sector() {
	case sectorNew:
		n.put(data, off)
	case sectorMix:
		n.put(data[:d.rng.IntN(len(data))], off)
	case sectorZero:
		n.put(make([]byte, len(data)), off)
	case sectorGarbage:
		n.put(randomBytes(d.rng, len(data)), off)
	}
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// dice decides the fate of what was not synced.
type dice struct {
	rng  *rand.Rand
	opts CrashOptions
}

func newDice(rng *rand.Rand, opts CrashOptions) *dice {
	if !opts.KeepAll && !opts.DropAll && !opts.TearAll {
		switch rng.IntN(8) {
		case 0:
			opts.KeepAll = true
		case 1:
			opts.DropAll = true
		}
	}
	return &dice{rng: rng, opts: opts}
}

type fate int

const (
	kept fate = iota
	dropped
	torn
)

func (d *dice) write() fate {
	switch {
	case d.opts.KeepAll:
		return kept
	case d.opts.DropAll:
		return dropped
	case d.opts.TearAll:
		return torn
	}
	return fate(d.rng.IntN(3))
}

func (d *dice) keep() bool {
	return d.opts.KeepAll || !d.opts.DropAll && d.rng.IntN(2) == 0
}

func (d *dice) rareKeep() bool {
	return d.opts.KeepAll || !d.opts.DropAll && d.rng.IntN(4) == 0
}

type sectorFate int

const (
	sectorOld sectorFate = iota
	sectorNew
	sectorMix
	sectorZero
	sectorGarbage
)

func (d *dice) sector() sectorFate {
	switch r := d.rng.IntN(20); {
	case r < 7:
		return sectorOld
	case r < 14:
		return sectorNew
	case r < 16:
		return sectorMix
	case r < 18 || d.opts.NoGarbage:
		return sectorZero
	}
	return sectorGarbage
}
