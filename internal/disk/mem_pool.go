package disk

import "bytes"

// pool keeps pages and buffers that a Mem has no use for, so that a simulated
// disk, which writes all the time, leaves next to nothing to the garbage
// collector. It belongs to one Mem and is guarded by its lock.
type pool struct {
	pages   []*page
	buffers [][]byte
}

// What a pool holds at most: enough for the files of a test, no hoard.
const (
	poolPagesMax   = 1024
	poolBuffersMax = 64
)

// zeros stand for all data that is nothing else: files are filled with them ahead.
var zeros [256 << 10]byte

// copied returns a copy of data that is not changed until it is given back.
func (p *pool) copied(data []byte) []byte {
	if len(data) <= len(zeros) && bytes.Equal(data, zeros[:len(data)]) {
		return zeros[:len(data):len(data)]
	}
	for i := len(p.buffers) - 1; i >= 0; i-- {
		if b := p.buffers[i]; cap(b) >= len(data) {
			last := len(p.buffers) - 1
			p.buffers[i], p.buffers[last] = p.buffers[last], nil
			p.buffers = p.buffers[:last]
			return append(b[:0], data...)
		}
	}
	return bytes.Clone(data)
}

// giveBuffer takes back what copied returned.
func (p *pool) giveBuffer(b []byte) {
	if cap(b) > 0 && &b[:1][0] != &zeros[0] && len(p.buffers) < poolBuffersMax {
		p.buffers = append(p.buffers, b)
	}
}

// page returns a page for an inode's epoch; its content is anything.
func (p *pool) page(owner *epoch) *page {
	n := len(p.pages)
	if n == 0 {
		return &page{owner: owner}
	}
	fresh := p.pages[n-1]
	p.pages = p.pages[:n-1]
	fresh.owner = owner
	return fresh
}

// givePage takes a page that nobody else can see any more.
func (p *pool) givePage(g *page) {
	if len(p.pages) < poolPagesMax {
		g.owner = nil
		p.pages = append(p.pages, g)
	}
}
