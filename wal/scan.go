package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// image is a segment's file in memory. Recovery holds one at a time, so a log
// larger than memory can be recovered.
type image struct {
	name string
	seq  uint64
	data []byte
	// unreadable lists the blocks that the disk failed to read.
	unreadable map[uint32]bool
	// size is the file's size in bytes; data is cut to whole blocks.
	size int64
}

// readChunkBytes is how much is read at once; a chunk that fails is read again
// block by block.
const readChunkBytes = 256 << 10

// readImage reads a segment, at most bytesMax of it, into buf, which grows as
// needed.
func readImage(f disk.File, name string, seq uint64, bytesMax int64, buf []byte) (*image, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	size = min(size, bytesMax)
	n := int(size / blockBytes * blockBytes)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	im := &image{name: name, seq: seq, data: buf[:n], size: size}
	for at := 0; at < n; at += readChunkBytes {
		chunk := im.data[at:min(at+readChunkBytes, n)]
		if k, err := f.ReadAt(chunk, int64(at)); k < len(chunk) || err != nil && err != io.EOF {
			im.readBlocks(f, at, len(chunk))
		}
	}
	return im, nil
}

// readBlocks reads a range block by block and remembers those that fail.
func (im *image) readBlocks(f disk.File, at, size int) {
	for end := at + size; at < end; at += blockBytes {
		b := im.data[at : at+blockBytes]
		if k, _ := f.ReadAt(b, int64(at)); k < blockBytes {
			clear(b)
			if im.unreadable == nil {
				im.unreadable = map[uint32]bool{}
			}
			im.unreadable[uint32(at/blockBytes)] = true
		}
	}
}

func (im *image) blocks() uint32 { return uint32(len(im.data) / blockBytes) }

func (im *image) block(i uint32) []byte {
	return im.data[int64(i)*blockBytes : int64(i+1)*blockBytes]
}

// salt reads the segment's salt from its header, or finds it in the batches: a
// batch that names this segment and its own place, and whose CRC is right
// under the salt that its magic implies, can't be there by chance.
func (im *image) salt(cluster, member uint64) (salt uint64, headerOK bool, err error) {
	if im.blocks() == 0 {
		return 0, false, errBadHeader
	}
	h, err := decodeSegmentHeader(im.block(0))
	if err == nil && h.seq == im.seq && h.cluster == cluster && h.member == member {
		return h.salt, true, nil
	}
	for i := uint32(1); i < im.blocks(); i++ {
		b := im.block(i)
		for _, at := range [2]int{0, blockBytes - headerBytes} {
			salt := binary.LittleEndian.Uint64(b[at:]) ^ batchMagic
			if h, ok := decodeHeader(b[at:], salt); ok && h.pos.Seq == im.seq && (at > 0 || h.pos.Block == i) {
				return salt, false, nil
			}
		}
	}
	if err == nil {
		err = errBadHeader
	}
	return 0, false, err
}

// short reports whether the file is shorter than its header says.
func (im *image) short() bool {
	if im.blocks() == 0 {
		return true // it got its name when it was complete
	}
	h, err := decodeSegmentHeader(im.block(0))
	return err == nil && h.seq == im.seq && im.size < min(h.size, batchBytesMax)
}

// item is a batch found in a segment, or a gap where none can be read.
type item struct {
	from, to uint32 // blocks, to exclusive
	// h is nil for a gap.
	h *header
	// trailer tells that only the trailer could be read, not the header.
	trailer bool
	// whole: the payload is as it was written.
	whole bool
	// rows is the identity table, nil if it can't be read or there is none.
	rows    []row
	payload []byte
	problem string
}

// scan lists what is found from block 1 to block end, in order, without
// judging: gaps and damaged batches stand between whole ones.
func (im *image) scan(salt uint64, end uint32) []item {
	var items []item
	end = min(end, im.blocks())
	for at := uint32(1); at < end; {
		it := im.find(salt, at, end)
		if it.from > at {
			items = append(items, item{from: at, to: it.from, problem: im.describe(at, it.from)})
		}
		if it.h == nil {
			break
		}
		items = append(items, it)
		at = it.to
	}
	return items
}

// find returns the next batch at or after block at, by its header or else by
// its trailer; an item from end on if there is none.
func (im *image) find(salt uint64, at, end uint32) item {
	for i := at; i < end; i++ {
		b := im.block(i)
		if h, ok := decodeHeader(b, salt); ok && h.pos == (Pos{im.seq, i}) {
			return im.open(h, false)
		}
		h, ok := decodeHeader(b[blockBytes-headerBytes:], salt)
		if ok && h.pos.Seq == im.seq && h.pos.Block >= at && h.end().Block == i+1 {
			return im.open(h, true)
		}
	}
	return item{from: end, to: end}
}

// open checks a batch's payload.
func (im *image) open(h header, trailer bool) item {
	it := item{from: h.pos.Block, to: min(h.end().Block, im.blocks()), h: &h, trailer: trailer}
	start := h.pos.Offset() + headerBytes
	stop := min(start+int64(h.payloadBytes), int64(len(im.data)))
	it.payload = im.data[start:stop:stop]
	complete := it.to == h.end().Block
	rows, err := decodeTable(&h, it.payload)
	switch {
	case err != nil:
		it.problem = err.Error()
	case !complete:
		it.problem, it.rows = "the file ends inside the batch", rows
	case crc32.Checksum(it.payload, castagnoli) != h.payloadCRC:
		it.problem, it.rows = "payload CRC mismatch", rows
	default:
		it.whole, it.rows = true, rows
	}
	if it.whole && trailer {
		it.problem = "header is damaged, trailer and payload are whole"
	}
	return it
}

var zeroBlock [blockBytes]byte

// describe says what a gap looks like.
func (im *image) describe(from, to uint32) string {
	zero := true
	for i := from; i < to; i++ {
		if im.unreadable[i] {
			return "the disk can't read it"
		}
		zero = zero && bytes.Equal(im.block(i), zeroBlock[:])
	}
	if zero {
		return fmt.Sprintf("%d blocks of zeros", to-from)
	}
	return fmt.Sprintf("%d blocks without a batch", to-from)
}
