package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path"
	"strconv"
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

const (
	segmentMagic   = 0x48465345_474d4e54 // "HFSEGMNT"
	segmentVersion = 1
	// segmentSuffix names a segment or one prepared to be; spareSuffix one that
	// waits to be recycled; newSuffix one that is being made.
	segmentSuffix, spareSuffix, newSuffix = ".wal", ".spare", ".new"
)

// segmentHeader is a segment's first block. It tells only what is known when
// the segment is prepared, long before it is used.
//
//	0       8         12     16        24       32     40      48     56      4096
//	┌───────┬─────────┬──────┬─────────┬────────┬──────┬──────┬──────┬─── … ───┐
//	│ magic │ version │ CRC  │ cluster │ member │ seq  │ salt │ size │ zeros   │
//	└───────┴─────────┴──────┴─────────┴────────┴──────┴──────┴──────┴─── … ───┘
//
// The CRC is CRC-32C of the block without itself. A damaged header costs
// nothing: every batch carries seq, and the salt hides in its magic. size is the
// file's, in bytes: it is complete before it gets its name, so one that is
// shorter has lost its end. 0 is from before size was written: not known.
type segmentHeader struct {
	cluster, member uint64
	seq, salt       uint64
	size            int64
}

func (s segmentHeader) encode() []byte {
	b := make([]byte, blockBytes)
	le := binary.LittleEndian
	le.PutUint64(b[0:], segmentMagic)
	le.PutUint32(b[8:], segmentVersion)
	le.PutUint64(b[16:], s.cluster)
	le.PutUint64(b[24:], s.member)
	le.PutUint64(b[32:], s.seq)
	le.PutUint64(b[40:], s.salt)
	le.PutUint64(b[48:], uint64(s.size))
	le.PutUint32(b[12:], segmentCRC(b))
	return b
}

func segmentCRC(b []byte) uint32 {
	c := crc32.Checksum(b[:12], castagnoli)
	return crc32.Update(c, castagnoli, b[16:blockBytes])
}

var errBadHeader = errors.New("segment header is damaged")

func decodeSegmentHeader(b []byte) (segmentHeader, error) {
	le := binary.LittleEndian
	if len(b) < blockBytes || le.Uint64(b) != segmentMagic || le.Uint32(b[12:]) != segmentCRC(b) {
		return segmentHeader{}, errBadHeader
	}
	if v := le.Uint32(b[8:]); v != segmentVersion {
		return segmentHeader{}, fmt.Errorf("segment format %d: %w", v, ErrVersion)
	}
	return segmentHeader{
		cluster: le.Uint64(b[16:]), member: le.Uint64(b[24:]), seq: le.Uint64(b[32:]), salt: le.Uint64(b[40:]),
		size: int64(le.Uint64(b[48:])),
	}, nil
}

func segmentName(seq uint64) string { return numbered(seq, segmentSuffix) }
func spareName(seq uint64) string   { return numbered(seq, spareSuffix) }

// numbered is 16 hex digits and the suffix.
func numbered(seq uint64, suffix string) string {
	var digits [16]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = "0123456789abcdef"[seq&15]
		seq >>= 4
	}
	return string(digits[:]) + suffix
}

// parseName reads the number of a file with that suffix.
func parseName(name, suffix string) (seq uint64, ok bool) {
	hex, ok := strings.CutSuffix(name, suffix)
	if !ok || len(hex) != 16 || strings.ToLower(hex) != hex {
		return 0, false
	}
	seq, err := strconv.ParseUint(hex, 16, 64)
	return seq, err == nil
}

// segment is one open segment of the live log.
type segment struct {
	seq    uint64
	salt   uint64
	blocks uint32
	// base is the log's last index before the segment's first batch.
	base raft.Index
	file disk.File
}

// maker prepares segments: files that are complete before they get their name.
type maker struct {
	fs              disk.FS
	dir             string
	cluster, member uint64
}

// zeroStepBytes is how much of a new segment one step of a job fills.
const zeroStepBytes = 256 << 10

// preparation is the work of making one segment, in steps.
type preparation struct {
	m     *maker
	seq   uint64
	salt  uint64
	size  int64
	spare string // recycled, or "" for a new file
	zero  bool   // fill a new file with zeros rather than only reserve it
	name  string // what the file is called now
	file  disk.File
	next  int64 // zero-filled so far
	done  segment
}

// start opens the file: a spare under its old name, or a new one.
func (p *preparation) start() (err error) {
	if p.spare != "" {
		p.name = path.Join(p.m.dir, p.spare)
		p.next = p.size
		return p.fit()
	}
	p.name = path.Join(p.m.dir, fmt.Sprintf("%016x%s", p.seq, newSuffix))
	if p.file, err = p.m.fs.Create(p.name); err != nil {
		return err
	}
	return p.file.Allocate(p.size)
}

// fit opens a spare and gives it the wanted size: an earlier run may have used
// another. What it holds doesn't matter.
func (p *preparation) fit() (err error) {
	if p.file, err = p.m.fs.Open(p.name); err != nil {
		return err
	}
	size, err := p.file.Size()
	switch {
	case err != nil:
		return err
	case size < p.size:
		return p.file.Allocate(p.size)
	case size > p.size:
		return p.file.Truncate(p.size)
	}
	return nil
}

// zeros are written and never changed.
var zeros [zeroStepBytes]byte

// step does a bounded piece of work: at most zeroStepBytes are written, or one
// sync is waited for. Blocks that were written once are faster to overwrite:
// the file system needn't turn unwritten extents into written ones.
func (p *preparation) step() (done bool, err error) {
	switch {
	case p.file == nil:
		return false, p.start()
	case p.zero && p.next < p.size:
		n := min(zeroStepBytes, p.size-p.next)
		_, err := p.file.WriteAt(zeros[:n], p.next)
		p.next += n
		return false, err
	}
	return true, p.finish()
}

// finish writes the header, syncs and gives the segment its name.
func (p *preparation) finish() error {
	h := segmentHeader{cluster: p.m.cluster, member: p.m.member, seq: p.seq, salt: p.salt, size: p.size}
	if _, err := p.file.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	if err := p.file.SyncData(); err != nil {
		return err
	}
	if err := p.m.fs.Rename(p.name, path.Join(p.m.dir, segmentName(p.seq))); err != nil {
		return err
	}
	if err := p.m.fs.SyncDir(p.m.dir); err != nil {
		return err
	}
	p.done = segment{seq: p.seq, salt: h.salt, blocks: uint32(p.size / blockBytes), file: p.file}
	return nil
}

// abandon closes and removes what a failed preparation left, as well as it can.
func (p *preparation) abandon() {
	if p.file != nil {
		p.file.Close()
	}
	if p.spare == "" && p.name != "" {
		_ = p.m.fs.Remove(p.name)
	}
}

// run does all steps at once, for callers that can't wait.
func (p *preparation) run() (segment, error) {
	for {
		done, err := p.step()
		if err != nil {
			p.abandon()
			return segment{}, fmt.Errorf("wal: prepare segment %d: %w", p.seq, err)
		}
		if done {
			return p.done, nil
		}
	}
}
