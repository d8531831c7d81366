package wal

import "fmt"

const (
	// blockBytes is the unit of layout: batches start and end on it.
	blockBytes = 4096
	// SegmentBytesDefault is the size of a segment unless told otherwise.
	SegmentBytesDefault = 16 << 20
	// SegmentBytesMin leaves room for the header and three batches.
	SegmentBytesMin = 16 << 10
	// batchBytesMax bounds one batch, so that a damaged length is recognised.
	batchBytesMax = 1 << 30
)

// Pos is a place in the log: a segment and a block in it. As an end of a batch
// it is exclusive. The zero Pos stands before everything.
type Pos struct {
	Seq   uint64
	Block uint32
}

// Before orders places as they were written.
func (p Pos) Before(q Pos) bool {
	return p.Seq < q.Seq || p.Seq == q.Seq && p.Block < q.Block
}

// Offset is the place in its segment's file, in bytes.
func (p Pos) Offset() int64 { return int64(p.Block) * blockBytes }

// String prints seq:offset.
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Seq, p.Offset()) }

func later(a, b Pos) Pos {
	if a.Before(b) {
		return b
	}
	return a
}

// blocksFor is how many whole blocks hold so many bytes.
func blocksFor(bytes int64) uint32 { return uint32((bytes + blockBytes - 1) / blockBytes) }
