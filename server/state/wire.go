package state

import (
	"encoding/binary"
	"fmt"
)

// Everything here is written with five primitives:
//
//	byte      one byte
//	fixed64   8 bytes, little endian        ids that are random anyway
//	uvarint   LEB128, shortest form only    counts, terms, sequence numbers
//	varint    zigzag, then uvarint          signed numbers: revisions, TTLs
//	bytes     uvarint length, then bytes    keys, values, names
//
// Only the shortest varint is accepted, so that a value has one encoding and
// encode(decode(b)) == b, which the fuzz targets check.

func appendBytes[T []byte | string](dst []byte, b T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendBytes(dst, s)
	}
	return dst
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// reader takes primitives off the front of b. The first failure sticks: later
// reads return zeros, so a decoder checks err once, at its end. Slices that it
// returns alias b.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s, %d bytes from the end", ErrMalformed, what, len(r.b))
	}
	r.b = nil
}

func (r *reader) unknown(what string, value uint64) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s %d", ErrUnknownFormat, what, value)
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("byte missing")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) bool() bool {
	v := r.byte()
	if v > 1 {
		r.fail("boolean out of range")
	}
	return v == 1
}

// flags reads a byte of which only the bits in known may be set.
func (r *reader) flags(known byte) byte {
	v := r.byte()
	if v&^known != 0 {
		r.unknown("flags", uint64(v))
		return 0
	}
	return v
}

// enum reads a byte up to max.
func (r *reader) enum(what string, max byte) byte {
	v := r.byte()
	if v > max {
		r.unknown(what, uint64(v))
		return 0
	}
	return v
}

func (r *reader) fixed64() uint64 {
	if len(r.b) < 8 {
		r.fail("fixed64 cut short")
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.fail("bad varint")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads the length of a list whose elements take at least sizeMin bytes
// each: so nothing is allocated for elements that can't be there.
func (r *reader) count(sizeMin int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/sizeMin) {
		r.fail("count past the end")
		return 0
	}
	return int(n)
}

// bytes returns a slice of the input with no spare capacity; nil if empty.
func (r *reader) bytes() []byte {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) strings() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.string())
	}
	return list
}

// close reports the first failure; bytes left over are one.
func (r *reader) close() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes left over")
	}
	return r.err
}
