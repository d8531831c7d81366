package mvcc

import "sort"

// extent is the directory of history as one moment saw it: chunks in revision
// order and the end of the last one. The writer's later appends lie beyond it,
// and a compaction replaces the writer's directory instead of changing this
// one, so an extent may be read by any goroutine at any time.
type extent struct {
	chunks []*chunk
	tail   int // bytes of the last chunk that belong to the extent
}

// end is the number of bytes of chunk i in the extent.
func (e extent) end(i int) int {
	if i == len(e.chunks)-1 {
		return e.tail
	}
	return e.chunks[i].used
}

// seek returns a cursor before the first record whose main revision is at
// least rev.
func (e extent) seek(rev int64) cursor {
	i := sort.Search(len(e.chunks), func(i int) bool { return e.chunks[i].first.Main >= rev })
	if i > 0 {
		i-- // records of rev may begin in the chunk before
	}
	c := cursor{ext: e, chunk: i}
	for {
		before := c
		r, _, ok := c.next()
		if !ok || r.rev.Main >= rev {
			return before // at the end too: more may be appended to the last chunk
		}
	}
}

// cursor walks an extent in revision order.
type cursor struct {
	ext        extent
	chunk, off int
}

// next returns the next record and where it is; false at the end.
func (c *cursor) next() (record, version, bool) {
	for c.chunk < len(c.ext.chunks) && c.off >= c.ext.end(c.chunk) {
		c.chunk, c.off = c.chunk+1, 0
	}
	if c.chunk >= len(c.ext.chunks) {
		return record{}, version{}, false
	}
	r, v, next := c.ext.chunks[c.chunk].read(c.off)
	c.off = next
	return r, v, true
}

// history is the writer's directory. It only appends, until a compaction
// installs another list of chunks.
type history struct {
	chunks     []*chunk
	chunkBytes int // size of a full-grown chunk
	generation int // counts the directories that compaction has installed
}

// extent is the directory as it is now.
func (h *history) extent() extent {
	n := len(h.chunks)
	if n == 0 {
		return extent{}
	}
	return extent{chunks: h.chunks[:n:n], tail: h.chunks[n-1].used}
}

// append adds a record at the end. deadBefore is what the last chunk must
// remember if this record opens a new one.
func (h *history) append(r *record, deadBefore int64) version {
	if n := len(h.chunks); n > 0 {
		if v, ok := h.chunks[n-1].add(r); ok {
			return v
		}
		h.chunks[n-1].deadAfter = deadBefore
	}
	c := newChunk(h.nextSize(r), r.rev)
	// extent hands out a full slice expression, so this never writes into an
	// array element that a view can see.
	h.chunks = append(h.chunks, c)
	v, ok := c.add(r)
	if !ok {
		panic("mvcc: a record doesn't fit a chunk made for it")
	}
	return v
}

// nextSize grows chunks with the store, so that a small one stays small.
func (h *history) nextSize(r *record) int {
	size := min(chunkBytesMin, h.chunkBytes)
	if n := len(h.chunks); n > 0 {
		size = min(max(size, 2*len(h.chunks[n-1].data)), h.chunkBytes)
	}
	return max(size, headMax+len(r.key)+len(r.value))
}

// deadAt is the sum of record.dead over all records of main revision ≤ rev,
// also those that compaction has removed; total is the sum over all. It reads
// at most the records of one chunk: compaction never removes a record that is
// newer than the revisions asked for here.
func (h *history) deadAt(rev, total int64) int64 {
	i := sort.Search(len(h.chunks), func(i int) bool { return h.chunks[i].last.Main > rev })
	if i == len(h.chunks) {
		return total
	}
	dead := total
	if i < len(h.chunks)-1 {
		dead = h.chunks[i].deadAfter
	}
	for off := 0; off < h.chunks[i].used; {
		r, _, next := h.chunks[i].read(off)
		if r.rev.Main > rev {
			dead -= r.dead
		}
		off = next
	}
	return dead
}
