package tcp

import "sync"

// queue holds the frames that wait for one link's writer. Its bounds count the
// frames that the writer has taken and not yet written, too.
//
// When it is full the newest frame is dropped, not the oldest: what stays is
// then a prefix of what was sent, so a follower that wakes up finds
// AppendEntries without a gap, and rejects nothing.
//
// Invariants:
//  1. bytes and count cover frames and what was taken and not released.
//  2. A closed queue holds nothing: without a link, frames are dropped.
type queue struct {
	framesMax, bytesMax int
	// ready has an element if frames may have come since it was last drained.
	ready chan struct{}

	mu     sync.Mutex
	frames [][]byte
	count  int
	bytes  int
	open   bool
	full   bool // a frame was dropped since the queue was last empty
}

func newQueue(framesMax, bytesMax int) *queue {
	return &queue{framesMax: framesMax, bytesMax: bytesMax, ready: make(chan struct{}, 1)}
}

// put queues a frame. dropped says that it was not; overflow, that it was the
// first to be dropped because the queue is full.
func (q *queue) put(frame []byte) (dropped, overflow bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return true, false
	}
	if q.count > 0 && (q.count >= q.framesMax || q.bytes+len(frame) > q.bytesMax) {
		overflow = !q.full
		q.full = true
		return true, overflow
	}
	q.frames = append(q.frames, frame)
	q.count++
	q.bytes += len(frame)
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return false, false
}

// take swaps what waits for an empty slice, whose array is used again.
func (q *queue) take(empty [][]byte) [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.frames
	q.frames = empty[:0]
	return taken
}

// release returns the room of frames that were taken and written.
func (q *queue) release(frames [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range frames {
		q.count--
		q.bytes -= len(f)
	}
	if q.count == 0 {
		q.full = false
	}
}

// setOpen opens the queue for a new connection or closes it with the old one,
// empty in both cases. The writer must not be between take and release.
func (q *queue) setOpen(open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open, q.full = open, false
	q.frames, q.count, q.bytes = nil, 0, 0
	select {
	case <-q.ready:
	default:
	}
}

// depth is what waits now, in frames and bytes.
func (q *queue) depth() (count, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, q.bytes
}
