package tcp

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// A snapshot stream is a connection of its own. After the Hellos its payloads
// (KindSnapshot) are, in this order, little-endian:
//
//	dialler  → offer   1 u8 │ term u64 │ size u64 │ file u64 │ meta, raft's encoding …
//	receiver → accept  2 u8 │ offset u64: the bytes that it has already
//	dialler  → chunk   3 u8 │ offset u64 │ 1 to 256 KiB of the file, until all of it is sent
//	receiver → done    4 u8: the file is complete, verified and durable
//
// The receiver sends pings in between, so that a slow disk is not taken for a
// dead member, and may end all of it with a KindRefusal.
const (
	snapshotOffer byte = 1 + iota
	snapshotAccept
	snapshotChunk
	snapshotDone
)

const (
	chunkBytesMax    = 256 << 10
	chunkHeaderBytes = 9
	offerHeaderBytes = 25
)

func appendOffer(dst []byte, o SnapshotOffer) []byte {
	le := binary.LittleEndian
	dst = append(dst, snapshotOffer)
	dst = le.AppendUint64(dst, uint64(o.Term))
	dst = le.AppendUint64(dst, uint64(o.Size))
	dst = le.AppendUint64(dst, o.File)
	return raft.AppendSnapshotMeta(dst, o.Meta)
}

func decodeOffer(b []byte) (SnapshotOffer, error) {
	if len(b) <= offerHeaderBytes || len(b) > offerHeaderBytes+transport.SnapshotMetaBytesMax || b[0] != snapshotOffer {
		return SnapshotOffer{}, fmt.Errorf("snapshot offer: %w: %d bytes", transport.ErrMalformed, len(b))
	}
	le := binary.LittleEndian
	size := le.Uint64(b[9:])
	if size == 0 || size > math.MaxInt64 {
		return SnapshotOffer{}, fmt.Errorf("snapshot offer: %w: a file of %d bytes", transport.ErrMalformed, size)
	}
	meta, err := raft.DecodeSnapshotMeta(b[offerHeaderBytes:])
	if err != nil {
		return SnapshotOffer{}, fmt.Errorf("snapshot offer: %w: %w", transport.ErrMalformed, err)
	}
	return SnapshotOffer{Term: raft.Term(le.Uint64(b[1:])), Size: int64(size), File: le.Uint64(b[17:]), Meta: meta}, nil
}

func appendAccept(dst []byte, offset int64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, snapshotAccept), uint64(offset))
}

// decodeAccept reads the offset, which lies within [0, size].
func decodeAccept(b []byte, size int64) (offset int64, err error) {
	if len(b) != chunkHeaderBytes || b[0] != snapshotAccept {
		return 0, fmt.Errorf("snapshot accept: %w: %d bytes", transport.ErrMalformed, len(b))
	}
	at := binary.LittleEndian.Uint64(b[1:])
	if at > uint64(size) {
		return 0, fmt.Errorf("snapshot accept: %w: offset %d of %d", transport.ErrMalformed, at, size)
	}
	return int64(at), nil
}

func appendChunkHeader(dst []byte, offset int64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, snapshotChunk), uint64(offset))
}

// decodeChunk reads the bytes that must stand at offset in a file of size.
func decodeChunk(b []byte, offset, size int64) ([]byte, error) {
	if len(b) <= chunkHeaderBytes || len(b) > chunkHeaderBytes+chunkBytesMax || b[0] != snapshotChunk {
		return nil, fmt.Errorf("snapshot chunk: %w: %d bytes", transport.ErrMalformed, len(b))
	}
	at, data := binary.LittleEndian.Uint64(b[1:]), b[chunkHeaderBytes:]
	if at != uint64(offset) || int64(len(data)) > size-offset {
		return nil, fmt.Errorf("snapshot chunk: %w: %d bytes at %d, expected at %d of %d",
			transport.ErrMalformed, len(data), at, offset, size)
	}
	return data, nil
}
