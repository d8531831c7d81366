package disk

import "bytes"

const (
	// pageBytes is the unit of copying and of the page cache's dirt.
	pageBytes = 4096
	// sectorBytes is the unit that a power loss tears.
	sectorBytes = 512
	// pendingBytesMax bounds what a file remembers of its un-synced writes.
	// Above it the oldest are written back, as a kernel does after a while.
	pendingBytesMax = 32 << 20
)

// epoch marks pages as belonging to one inode between two copies of it. It
// must not be of size zero: two such pointers might be equal.
type epoch struct{ _ byte }

type page struct {
	owner *epoch
	data  [pageBytes]byte
}

// inode is a file's content.
//
// Invariants:
//  1. pages is what a reader sees; a nil page is zeros, and so is all of the
//     last page above size.
//  2. saved holds the durable content of every page that differs from it
//     because of pending changes; stale of those whose sync failed.
//  3. Replaying all of pending onto the durable content and size gives what a
//     reader sees, except for stale pages.
type inode struct {
	// name is the present name, linked whether it still has one.
	name   string
	linked bool

	epoch       *epoch
	pages       []*page
	size        int64
	durableSize int64
	saved       map[int]*page
	stale       map[int]*page
	pending     []change
	pendingSize int64

	// handles counts the files that were opened and not closed.
	handles int

	pool *pool
	// lent: a copy of this inode reads what is in pending, too.
	lent bool
}

// change is an un-synced write, truncation or allocation.
type change struct {
	kind OpKind // OpWrite, OpTruncate, OpAllocate
	off  int64  // OpWrite: where; else the size asked for
	data []byte
}

func newInode(name string, p *pool) *inode {
	return &inode{name: name, linked: true, epoch: new(epoch), saved: map[int]*page{}, pool: p}
}

// space is what the file occupies, in bytes: whole pages, holes counted.
func (n *inode) space() int64 { return roundUp(n.size) }

func roundUp(size int64) int64 { return (size + pageBytes - 1) / pageBytes * pageBytes }

func (n *inode) page(i int) *page {
	if i < len(n.pages) {
		return n.pages[i]
	}
	return nil
}

// keep saves the durable content of page i before it is changed; it reports
// whether it was saved already.
func (n *inode) keep(i int) bool {
	for i >= len(n.pages) {
		n.pages = append(n.pages, nil)
	}
	if _, ok := n.saved[i]; ok {
		return true
	}
	durable := n.pages[i]
	if old, ok := n.stale[i]; ok {
		durable = old
		delete(n.stale, i)
	}
	n.saved[i] = durable
	return false
}

// own returns page i for writing, its durable content saved before. whole
// tells that all of it will be overwritten, so its content needs no copy.
func (n *inode) own(i int, whole bool) *page {
	kept := n.keep(i)
	p := n.pages[i]
	if kept && p != nil && p.owner == n.epoch {
		return p
	}
	fresh := n.pool.page(n.epoch)
	switch {
	case whole:
	case p != nil:
		fresh.data = p.data
	default:
		clear(fresh.data[:])
	}
	n.pages[i] = fresh
	return fresh
}

// put copies data to off in what readers see, without touching the size.
func (n *inode) put(data []byte, off int64) {
	for len(data) > 0 {
		i, at := int(off/pageBytes), int(off%pageBytes)
		whole := at == 0 && len(data) >= pageBytes
		if whole && bytes.Equal(data[:pageBytes], zeros[:pageBytes]) {
			n.keep(i)
			n.pages[i] = nil
			data, off = data[pageBytes:], off+pageBytes
			continue
		}
		p := n.own(i, whole)
		k := copy(p.data[at:], data)
		data, off = data[k:], off+int64(k)
	}
}

// get copies what readers see at off; the range must lie below size.
func (n *inode) get(data []byte, off int64) {
	for len(data) > 0 {
		i, at := int(off/pageBytes), int(off%pageBytes)
		k := min(len(data), pageBytes-at)
		if p := n.page(i); p != nil {
			copy(data[:k], p.data[at:])
		} else {
			clear(data[:k])
		}
		data, off = data[k:], off+int64(k)
	}
}

// getShifted copies what lies shift bytes further on than a reader thinks; zeros
// beyond the end.
func (n *inode) getShifted(data []byte, off, shift int64) {
	if shift == 0 {
		n.get(data, off)
		return
	}
	clear(data)
	from := max(0, off+shift)
	if k := min(int64(len(data)), n.size-from); k > 0 {
		n.get(data[:k], from)
	}
}

// setSize changes the size; what is cut off reads as zeros if it comes back.
func (n *inode) setSize(size int64) {
	if size < n.size {
		if at := int(size % pageBytes); at != 0 && n.page(int(size/pageBytes)) != nil {
			clear(n.own(int(size/pageBytes), false).data[at:])
		}
		for i := int(roundUp(size) / pageBytes); i < len(n.pages); i++ {
			if n.pages[i] != nil {
				n.own(i, true)
				n.pages[i] = nil
			}
		}
	}
	n.size = size
}

// apply carries out a change on what readers see.
func (n *inode) apply(c change) {
	switch c.kind {
	case OpWrite:
		n.put(c.data, c.off)
		n.size = max(n.size, c.off+int64(len(c.data)))
	case OpTruncate:
		n.setSize(c.off)
	case OpAllocate:
		n.size = max(n.size, c.off)
	}
}

// record applies a change and remembers it as not durable.
func (n *inode) record(c change) {
	n.apply(c)
	n.pending = append(n.pending, c)
	n.pendingSize += int64(len(c.data))
	if n.pendingSize > pendingBytesMax {
		n.sync()
	}
}

// sync makes everything durable except pages whose earlier sync failed and
// that were not written since: the kernel holds them for clean.
func (n *inode) sync() {
	for i, p := range n.saved {
		if p != nil && p.owner == n.epoch && p != n.page(i) {
			n.pool.givePage(p)
		}
	}
	clear(n.saved)
	n.forget()
}

// syncFailed models what Linux does (ATC'20, "Can applications recover from
// fsync failures?"): the pages are marked clean, so reads return the new
// content, a later sync has nothing to do, and a power loss returns the old.
func (n *inode) syncFailed() {
	if n.stale == nil {
		n.stale = map[int]*page{}
	}
	for i, p := range n.saved {
		if _, ok := n.stale[i]; !ok {
			n.stale[i] = p
		}
	}
	clear(n.saved)
	n.forget()
}

// scrap gives back the pages of a file that nobody can reach any more.
func (n *inode) scrap() {
	for _, p := range n.pages {
		if p != nil && p.owner == n.epoch {
			n.pool.givePage(p)
		}
	}
	n.sync()
	n.pages = nil
}

func (n *inode) forget() {
	if !n.lent {
		for i := range n.pending {
			n.pool.giveBuffer(n.pending[i].data)
		}
	}
	n.lent = false
	clear(n.pending)
	n.pending = n.pending[:0]
	n.pendingSize = 0
	n.durableSize = n.size
}

// poke changes content behind everybody's back, durable content included.
func (n *inode) poke(data []byte, off int64) {
	for len(data) > 0 {
		i, at := int(off/pageBytes), int(off%pageBytes)
		k := min(len(data), pageBytes-at)
		for _, hidden := range []map[int]*page{n.saved, n.stale} {
			if p, ok := hidden[i]; ok {
				hidden[i] = patched(p, at, data[:k])
			}
		}
		for i >= len(n.pages) {
			n.pages = append(n.pages, nil)
		}
		fresh := patched(n.pages[i], at, data[:k])
		fresh.owner = n.epoch
		n.pages[i] = fresh
		data, off = data[k:], off+int64(k)
	}
}

func patched(p *page, at int, data []byte) *page {
	fresh := &page{}
	if p != nil {
		fresh.data = p.data
	}
	copy(fresh.data[at:], data)
	return fresh
}
