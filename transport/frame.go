package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// Errors of the decoders. Both mean that the connection can't be trusted any
// more: there is no way to find the next frame behind a bad one.
var (
	// ErrMalformed: the bytes are not what any member of this version sends.
	ErrMalformed = errors.New("transport: malformed")
	// ErrTruncated: the bytes end inside a frame.
	ErrTruncated = errors.New("transport: truncated frame")
)

// FrameHeaderBytes is the size of what stands before a payload. All integers
// are little-endian.
//
//	0         4      5       6          8         12
//	├─────────┼──────┼───────┼──────────┼─────────┼───────────┐
//	│ length  │ kind │ flags │ reserved │  CRC    │ payload   │
//	│ u32     │ u8   │ u8    │ u16      │  u32    │ length B  │
//	└─────────┴──────┴───────┴──────────┴─────────┴───────────┘
//
// length counts the payload only. flags and reserved are zero in version 1.
// CRC is CRC-32C over the first eight bytes and the payload, so that a flipped
// kind or length never passes as another frame.
const FrameHeaderBytes = 12

// crcOffset is also the number of header bytes that the CRC covers.
const crcOffset = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendFrame appends one frame whose payload is the concatenation of parts.
// It panics if the payload is larger than kind.PayloadMax() or the kind is
// unknown: sizes are decided at the client gate, long before this.
func AppendFrame(dst []byte, kind Kind, parts ...[]byte) []byte {
	dst, start := beginFrame(dst, kind)
	for _, part := range parts {
		dst = append(dst, part...)
	}
	return endFrame(dst, start)
}

// beginFrame reserves a header; the payload is then appended to the result and
// endFrame fills the header in. So a message is encoded in place, not copied.
func beginFrame(dst []byte, kind Kind) (frame []byte, start int) {
	if kind == 0 || kind >= kindEnd {
		panic(fmt.Sprintf("transport: frame of unknown kind %d", kind))
	}
	return append(dst, 0, 0, 0, 0, byte(kind), 0, 0, 0, 0, 0, 0, 0), len(dst)
}

func endFrame(dst []byte, start int) []byte {
	header, payload := dst[start:start+FrameHeaderBytes], dst[start+FrameHeaderBytes:]
	kind := Kind(header[4])
	if len(payload) > kind.PayloadMax() {
		panic(fmt.Sprintf("transport: %v frame of %d bytes, at most %d fit", kind, len(payload), kind.PayloadMax()))
	}
	binary.LittleEndian.PutUint32(header, uint32(len(payload)))
	binary.LittleEndian.PutUint32(header[crcOffset:], frameCRC(header, payload))
	return dst
}

func frameCRC(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[:crcOffset], castagnoli), castagnoli, payload)
}

// DecodeFrame splits the first frame off b. The payload aliases b. Bytes that
// end too early give ErrTruncated, anything else that is wrong ErrMalformed.
func DecodeFrame(b []byte) (f Frame, rest []byte, err error) {
	if len(b) < FrameHeaderBytes {
		return Frame{}, nil, ErrTruncated
	}
	kind, length, err := parseHeader(b[:FrameHeaderBytes])
	if err != nil {
		return Frame{}, nil, err
	}
	if len(b)-FrameHeaderBytes < length {
		return Frame{}, nil, ErrTruncated
	}
	end := FrameHeaderBytes + length
	payload := b[FrameHeaderBytes:end:end]
	if err := checkCRC(b[:FrameHeaderBytes], payload); err != nil {
		return Frame{}, nil, err
	}
	return Frame{Kind: kind, Payload: payload}, b[end:], nil
}

// KindOf returns the kind that a frame names, which AppendFrame or
// AppendMessageFrame has made, without checking anything.
func KindOf(frame []byte) Kind { return Kind(frame[4]) }

// parseHeader checks all of the header that can be checked without the payload.
func parseHeader(header []byte) (kind Kind, length int, err error) {
	kind = Kind(header[4])
	n := binary.LittleEndian.Uint32(header)
	switch {
	case kind == 0 || kind >= kindEnd:
		return 0, 0, fmt.Errorf("%w: frame kind %d", ErrMalformed, kind)
	case header[5] != 0 || header[6] != 0 || header[7] != 0:
		return 0, 0, fmt.Errorf("%w: frame flags %x", ErrMalformed, header[5:8])
	case n > math.MaxInt32 || int(n) > kind.PayloadMax():
		return 0, 0, fmt.Errorf("%w: %v frame of %d bytes, at most %d allowed", ErrMalformed, kind, n, kind.PayloadMax())
	}
	return kind, int(n), nil
}

func checkCRC(header, payload []byte) error {
	stored, computed := binary.LittleEndian.Uint32(header[crcOffset:]), frameCRC(header, payload)
	if stored != computed {
		return fmt.Errorf("%w: frame CRC %08x, computed %08x", ErrMalformed, stored, computed)
	}
	return nil
}
