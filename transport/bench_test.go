package transport

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

func benchMessage(count, size int) raft.Message {
	m := example()
	m.Entries = nil
	for i := range count {
		m.Entries = append(m.Entries, entry(m.Prev.Index+1+raft.Index(i), 7, raft.EntryCommand, string(bytes.Repeat([]byte{'x'}, size))))
	}
	return m
}

// BenchmarkAppendMessage encodes into a buffer that is used again: no allocation.
func BenchmarkAppendMessage(b *testing.B) {
	for _, c := range [][2]int{{0, 0}, {1, 300}, {64, 300}, {16, 64 << 10}} {
		b.Run(fmt.Sprintf("entries=%d/entry=%d", c[0], c[1]), func(b *testing.B) {
			m := benchMessage(c[0], c[1])
			buffer := AppendMessageFrame(nil, &m)
			b.SetBytes(int64(len(buffer)))
			b.ReportAllocs()
			for b.Loop() {
				buffer = AppendMessageFrame(buffer[:0], &m)
			}
		})
	}
}

// BenchmarkDecodeMessage verifies frame and entries: one allocation, the slice
// of entries.
func BenchmarkDecodeMessage(b *testing.B) {
	for _, c := range [][2]int{{0, 0}, {1, 300}, {64, 300}, {16, 64 << 10}} {
		b.Run(fmt.Sprintf("entries=%d/entry=%d", c[0], c[1]), func(b *testing.B) {
			m := benchMessage(c[0], c[1])
			frame := AppendMessageFrame(nil, &m)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				f, _, err := DecodeFrame(frame)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := DecodeMessage(f.Payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAllocations keeps the promises that the benchmarks show.
func TestAllocations(t *testing.T) {
	m := benchMessage(64, 300)
	frame := AppendMessageFrame(nil, &m)
	buffer := make([]byte, 0, 2*len(frame))
	if n := testing.AllocsPerRun(100, func() { buffer = AppendMessageFrame(buffer[:0], &m) }); n != 0 {
		t.Errorf("encoding allocates %v times", n)
	}
	crc := testing.AllocsPerRun(100, func() { raft.EntryCRC(m.Entries[0]) })
	if n := testing.AllocsPerRun(100, func() {
		if _, err := DecodeMessage(frame[FrameHeaderBytes:]); err != nil {
			t.Fatal(err)
		}
	}); n > 1+64*crc {
		t.Errorf("decoding allocates %v times, the slice of entries is one, raft's CRCs are %v", n, 64*crc)
	}
}
