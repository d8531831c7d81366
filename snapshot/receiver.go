package snapshot

import (
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Incoming announces a snapshot that a peer is about to send.
type Incoming struct {
	Last   raft.EntryID
	Size   int64  // bytes of the file
	Digest uint64 // Reader.Digest there
}

// Receiver writes a snapshot that arrives in chunks. Each part of the file is
// checked against the chain of hashes as soon as it is whole, so a damaged
// chunk is found when it comes, and what an interrupted transfer left on disk
// is taken up again only as far as it proves sound.
type Receiver struct {
	dir      *Dir
	in       Incoming
	file     disk.File
	name     string // of the partial file
	offset   int64  // next byte wanted
	unsynced int64
	check    chain
	closed   bool
	// failed: a write or sync of the file failed, so it is worth nothing: what
	// can be read back may never reach the disk, whatever a later sync says.
	failed bool
}

// Receive begins to receive a snapshot, or goes on where an earlier transfer
// of the very same file ended: send from Offset on. One receiver a file at a
// time.
func (d *Dir) Receive(in Incoming) (*Receiver, error) {
	if in.Size > d.options.FileBytesMax {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, in.Last, in.Size)
	}
	if in.Size < fileBytesMin {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrForeign, in.Last, in.Size)
	}
	r := &Receiver{dir: d, in: in, name: d.path(partName(in.Last, in.Digest))}
	r.check = chain{name: r.name, size: in.Size}
	f, err := d.fs.Open(r.name)
	if errors.Is(err, disk.ErrNotExist) {
		f, err = d.fs.Create(r.name)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot: open: %w", err)
	}
	r.file = f
	if err := r.resume(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

// resumeBytes is read at a time when a partial file is checked.
const resumeBytes = 256 << 10

// resume checks what is there already and cuts off the rest.
func (r *Receiver) resume() error {
	size, err := r.file.Size()
	if err != nil {
		return fmt.Errorf("snapshot: size of %s: %w", r.name, err)
	}
	size = min(size, r.in.Size)
	buffer := make([]byte, min(resumeBytes, size))
	for at := int64(0); at < size; {
		b := buffer[:min(int64(len(buffer)), size-at)]
		if n, err := r.file.ReadAt(b, at); n < len(b) && err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("snapshot: read %s: %w", r.name, err)
		}
		at += int64(len(b))
		if r.check.feed(b) != nil {
			break
		}
	}
	return r.rewind()
}

// rewind drops all that isn't proven: the sender sends it again.
func (r *Receiver) rewind() error {
	r.offset = r.check.rewind()
	if err := r.file.Truncate(r.offset); err != nil {
		return fmt.Errorf("snapshot: truncate %s: %w", r.name, err)
	}
	return nil
}

// Offset is the next byte wanted.
func (r *Receiver) Offset() int64 { return r.offset }

// Done reports whether all bytes have come and proved sound.
func (r *Receiver) Done() bool { return r.check.done }

// Write takes a chunk. Bytes that came before are skipped; a chunk beyond
// Offset is ErrGap and changes nothing. With a CorruptError the unproven part
// is dropped and Offset says where to send again from. After any other error
// the receiver is of no use.
func (r *Receiver) Write(offset int64, chunk []byte) error {
	if offset > r.offset || offset < 0 {
		return fmt.Errorf("%w: at %d, want %d", ErrGap, offset, r.offset)
	}
	if skip := r.offset - offset; skip >= int64(len(chunk)) {
		return nil
	} else {
		chunk = chunk[skip:]
	}
	if int64(len(chunk)) > r.in.Size-r.offset {
		return fmt.Errorf("%w: chunk past the announced %d bytes", ErrForeign, r.in.Size)
	}
	if _, err := r.file.WriteAt(chunk, r.offset); err != nil {
		r.failed = true
		return fmt.Errorf("snapshot: write %s: %w", r.name, err)
	}
	r.offset += int64(len(chunk))
	if err := r.check.feed(chunk); err != nil {
		if rewindErr := r.rewind(); rewindErr != nil {
			return rewindErr
		}
		return err
	}
	return r.syncSome(len(chunk))
}

// syncSome keeps the final sync short, for it would hold up the log's.
func (r *Receiver) syncSome(written int) error {
	if r.unsynced += int64(written); r.unsynced < syncBytes {
		return nil
	}
	return r.sync()
}

func (r *Receiver) sync() error {
	r.unsynced = 0
	if err := r.file.SyncData(); err != nil {
		r.failed = true
		return fmt.Errorf("snapshot: sync %s: %w", r.name, err)
	}
	return nil
}

// Finish makes the received file a snapshot of this directory, durably, and
// returns what it is of. It fails with ErrForeign if the file is sound but not
// the announced one; then the partial file is removed.
func (r *Receiver) Finish() (raft.SnapshotMeta, error) {
	if !r.check.done {
		panic(fmt.Sprintf("snapshot: Finish at %d of %d bytes", r.offset, r.in.Size))
	}
	if err := r.identify(); err != nil {
		return raft.SnapshotMeta{}, errors.Join(err, r.Discard())
	}
	if err := r.sync(); err != nil {
		return raft.SnapshotMeta{}, err
	}
	if err := r.Close(); err != nil {
		return raft.SnapshotMeta{}, err
	}
	if err := r.dir.fs.Rename(r.name, r.dir.path(snapName(r.in.Last))); err != nil {
		return raft.SnapshotMeta{}, fmt.Errorf("snapshot: rename: %w", err)
	}
	if err := r.dir.fs.SyncDir(r.dir.options.Path); err != nil {
		return raft.SnapshotMeta{}, fmt.Errorf("snapshot: sync directory: %w", err)
	}
	return r.check.header.meta, nil
}

func (r *Receiver) identify() error {
	h, f := &r.check.header, &r.check.footer
	if h.cluster != r.dir.options.Cluster || h.meta.Last != r.in.Last || f.digest != r.in.Digest {
		return fmt.Errorf("%w: received %s of cluster %x, digest %x; want %s of cluster %x, digest %x", ErrForeign,
			h.meta.Last, h.cluster, f.digest, r.in.Last, r.dir.options.Cluster, r.in.Digest)
	}
	return nil
}

// Close ends the transfer and keeps what came, for a later Receive; after a
// failed write or sync it is removed. Taken up again it would be read from the
// page cache, found sound, synced without an error, and gone after the next
// power loss (ATC'20, "Can applications recover from fsync failures?").
func (r *Receiver) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.file.Close()
	if err != nil {
		err = fmt.Errorf("snapshot: close %s: %w", r.name, err)
	}
	if r.failed {
		err = errors.Join(err, r.remove())
	}
	return err
}

// Discard ends the transfer and removes what came.
func (r *Receiver) Discard() error { return errors.Join(r.Close(), r.remove()) }

func (r *Receiver) remove() error {
	if err := r.dir.fs.Remove(r.name); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return fmt.Errorf("snapshot: remove: %w", err)
	}
	return nil
}

// chain checks a file that comes in pieces, part by part.
//
// Invariants:
//  1. proven is the end of the last part that was checked; pending holds the
//     bytes that came after it, less than one part.
//  2. done iff proven == size and the footer was the last part.
type chain struct {
	name    string
	size    int64
	proven  int64
	pending []byte

	header header
	footer footer
	hash   uint64
	blocks uint32
	done   bool
}

// feed takes the next bytes. An error is a *CorruptError about the first part
// that isn't sound, or ErrUnknownFormat; rewind gets rid of it.
func (c *chain) feed(b []byte) error {
	c.pending = append(c.pending, b...)
	for {
		n, err := c.part()
		if err != nil {
			return corruptAt(c.name, c.proven, err)
		}
		if n == 0 {
			return nil
		}
		c.proven += int64(n)
		c.pending = c.pending[:copy(c.pending, c.pending[n:])]
	}
}

// rewind forgets the pending bytes and returns where to go on.
func (c *chain) rewind() int64 {
	c.pending = c.pending[:0]
	return c.proven
}

// part checks the part that pending begins with and returns its length; 0 if it
// isn't whole yet.
func (c *chain) part() (int, error) {
	b := c.pending
	switch {
	case c.done && len(b) > 0:
		return 0, errors.New("bytes after the footer")
	case len(b) < 8 || c.done:
		return 0, nil
	case c.proven == 0:
		return c.headerPart(b)
	case string(b[:4]) == footerMagic:
		return c.footerPart(b)
	default:
		return c.blockPart(b)
	}
}

func (c *chain) headerPart(b []byte) (int, error) {
	if len(b) < headerFixedBytes {
		return 0, nil
	}
	n, err := headerSize(b)
	if err != nil || len(b) < n {
		return 0, err
	}
	c.header, err = decodeHeader(b[:n])
	c.hash = c.header.hash
	return n, err
}

func (c *chain) blockPart(b []byte) (int, error) {
	if len(b) < blockHeaderBytes {
		return 0, nil
	}
	h, err := decodeBlockHeader(b, c.blocks)
	n := blockHeaderBytes + int(h.stored)
	if err != nil || len(b) < n {
		return 0, err
	}
	if blockHash(c.hash, b[:blockHeaderBytes-hashBytes], b[blockHeaderBytes:n]) != h.hash {
		return 0, fmt.Errorf("block %d: wrong hash", c.blocks)
	}
	c.hash = h.hash
	c.blocks++
	return n, nil
}

func (c *chain) footerPart(b []byte) (int, error) {
	n, err := footerSizeAt(b)
	if err != nil || len(b) < n {
		return 0, err
	}
	f, err := decodeFooter(b[:n])
	if err == nil {
		err = verifyFooter(b[:n], &f, c.hash)
	}
	if err == nil && (f.size != uint64(c.size) || c.proven+int64(n) != c.size || f.blocks != c.blocks) {
		err = fmt.Errorf("footer: %d bytes, %d blocks; found %d, %d", f.size, f.blocks, c.proven+int64(n), c.blocks)
	}
	if err != nil {
		return 0, err
	}
	c.footer, c.done = f, true
	return n, nil
}
