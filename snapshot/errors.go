package snapshot

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt: a file isn't what a Writer wrote. The error is a
	// *CorruptError, which says where.
	ErrCorrupt = errors.New("snapshot: corrupt")
	// ErrUnknownFormat: a file of a format that this release doesn't know,
	// probably a newer one's.
	ErrUnknownFormat = errors.New("snapshot: unknown format")
	// ErrForeign: a sound snapshot, but of another cluster, or not the one
	// that was announced.
	ErrForeign = errors.New("snapshot: not the one expected")
	// ErrTooLarge: a file beyond Options.FileBytesMax or RawBytesMax, or a
	// damaged one that says so.
	ErrTooLarge = errors.New("snapshot: too large")
	// ErrGap: a chunk that doesn't continue what was received. The sender
	// goes on from Receiver.Offset.
	ErrGap = errors.New("snapshot: chunk leaves a gap")
)

// CorruptError tells which part of a file is damaged.
type CorruptError struct {
	File   string
	Offset int64  // where the damaged part begins
	What   string // header, block, footer…, and what is wrong with it
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("snapshot: %s is corrupt at offset %d: %s", e.File, e.Offset, e.What)
}

// Is makes errors.Is(err, ErrCorrupt) hold.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
