package state

import "fmt"

// WindowSize is how many sequence numbers of an origin are told apart: a
// member may have that many requests in flight, and no more.
const WindowSize = 1 << 16

const windowWords = WindowSize / 64

// window remembers which requests of one member were applied, so that each
// applies at most once however often the network or a retry repeats it.
//
// Sequence numbers above high-WindowSize are told apart by a ring of bits, the
// bit of seq at seq mod WindowSize. What is at or below is forgotten: nobody can
// say any longer whether it was applied, so it isn't.
//
//	seq  …  h-65536 | h-65535  …  h-2  h-1   h | h+1 …
//	        forgotten |   1         1    0   1 | fresh
//
// Invariants:
//  1. high is 0 iff nothing was applied in this boot; then bits are all zero.
//  2. The bit of high is set; bits stand for (high-WindowSize, high] only.
//  3. boot never falls while incarnation stays.
type window struct {
	incarnation uint64 // 0: nothing heard, nothing bound
	boot        uint64
	high        uint64
	bits        *[windowWords]uint64 // nil until the first request
}

// admit decides about a request and, if it is fresh, marks it. The error is
// ErrDuplicate or ErrAmbiguous.
func (w *window) admit(id RequestID) error {
	switch {
	case w.incarnation == 0:
		w.incarnation = id.Incarnation
	case w.incarnation != id.Incarnation:
		return ErrAmbiguous
	}
	switch {
	case id.Boot < w.boot:
		return ErrAmbiguous
	case id.Boot > w.boot:
		w.restart(id.Boot)
	}
	return w.mark(id.Seq)
}

// mark takes a sequence number of the present boot.
func (w *window) mark(seq uint64) error {
	if seq == 0 {
		panic("state: window.mark of sequence 0")
	}
	if seq > w.high {
		w.advance(seq)
		return nil
	}
	if w.high-seq >= WindowSize {
		return ErrAmbiguous
	}
	if w.has(seq) {
		return ErrDuplicate
	}
	w.set(seq)
	return nil
}

// advance makes seq the highest, forgetting what falls out of the window.
func (w *window) advance(seq uint64) {
	if w.bits == nil {
		w.bits = new([windowWords]uint64)
	}
	if seq-w.high >= WindowSize {
		*w.bits = [windowWords]uint64{}
	} else {
		for s := w.high + 1; s < seq; s++ {
			w.bits[s/64%windowWords] &^= 1 << (s % 64)
		}
	}
	w.high = seq
	w.set(seq)
}

func (w *window) has(seq uint64) bool {
	return w.bits[seq/64%windowWords]&(1<<(seq%64)) != 0
}

func (w *window) set(seq uint64) {
	w.bits[seq/64%windowWords] |= 1 << (seq % 64)
}

// restart begins a later boot: its sequence numbers start over.
func (w *window) restart(boot uint64) {
	*w = window{incarnation: w.incarnation, boot: boot}
}

// bind names the incarnation that counts from now on. Requests of another one
// were applied or refused before; their window is of no use any more.
func (w *window) bind(incarnation uint64) {
	if incarnation == 0 || incarnation == w.incarnation {
		return
	}
	*w = window{incarnation: incarnation}
}

func (w *window) clone() window {
	c := *w
	if w.bits != nil {
		bits := *w.bits
		c.bits = &bits
	}
	return c
}

func (w *window) hash(h uint64) uint64 {
	h = mix(mix(mix(h, w.incarnation), w.boot), w.high)
	if w.bits == nil {
		return h
	}
	for i, word := range w.bits {
		if word != 0 {
			h = mix(mix(h, uint64(i)), word)
		}
	}
	return h
}

// check panics if an invariant is broken.
func (w *window) check() {
	if (w.high == 0) != (w.bits == nil) || w.high != 0 && !w.has(w.high) {
		panic(fmt.Sprintf("state: window high %d without its bit", w.high))
	}
}
