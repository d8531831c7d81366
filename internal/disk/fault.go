package disk

import (
	"errors"
	"strings"
)

// ErrIO is the error that injected faults return unless told otherwise.
var ErrIO = errors.New("disk: input/output error (injected)")

// ErrStopped is what every operation returns once a Mem was stopped.
var ErrStopped = errors.New("disk: stopped (injected)")

// Fault is what an Injector does to one operation. The zero Fault lets it pass.
type Fault struct {
	// Err makes the operation fail with this error.
	Err error
	// Stored bytes of a failing write reach the file all the same.
	Stored int
	// Lost acknowledges a write that is never stored (a lying disk). Ignored
	// when Err is set and for all but writes.
	Lost bool
	// Shift lets a read return what lies so many bytes further on (a misdirected
	// read). Ignored when Err is set and for all but reads.
	Shift int64
}

// Injector decides about each operation of a Mem before it happens. It is
// called with the Mem's lock held and must not call it back.
type Injector func(Op) Fault

// StopAt lets the first k operations that change the disk pass and fails all
// others from then on, the k-th included if k is 1: StopAt(1) lets none pass.
// It returns the injector of "crash at disk operation k".
func StopAt(k int) Injector {
	seen := 0
	return func(op Op) Fault {
		if op.Kind.Changes() {
			seen++
		}
		if seen >= k {
			return Fault{Err: ErrStopped}
		}
		return Fault{}
	}
}

// Times is how often a FailOn injector strikes when it is to strike for ever.
const Times = int(^uint(0) >> 1)

// FailOn fails the n-th to (n+count-1)-th operations of a kind on names that
// contain part, counted from 1, with err.
func FailOn(kind OpKind, part string, n, count int, err error) Injector {
	seen := 0
	return func(op Op) Fault {
		if op.Kind != kind || !strings.Contains(op.Name, part) {
			return Fault{}
		}
		seen++
		if seen >= n && seen-n < count {
			return Fault{Err: err}
		}
		return Fault{}
	}
}

// LoseWrites acknowledges the n-th to (n+count-1)-th writes to names that
// contain part without storing them.
func LoseWrites(part string, n, count int) Injector {
	strike := FailOn(OpWrite, part, n, count, ErrIO)
	return func(op Op) Fault { return Fault{Lost: strike(op).Err != nil} }
}
