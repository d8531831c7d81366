package snapshot

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// newEncoder returns a compressor that depends on its input alone: one
// goroutine, no state kept between frames. zstd's own checksum is off, since
// each block has a better one. A window of a block is enough, as frames don't
// refer to each other; the default one costs 8 MiB for each writer.
func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(BlockBytes),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true))
	if err != nil {
		panic(fmt.Sprintf("snapshot: zstd encoder options: %v", err))
	}
	return e
}

// newDecoder returns a decompressor that never produces more than the buffer
// that it is given, and never takes more memory than a block's: a frame that
// says it is larger (a "bomb") is refused before anything is allocated, one
// that lies about it is stopped at the limit.
func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(blockBytesMax),
		zstd.WithDecoderMaxWindow(blockBytesMax),
		zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(fmt.Sprintf("snapshot: zstd decoder options: %v", err))
	}
	return d
}
