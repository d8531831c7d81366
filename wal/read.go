package wal

import (
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/holdfast-db/holdfast/raft"
)

// readHeadBytes is read of a batch first: it holds the identity table of most,
// and all of a small one.
const readHeadBytes = 64 << 10

// Read returns the entries from to to, both included, or as many of them as
// come to bytesMax of data, at least one. It returns fewer where the log ends.
// The entries' data is the caller's.
//
// Errors: ErrCompacted if from is below the log's first entry; a *CorruptError
// if an entry can't be read any more. Neither changes the log.
func (l *Log) Read(from, to raft.Index, bytesMax int) ([]raft.Entry, error) {
	if l.closed {
		return nil, ErrClosed
	}
	if from < l.state.first() {
		return nil, fmt.Errorf("%w: %d, the log starts at %d", ErrCompacted, from, l.state.first())
	}
	return l.read(from, min(to, l.state.last.Index), bytesMax)
}

func (l *Log) read(from, to raft.Index, bytesMax int) ([]raft.Entry, error) {
	var entries []raft.Entry
	spans := l.state.spans
	i := sort.Search(len(spans), func(i int) bool { return spans[i].last >= from })
	for ; i < len(spans) && from <= to && bytesMax > 0; i++ {
		got, err := l.readSpan(spans[i], from, min(to, spans[i].last), bytesMax, len(entries) == 0)
		if err != nil {
			return nil, l.readError(spans[i], err)
		}
		for _, e := range got {
			bytesMax -= len(e.Data)
		}
		entries = append(entries, got...)
		if from += raft.Index(len(got)); from <= min(to, spans[i].last) {
			break // bytesMax reached
		}
	}
	return entries, nil
}

func (l *Log) readError(s span, err error) error {
	return &CorruptError{Dir: l.o.Dir, Reason: err.Error(), Faults: []Fault{{
		File: segmentName(s.at.Seq), Offset: s.at.Offset(), First: s.first, Last: s.last,
	}}}
}

func (l *Log) segment(seq uint64) (*segment, error) {
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].seq >= seq })
	if i == len(l.segments) || l.segments[i].seq != seq {
		return nil, fmt.Errorf("segment %d is not open", seq)
	}
	return &l.segments[i], nil
}

// batchReader reads parts of one batch.
type batchReader struct {
	seg  *segment
	at   Pos
	head []byte // the batch's first bytes, in the log's own buffer
	h    header
	rows []row
}

// readSpan reads entries of one batch; with atLeastOne the first is returned
// whatever its size.
func (l *Log) readSpan(s span, from, to raft.Index, bytesMax int, atLeastOne bool) ([]raft.Entry, error) {
	seg, err := l.segment(s.at.Seq)
	if err != nil {
		return nil, err
	}
	r := batchReader{seg: seg, at: s.at, head: l.head}
	err = r.open(s.bytes)
	l.head = r.head[:0]
	if err != nil {
		return nil, err
	}
	first := sort.Search(len(r.rows), func(i int) bool { return r.rows[i].id.Index >= from })
	last, size := first, 0
	for last < len(r.rows) && r.rows[last].id.Index <= to {
		size += int(r.rows[last].size)
		if size > bytesMax && (last > first || !atLeastOne) {
			break
		}
		last++
	}
	return r.entries(r.rows[first:last])
}

// open reads the batch's header, or its trailer, and its identity table.
func (r *batchReader) open(payloadBytes uint32) error {
	total := int64(batchBlocks(int(payloadBytes))) * blockBytes
	r.grow(int(min(total, readHeadBytes)))
	if err := r.read(r.head, 0); err != nil {
		return err
	}
	h, ok := decodeHeader(r.head, r.seg.salt)
	if !ok || h.pos != r.at {
		trailer := make([]byte, headerBytes)
		if err := r.read(trailer, total-headerBytes); err != nil {
			return err
		}
		if h, ok = decodeHeader(trailer, r.seg.salt); !ok || h.pos != r.at {
			return fmt.Errorf("batch at %v: header and trailer are damaged", r.at)
		}
	}
	if want := int(tableBytes(h.rows)) + headerBytes; want > len(r.head) {
		r.grow(want)
		if err := r.read(r.head, 0); err != nil {
			return err
		}
	}
	r.h = h
	rows, err := decodeTable(&h, r.head[headerBytes:])
	if err != nil {
		return fmt.Errorf("batch at %v: %w", r.at, err)
	}
	if h.effect() == KindReset {
		rows = rows[1:]
	}
	r.rows = rows
	return nil
}

// grow makes head so many bytes long; what it held is lost.
func (r *batchReader) grow(size int) { r.head = slices.Grow(r.head[:0], size)[:size] }

// read fills b from the batch's byte off on.
func (r *batchReader) read(b []byte, off int64) error {
	n, err := r.seg.file.ReadAt(b, r.at.Offset()+off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("batch at %v: %w", r.at, err)
}

// entries reads and checks the data of neighbouring rows. It is copied out of
// head: what keeps an entry must not keep the block around it.
func (r *batchReader) entries(rows []row) ([]raft.Entry, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	last := rows[len(rows)-1]
	lo, hi := rows[0].at, last.at+last.size
	payload := make([]byte, hi-lo)
	if head := r.head[headerBytes:]; hi <= uint64(len(head)) {
		copy(payload, head[lo:hi])
	} else if err := r.read(payload, headerBytes+int64(lo)); err != nil {
		return nil, err
	}
	entries := make([]raft.Entry, len(rows))
	for i, row := range rows {
		row.at -= lo
		e, ok := row.entry(payload)
		if !ok {
			return nil, fmt.Errorf("batch at %v: entry %v: CRC mismatch", r.at, row.id)
		}
		entries[i] = e
	}
	return entries, nil
}

// tail reads the newest entries up to a size, at least the last one.
func (l *Log) tail(bytesMax int) ([]raft.Entry, error) {
	last := l.state.last.Index
	if last < l.state.first() {
		return nil, nil
	}
	from, size := last, 0
	for i := len(l.state.spans) - 1; i >= 0; i-- {
		if size += int(l.state.spans[i].bytes); size > bytesMax {
			break
		}
		from = l.state.spans[i].first
	}
	return l.read(from, last, int(^uint(0)>>1))
}
