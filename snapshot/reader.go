package snapshot

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Reader reads one snapshot. It trusts nothing: Load checks every byte before
// it hands out what the byte is part of, and the whole before it returns nil.
type Reader struct {
	file   disk.File
	name   string
	size   int64
	header header
	footer footer

	firstBlock int64 // offset
	footerAt   int64
	rawMax     int64
}

// Open opens a snapshot and checks its header and its footer's shape; the
// footer's hash is checked by Load, which knows the chain.
func (d *Dir) Open(last raft.EntryID) (*Reader, error) {
	name := d.path(snapName(last))
	f, err := d.fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("snapshot: open: %w", err)
	}
	r := &Reader{file: f, name: name, rawMax: d.options.RawBytesMax}
	if err := r.open(d.options, last); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) open(o Options, last raft.EntryID) error {
	size, err := r.file.Size()
	if err != nil {
		return fmt.Errorf("snapshot: size of %s: %w", r.name, err)
	}
	r.size = size
	if size > o.FileBytesMax {
		return fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, r.name, size)
	}
	if err := r.readHeader(); err != nil {
		return err
	}
	if r.header.cluster != o.Cluster || r.header.meta.Last != last {
		return fmt.Errorf("%w: %s holds %s of cluster %x, want %s of cluster %x",
			ErrForeign, r.name, r.header.meta.Last, r.header.cluster, last, o.Cluster)
	}
	return r.readFooter()
}

func (r *Reader) readHeader() error {
	head, err := r.read(0, headerFixedBytes)
	if err != nil {
		return err
	}
	n, err := headerSize(head)
	if err != nil {
		return r.corrupt(0, err)
	}
	b, err := r.read(0, n)
	if err != nil {
		return err
	}
	r.header, err = decodeHeader(b)
	if err != nil {
		return r.corrupt(0, err)
	}
	r.firstBlock = int64(n)
	return nil
}

func (r *Reader) readFooter() error {
	tail, err := r.read(r.size-8, 8)
	if err != nil {
		return err
	}
	n, err := footerSizeBefore(tail)
	if err != nil {
		return r.corrupt(r.size-8, err)
	}
	r.footerAt = r.size - int64(n)
	b, err := r.read(r.footerAt, n)
	if err != nil {
		return err
	}
	r.footer, err = decodeFooter(b)
	if err != nil {
		return r.corrupt(r.footerAt, err)
	}
	if r.footer.size != uint64(r.size) || r.footerAt < r.firstBlock {
		return r.corrupt(r.footerAt, fmt.Errorf("footer: says %d bytes of %d", r.footer.size, r.size))
	}
	return r.checkRaw()
}

// checkRaw bounds what the file would decompress to.
func (r *Reader) checkRaw() error {
	var raw uint64
	for _, s := range r.footer.sections {
		raw += s.Raw
		if s.Raw > uint64(r.rawMax) || raw > uint64(r.rawMax) {
			return fmt.Errorf("%w: %s decompresses to more than %d bytes", ErrTooLarge, r.name, r.rawMax)
		}
	}
	return nil
}

// Meta describes what the snapshot is of.
func (r *Reader) Meta() raft.SnapshotMeta { return r.header.meta }

// StateHash is the hash that the writer was given.
func (r *Reader) StateHash() uint64 { return r.footer.stateHash }

// Size is the file's, in bytes.
func (r *Reader) Size() int64 { return r.size }

// Digest names the file's content: it ends the chain of hashes.
func (r *Reader) Digest() uint64 { return r.footer.digest }

// Incoming is what a sender announces to the receiver of this file.
func (r *Reader) Incoming() Incoming {
	return Incoming{Last: r.header.meta.Last, Size: r.size, Digest: r.footer.digest}
}

// Sections lists the sections in file order, as the footer has them.
func (r *Reader) Sections() []Section { return slices.Clone(r.footer.sections) }

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// Verify reads and checks everything, keeping nothing.
func (r *Reader) Verify(run Runner) error {
	return r.Load(run, func(string, []byte) error { return nil })
}

// read returns n bytes at offset; a file that is too short is corrupt.
func (r *Reader) read(offset int64, n int) ([]byte, error) {
	b := make([]byte, n)
	return b, r.readInto(b, offset)
}

func (r *Reader) readInto(b []byte, offset int64) error {
	if offset < 0 || offset+int64(len(b)) > r.size {
		return r.corrupt(max(offset, 0), errors.New("the file is cut short"))
	}
	if n, err := r.file.ReadAt(b, offset); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			return r.corrupt(offset, errors.New("the file is cut short"))
		}
		return fmt.Errorf("snapshot: read %s: %w", r.name, err)
	}
	return nil
}

// corrupt wraps a finding with its place. A format that is unknown isn't
// damage.
func (r *Reader) corrupt(offset int64, err error) error {
	return corruptAt(r.name, offset, err)
}

func corruptAt(name string, offset int64, err error) error {
	if errors.Is(err, ErrUnknownFormat) {
		return fmt.Errorf("%w in %s", err, name)
	}
	return &CorruptError{File: name, Offset: offset, What: err.Error()}
}
