package mvcc

// merge is the rewrite phase of a compaction. It walks the directory and
// replaces each run of neighbouring chunks that are less than half live by one
// chunk with what is alive in them. Items are pointed to the copies one slice
// at a time; the sources stay in the directory, whole, until the last record
// has moved, so that history reads the same all the while.
type merge struct {
	next int // the first chunk of the directory that wasn't looked at
	// While a run is being copied:
	sources int    // how many chunks from next on; 0: none
	out     *chunk // where their live records go; nil while nothing is copied
	chunk   int    // the source and
	off     int    // the offset in it that come next
}

// sparse tells that less than half of c is alive. small chunks, which a merge
// has left or the store began with, may join a run but don't start one.
func (c *chunk) sparse() bool { return 2*c.live < c.used }

func (s *Store) small(c *chunk) bool { return 2*len(c.data) < s.log.chunkBytes }

// rewriteStep does a slice of the merge and ends the compaction after it.
func (s *Store) rewriteStep(left int) int {
	m := &s.compactor.merge
	for left > 0 {
		if m.sources > 0 {
			left = s.copyRecords(left)
			continue
		}
		last := len(s.log.chunks) - 1 // the writer is still filling it
		for m.next < last && !s.log.chunks[m.next].sparse() {
			m.next++
		}
		if m.next >= last {
			s.finish()
			return left
		}
		s.beginMerge()
		left--
	}
	return max(left, 0)
}

// beginMerge chooses the run around the sparse chunk at next.
func (s *Store) beginMerge() {
	m := &s.compactor.merge
	chunks := s.log.chunks
	joins := func(c *chunk, total int) bool {
		return (c.sparse() || s.small(c)) && total+c.live <= s.log.chunkBytes
	}
	first, end, total := m.next, m.next+1, chunks[m.next].live
	for first > 0 && joins(chunks[first-1], total) {
		first--
		total += chunks[first].live
	}
	for end < len(chunks)-1 && joins(chunks[end], total) {
		total += chunks[end].live
		end++
	}
	*m = merge{next: first, sources: end - first}
	if total == 0 {
		s.install() // all dead: there is nothing to look for in them
		return
	}
	m.out = newChunk(total, chunks[first].first)
}

// copyRecords moves up to left live records of the run to its new chunk.
func (s *Store) copyRecords(left int) int {
	m := &s.compactor.merge
	for ; left > 0; left-- {
		if m.chunk == m.sources {
			s.install()
			return left
		}
		src := s.log.chunks[m.next+m.chunk]
		if m.off >= src.used {
			m.chunk, m.off = m.chunk+1, 0
			continue
		}
		r, _, next := src.read(m.off)
		m.off = next
		left -= s.move(&r)
	}
	return left
}

// move copies r to the new chunk if the index still has it. It returns what it
// cost beyond the lookup, in keys.
func (s *Store) move(r *record) int {
	it := s.tree.get(r.key)
	if it == nil {
		return 0
	}
	i := it.find(r.rev)
	if i < 0 {
		return 0
	}
	v, ok := s.compactor.merge.out.add(r)
	if !ok {
		panic("mvcc: more is alive in a run of chunks than was counted")
	}
	s.tree.set(it.moved(i, v))
	return it.count() / versionsPerKey
}

// install puts the new chunk in the place of the run, in a new directory.
func (s *Store) install() {
	m := &s.compactor.merge
	old := s.log.chunks
	end := m.next + m.sources
	chunks := make([]*chunk, 0, len(old)-m.sources+1)
	chunks = append(chunks, old[:m.next]...)
	if m.out != nil {
		m.out.last, m.out.deadAfter = old[end-1].last, old[end-1].deadAfter
		chunks = append(chunks, m.out)
	}
	s.log.chunks = append(chunks, old[end:]...)
	s.log.generation++
	*m = merge{next: len(chunks)}
	s.view = nil
}
