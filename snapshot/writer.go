package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Source yields the records of a state, section by section, from memory: it
// can't fail, and it may not change while it is read.
type Source interface {
	// Next returns the next record and the section it belongs to (at most
	// SectionNameMax bytes; records of a section come one after the other), or
	// ok false at the end. It may use buf[:0] for the record, which is valid
	// until the next call.
	Next(buf []byte) (section string, record []byte, ok bool)
}

// Content is what a snapshot is made of.
type Content struct {
	Meta raft.SnapshotMeta
	// StateHash is kept in the footer for whoever loads the file to compare.
	StateHash uint64
	Source    Source
}

// syncBytes is how much is written between syncs: one sync of the whole file
// at the end would hold up those of the log.
const syncBytes = 4 << 20

// Writer writes one snapshot as a job: each Step does one bounded thing, a
// block or a call of the file system, so that a worker can run it beside
// everything else, and a simulator crash it between any two of them.
//
// The file has a temporary name until it is complete and durable: blocks, footer,
// sync, rename, sync of the directory, in this order. A name that ends in
// ".snap" is therefore always a whole snapshot.
type Writer struct {
	dir     *Dir
	content Content

	next   func() error // what the next Step does; nil: done
	err    error        // the first failure; the writer is dead
	file   disk.File
	*bench // while there is work to do

	offset   int64
	unsynced int64
	hash     uint64 // of the last part written
	footer   footer

	at      int    // raw is in blocks up to here
	section string // open; "" before the first
	held    heldRecord
	ended   bool // the source has
}

// Benches lends Writers what they work with, one after the other. Those of one
// goroutine may share it, whatever directory they write to.
type Benches struct{ idle []*bench }

// bench is what a Writer works with. It remembers nothing of what was written
// with it; the next Writer takes it over, since a compressor costs more to make
// than a small snapshot to write.
type bench struct {
	encoder *zstd.Encoder
	raw     []byte // framed records of the open section
	scratch []byte
	frame   []byte
	out     []byte
}

// take returns an idle one, or a new one if all are in use.
func (s *Benches) take() *bench {
	last := len(s.idle) - 1
	if last < 0 {
		return &bench{encoder: newEncoder()}
	}
	b := s.idle[last]
	s.idle = s.idle[:last]
	b.raw = b.raw[:0]
	return b
}

func (s *Benches) give(b *bench) { s.idle = append(s.idle, b) }

// heldRecord is the first record of the next section, met while filling the
// last block of the one before.
type heldRecord struct {
	section string
	record  []byte
	ok      bool
}

// Create returns a job that writes a snapshot into the directory. Nothing is
// done before its first Step.
func (d *Dir) Create(c Content) *Writer {
	w := &Writer{dir: d, content: c}
	w.footer.stateHash = c.StateHash
	w.next = w.open
	return w
}

// Step does the next piece of work and tells whether it was the last. After an
// error the temporary file is gone, if the disk lets it go, and every further
// Step returns that error.
func (w *Writer) Step() (done bool, err error) {
	if w.err != nil || w.next == nil {
		return w.err == nil, w.err
	}
	if err := w.next(); err != nil {
		w.fail(err)
		return false, w.err
	}
	return w.next == nil, nil
}

// Info describes the snapshot; its Size is what has been written so far.
func (w *Writer) Info() Info { return Info{Last: w.content.Meta.Last, Size: w.offset} }

// Abort gives up; what was written is removed.
func (w *Writer) Abort() {
	if w.next != nil && w.err == nil {
		w.fail(errAborted)
	}
}

var errAborted = errors.New("aborted")

func (w *Writer) fail(err error) {
	w.err = fmt.Errorf("snapshot: write %s: %w", w.dir.path(snapName(w.content.Meta.Last)), err)
	w.next = nil
	w.release()
	if w.file != nil {
		_ = w.file.Close()
		_ = w.dir.fs.Remove(w.tempPath())
		w.file = nil
	}
}

// release lets go of what the rest of the job doesn't need: the source holds a
// view of the state, and with it the memory of what was overwritten since.
func (w *Writer) release() {
	w.content.Source = nil
	if w.bench != nil {
		w.dir.options.Benches.give(w.bench)
		w.bench = nil
	}
}

func (w *Writer) tempPath() string { return w.dir.path(snapName(w.content.Meta.Last) + tempSuffix) }

// open creates the temporary file, in place of one that a crash left behind.
func (w *Writer) open() error {
	if err := w.dir.fs.Remove(w.tempPath()); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return err
	}
	f, err := w.dir.fs.Create(w.tempPath())
	if err != nil {
		return err
	}
	w.file, w.bench = f, w.dir.options.Benches.take()
	w.next = w.writeHeader
	return nil
}

func (w *Writer) writeHeader() error {
	h := header{cluster: w.dir.options.Cluster, meta: w.content.Meta}
	b := appendHeader(nil, &h)
	if len(b) > headerFixedBytes+headerMetaMax+hashBytes {
		return fmt.Errorf("%w: %d bytes of header", ErrTooLarge, len(b))
	}
	w.hash = h.hash
	w.next = w.writeBlock
	return w.write(b)
}

// writeBlock fills and writes one block, or moves on when nothing is left.
func (w *Writer) writeBlock() error {
	if w.unsynced >= syncBytes {
		w.unsynced = 0
		return w.file.SyncData()
	}
	w.fill()
	n := min(len(w.raw)-w.at, BlockBytes)
	if n == 0 {
		w.next = w.writeFooter
		return nil
	}
	w.frame = w.encoder.EncodeAll(w.raw[w.at:w.at+n], w.frame[:0])
	w.at += n
	h := blockHeader{
		number:  w.footer.blocks,
		section: nameOf(w.section),
		raw:     uint32(n),
		stored:  uint32(len(w.frame)),
	}
	w.out = appendBlock(w.out[:0], &h, w.hash, w.frame)
	w.hash = h.hash
	w.footer.blocks++
	s := &w.footer.sections[len(w.footer.sections)-1]
	s.Raw += uint64(n)
	s.Stored += uint64(len(w.frame))
	return w.write(w.out)
}

// fill collects records of one section until a block is full. A record that
// is longer than a block stays in raw for the next ones.
func (w *Writer) fill() {
	if len(w.raw)-w.at >= BlockBytes {
		return
	}
	w.raw, w.at = w.raw[:copy(w.raw, w.raw[w.at:])], 0
	for len(w.raw) < BlockBytes && !w.ended {
		section, record, ok := w.take()
		switch {
		case !ok:
			w.ended = true
			return
		case section != w.section && len(w.raw) > 0:
			w.held = heldRecord{section: section, record: append([]byte(nil), record...), ok: true}
			return
		case section != w.section:
			w.openSection(section)
		}
		w.raw = binary.AppendUvarint(w.raw, uint64(len(record)))
		w.raw = append(w.raw, record...)
		w.footer.sections[len(w.footer.sections)-1].Records++
	}
}

func (w *Writer) take() (section string, record []byte, ok bool) {
	if held := w.held; held.ok {
		w.held = heldRecord{}
		return held.section, held.record, true
	}
	section, record, ok = w.content.Source.Next(w.scratch[:0])
	if cap(record) > cap(w.scratch) {
		w.scratch = record
	}
	return section, record, ok
}

func (w *Writer) openSection(section string) {
	for _, s := range w.footer.sections {
		if s.Name == section {
			panic(fmt.Sprintf("snapshot: section %q comes twice", section))
		}
	}
	w.section = section
	w.footer.sections = append(w.footer.sections, Section{Name: nameOf(section).String()})
}

func (w *Writer) writeFooter() error {
	w.footer.size = uint64(w.offset) + uint64(footerSize(len(w.footer.sections)))
	w.next = w.sync
	return w.write(appendFooter(nil, &w.footer, w.hash))
}

func (w *Writer) sync() error {
	w.next = w.rename
	return w.file.SyncData()
}

// rename gives the synced file its name. Data first, then the name: the other
// way round a power loss could leave a whole name on half a file.
func (w *Writer) rename() error {
	if err := w.file.Close(); err != nil {
		return err
	}
	w.next = w.syncDir
	return w.dir.fs.Rename(w.tempPath(), w.dir.path(snapName(w.content.Meta.Last)))
}

func (w *Writer) syncDir() error {
	w.file, w.next = nil, nil
	w.release()
	return w.dir.fs.SyncDir(w.dir.options.Path)
}

func (w *Writer) write(b []byte) error {
	if _, err := w.file.WriteAt(b, w.offset); err != nil {
		return err
	}
	w.offset += int64(len(b))
	w.unsynced += int64(len(b))
	return nil
}
