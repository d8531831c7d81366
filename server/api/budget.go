package api

import (
	"context"
	"slices"
	"sync"
)

// budget bounds how many bytes requests hold at the same time. Who finds no room
// waits in line; nobody is passed over, so a large request gets its turn. What is
// larger than the whole budget is let in alone.
//
// Invariants:
//  1. used is the sum of what was taken and not given back; at most max.
//  2. Whoever stands first in line doesn't fit in now.
type budget struct {
	max int64

	mu   sync.Mutex
	used int64
	line []*waiter
}

type waiter struct {
	bytes int64
	in    chan struct{} // closed once it was let in
}

// take waits for room and returns what has to be given back. An error is ctx's;
// then nothing was taken.
func (b *budget) take(ctx context.Context, bytes int64) (taken int64, err error) {
	bytes = min(bytes, b.max)
	b.mu.Lock()
	if len(b.line) == 0 && b.used+bytes <= b.max {
		b.used += bytes
		b.mu.Unlock()
		return bytes, nil
	}
	w := &waiter{bytes: bytes, in: make(chan struct{})}
	b.line = append(b.line, w)
	b.mu.Unlock()
	select {
	case <-w.in:
		return bytes, nil
	case <-ctx.Done():
		if b.leave(w) {
			return 0, ctx.Err()
		}
		return bytes, nil // it was let in at the same moment
	}
}

// leave takes a waiter out of the line, if it still stands there.
func (b *budget) leave(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(b.line, w)
	if at < 0 {
		return false
	}
	b.line = slices.Delete(b.line, at, at+1)
	b.letIn()
	return true
}

func (b *budget) give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= bytes
	if b.used < 0 {
		panic("api: more given back to a budget than was taken")
	}
	b.letIn()
}

func (b *budget) letIn() {
	for len(b.line) > 0 && b.used+b.line[0].bytes <= b.max {
		b.used += b.line[0].bytes
		close(b.line[0].in)
		b.line = slices.Delete(b.line, 0, 1)
	}
}

func (b *budget) held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
