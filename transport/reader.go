package transport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	// readBufferBytes lets one system call fetch many small frames.
	readBufferBytes = 64 << 10
	// trustedBytes is what a length word alone may make us allocate. A longer
	// payload grows as its bytes arrive, so that twelve bytes from a stranger
	// never cost 64 MiB.
	trustedBytes = 1 << 20
)

// Reader takes frames off a byte stream. It is not for concurrent use.
type Reader struct {
	buffered *bufio.Reader
	header   [FrameHeaderBytes]byte
	received uint64
}

// NewReader returns a Reader of the stream.
func NewReader(stream io.Reader) *Reader {
	return &Reader{buffered: bufio.NewReaderSize(stream, readBufferBytes)}
}

// Next returns the next frame, whatever its kind.
func (r *Reader) Next() (Frame, error) { return r.NextOf() }

// NextOf returns the next frame, which must be of one of the kinds (none: any
// kind). Another one is ErrMalformed before its payload is read, so that a
// stranger who has not said Hello can't send 64 MiB. The payload is freshly allocated and belongs to
// the caller. io.EOF means that the stream ended between two frames,
// ErrTruncated inside one, ErrMalformed that it can't be followed any further;
// other errors are the stream's. After an error the Reader is spent.
func (r *Reader) NextOf(kinds ...Kind) (Frame, error) {
	if _, err := io.ReadFull(r.buffered, r.header[:]); err != nil {
		return Frame{}, truncated(err)
	}
	kind, length, err := parseHeader(r.header[:])
	if err != nil {
		return Frame{}, err
	}
	if len(kinds) != 0 && !slices.Contains(kinds, kind) {
		return Frame{}, fmt.Errorf("%w: a %v frame out of place", ErrMalformed, kind)
	}
	payload, err := r.readPayload(length)
	if err != nil {
		return Frame{}, err
	}
	if err := checkCRC(r.header[:], payload); err != nil {
		return Frame{}, err
	}
	r.received += uint64(FrameHeaderBytes + length)
	return Frame{Kind: kind, Payload: payload}, nil
}

// Received is the number of bytes in the frames returned so far.
func (r *Reader) Received() uint64 { return r.received }

func (r *Reader) readPayload(length int) ([]byte, error) {
	if length == 0 {
		return nil, nil
	}
	payload := make([]byte, min(length, trustedBytes))
	for filled := 0; ; {
		n, err := io.ReadFull(r.buffered, payload[filled:])
		if err != nil {
			return nil, insideFrame(err)
		}
		if filled += n; filled == length {
			return payload, nil
		}
		grown := make([]byte, min(length, 2*filled))
		copy(grown, payload)
		payload = grown
	}
}

func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// insideFrame knows that a header came before, so that even a clean end is torn.
func insideFrame(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}
