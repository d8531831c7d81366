package state

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// naiveWindow says the same as window, with a set that forgets nothing.
type naiveWindow struct {
	incarnation, boot, high uint64
	applied                 map[uint64]bool
}

func (n *naiveWindow) admit(id RequestID) error {
	if n.incarnation != 0 && n.incarnation != id.Incarnation || id.Boot < n.boot {
		return ErrAmbiguous
	}
	n.incarnation = id.Incarnation
	if id.Boot > n.boot {
		n.boot, n.high, n.applied = id.Boot, 0, map[uint64]bool{}
	}
	if n.high >= WindowSize && id.Seq <= n.high-WindowSize {
		return ErrAmbiguous
	}
	if n.applied[id.Seq] {
		return ErrDuplicate
	}
	n.applied[id.Seq] = true
	n.high = max(n.high, id.Seq)
	return nil
}

// The ring of bits answers as a set would, at every edge of the window.
func TestWindowModel(t *testing.T) { rapid.Check(t, windowModel) }

func FuzzWindow(f *testing.F) { fuzz.Model(f, windowModel) }

func windowModel(t *rapid.T) {
	var w window
	n := naiveWindow{applied: map[uint64]bool{}}
	for range rapid.IntRange(1, 60).Draw(t, "requests") {
		id := RequestID{Incarnation: rapid.SampledFrom([]uint64{7, 7, 7, 7, 8}).Draw(t, "incarnation"),
			Boot: rapid.SampledFrom([]uint64{0, 1, 1, 1, 1, 1, 2}).Draw(t, "boot")}
		jump := rapid.OneOf(rapid.Int64Range(-5, 5), rapid.Int64Range(-WindowSize-2, -WindowSize+2),
			rapid.Int64Range(WindowSize-2, WindowSize+2), rapid.Int64Range(-2*WindowSize, 2*WindowSize)).Draw(t, "jump")
		id.Seq = uint64(max(int64(w.high)+jump, 1))
		if got, want := w.admit(id), n.admit(id); got != want {
			t.Fatalf("%+v after high %d: %v, want %v", id, n.high, got, want)
		}
		if w.high != n.high || w.boot != n.boot || w.incarnation != n.incarnation {
			t.Fatalf("window %d/%d/%d, want %d/%d/%d", w.incarnation, w.boot, w.high, n.incarnation, n.boot, n.high)
		}
		w.check()
		for back := range uint64(200) { // a sample of what is inside
			seq := w.high - back*337
			if w.high < back*337 || seq == 0 || back*337 >= WindowSize {
				break
			}
			if w.has(seq) != n.applied[seq] {
				t.Fatalf("bit of %d is %v below high %d", seq, w.has(seq), w.high)
			}
		}
	}
}

func TestWindowBind(t *testing.T) {
	var w window
	id := RequestID{Incarnation: 7, Boot: 1, Seq: 1}
	if err := w.admit(id); err != nil {
		t.Fatal(err)
	}
	w.bind(0)
	w.bind(7) // what was heard already: nothing is forgotten
	if err := w.admit(id); !errors.Is(err, ErrDuplicate) {
		t.Errorf("after binding its own incarnation: %v", err)
	}
	w.bind(8)
	if err := w.admit(id); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("old incarnation: %v", err)
	}
	id.Incarnation = 8
	if err := w.admit(id); err != nil {
		t.Errorf("bound incarnation: %v", err)
	}
}

// The highest numbers there are don't overflow.
func TestWindowEndOfNumbers(t *testing.T) {
	var w window
	for _, seq := range []uint64{1, ^uint64(0), ^uint64(0) - 1, ^uint64(0) - WindowSize + 1} {
		if err := w.mark(seq); err != nil {
			t.Errorf("%d: %v", seq, err)
		}
	}
	if err := w.mark(^uint64(0) - WindowSize); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("below: %v", err)
	}
}

// Bits are reused when the ring turns: what falls out leaves nothing behind,
// whatever the gaps.
func TestWindowTurns(t *testing.T) {
	for _, gap := range []uint64{1, 3, 65} {
		var w window
		applied := map[uint64]bool{}
		for seq := uint64(1); seq < 3*WindowSize; seq += 1 + mix(gap, seq)%gap {
			if err := w.mark(seq); err != nil {
				t.Fatalf("gap %d, %d: %v", gap, seq, err)
			}
			applied[seq] = true
		}
		for seq := w.high - WindowSize + 1; seq <= w.high; seq++ {
			if w.has(seq) != applied[seq] {
				t.Fatalf("gap %d: bit of %d is %v", gap, seq, w.has(seq))
			}
		}
	}
}
