package transport

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
)

// cursor reads integers off a payload. The first failure sticks, the reads
// after it return zero: so decoders read top to bottom like their drawings
// and ask once, at the end, whether it went well. What is read before that
// must not be used to allocate.
type cursor struct {
	rest []byte
	err  error
}

// fail records the first thing that is wrong.
func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
	}
	c.rest = nil
}

// bytes takes n bytes, nil for none. They alias the payload.
func (c *cursor) bytes(n int, what string) []byte {
	if c.err != nil || n == 0 {
		return nil
	}
	if n < 0 || n > len(c.rest) {
		c.fail("%s: %d bytes wanted, %d left", what, n, len(c.rest))
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u8(what string) uint8 {
	if b := c.bytes(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16(what string) uint16 {
	if b := c.bytes(2, what); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32(what string) uint32 {
	if b := c.bytes(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64(what string) uint64 {
	if b := c.bytes(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) entryID(what string) raft.EntryID {
	return raft.EntryID{Term: raft.Term(c.u64(what)), Index: raft.Index(c.u64(what))}
}
