package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Runner starts a task and returns how to wait for its end. A server runs it on
// a goroutine of its own; nil runs it at once, in place. So parallelism comes
// from outside, and what is loaded doesn't depend on it.
type Runner func(task func()) (wait func())

func inPlace(task func()) (wait func()) {
	task()
	return func() {}
}

// lookahead is how many blocks may be in work at a time.
const lookahead = 8

// Load hands every record of the file to add, in file order, while later blocks
// are being read and decompressed by run. Records are valid during the call
// only. Load returns nil only if every byte of the file was accounted for; the
// records handed out before an error are worth nothing.
func (r *Reader) Load(run Runner, add func(section string, record []byte) error) error {
	if run == nil {
		run = inPlace
	}
	l := &loader{r: r, run: run, offset: r.firstBlock, hash: r.header.hash}
	l.records.add = add
	err := l.load()
	l.drain()
	return err
}

// loader walks the blocks: the walk itself only reads their headers, which say
// where the next one stands.
type loader struct {
	r      *Reader
	run    Runner
	offset int64  // of the next block header
	number uint32 // of the next block
	hash   uint64 // of the part before it

	slots   [lookahead]slot
	head    int // oldest slot in work
	active  int
	records assembler
	seen    []Section
}

// slot is a block in work. The task writes raw and err; wait comes before they
// are read.
type slot struct {
	block    blockHeader
	at       int64
	previous uint64
	buffer   []byte // header and frame
	raw      []byte
	err      error
	decoder  *zstd.Decoder
	wait     func()
}

func (l *loader) load() error {
	for l.offset < l.r.footerAt || l.active > 0 {
		for l.active < lookahead && l.offset < l.r.footerAt {
			if err := l.start(); err != nil {
				return err
			}
		}
		if err := l.finish(); err != nil {
			return err
		}
	}
	return l.end()
}

// start reads the next block's header and starts its task.
func (l *loader) start() error {
	s := &l.slots[(l.head+l.active)%lookahead]
	s.at, s.previous = l.offset, l.hash
	s.buffer = grow(s.buffer, blockHeaderBytes)
	if err := l.r.readInto(s.buffer, l.offset); err != nil {
		return err
	}
	block, err := decodeBlockHeader(s.buffer, l.number)
	if err != nil {
		return l.r.corrupt(l.offset, err)
	}
	next := l.offset + blockHeaderBytes + int64(block.stored)
	if next > l.r.footerAt {
		return l.r.corrupt(l.offset, fmt.Errorf("block %d: reaches into the footer", l.number))
	}
	s.block = block
	l.offset, l.hash = next, block.hash
	l.number++
	l.active++
	s.wait = l.run(func() { s.err = l.r.decode(s) })
	return nil
}

// decode reads, verifies and decompresses one block. Tasks share nothing.
func (r *Reader) decode(s *slot) error {
	s.buffer = grow(s.buffer, blockHeaderBytes+int(s.block.stored))
	if err := r.readInto(s.buffer[blockHeaderBytes:], s.at+blockHeaderBytes); err != nil {
		return err
	}
	frame := s.buffer[blockHeaderBytes:]
	if blockHash(s.previous, s.buffer[:blockHeaderBytes-hashBytes], frame) != s.block.hash {
		return r.corrupt(s.at, fmt.Errorf("block %d: wrong hash", s.block.number))
	}
	if s.decoder == nil {
		s.decoder = newDecoder()
	}
	s.raw = grow(s.raw, int(s.block.raw))
	raw, err := s.decoder.DecodeAll(frame, s.raw[:0:s.block.raw])
	if err != nil {
		return r.corrupt(s.at, fmt.Errorf("block %d: %w", s.block.number, err))
	}
	if len(raw) != int(s.block.raw) {
		return r.corrupt(s.at, fmt.Errorf("block %d: %d raw bytes, header says %d", s.block.number, len(raw), s.block.raw))
	}
	s.raw = raw
	return nil
}

// finish waits for the oldest block and hands out its records.
func (l *loader) finish() error {
	s := &l.slots[l.head]
	s.wait()
	l.head = (l.head + 1) % lookahead
	l.active--
	if s.err != nil {
		return s.err
	}
	section, err := l.section(&s.block)
	if err != nil {
		return l.r.corrupt(s.at, err)
	}
	before := l.records.count
	if err := l.records.feed(section.Name, s.raw); err != nil {
		if errors.Is(err, errRecord) {
			return l.r.corrupt(s.at, err)
		}
		return fmt.Errorf("snapshot: load %s, block %d: %w", l.r.name, s.block.number, err)
	}
	section.Records += l.records.count - before
	return nil
}

// section returns the sums of the block's section, opening it if it is new.
func (l *loader) section(b *blockHeader) (*Section, error) {
	if n := len(l.seen); n == 0 || nameOf(l.seen[n-1].Name) != b.section {
		if l.records.pending() {
			return nil, fmt.Errorf("block %d: a section begins inside a record", b.number)
		}
		if n == len(l.r.footer.sections) || l.r.footer.sections[n].Name != b.section.String() {
			return nil, fmt.Errorf("block %d: section %q isn't in the footer there", b.number, b.section)
		}
		l.seen = append(l.seen, Section{Name: b.section.String()})
	}
	s := &l.seen[len(l.seen)-1]
	s.Raw += uint64(b.raw)
	s.Stored += uint64(b.stored)
	return s, nil
}

// end compares the whole with the footer.
func (l *loader) end() error {
	f := &l.r.footer
	b, err := l.r.read(l.r.footerAt, int(l.r.size-l.r.footerAt))
	if err != nil {
		return err
	}
	if err := verifyFooter(b, f, l.hash); err != nil {
		return l.r.corrupt(l.r.footerAt, err)
	}
	switch {
	case l.records.pending():
		err = errors.New("footer: the last record is cut short")
	case f.blocks != l.number:
		err = fmt.Errorf("footer: %d blocks, found %d", f.blocks, l.number)
	case len(f.sections) != len(l.seen):
		err = fmt.Errorf("footer: %d sections, found %d", len(f.sections), len(l.seen))
	}
	for i := 0; err == nil && i < len(l.seen); i++ {
		if f.sections[i] != l.seen[i] {
			err = fmt.Errorf("footer: section %+v, found %+v", f.sections[i], l.seen[i])
		}
	}
	if err != nil {
		return l.r.corrupt(l.r.footerAt, err)
	}
	return nil
}

// drain waits for the tasks that an error left behind, and frees decoders.
func (l *loader) drain() {
	for ; l.active > 0; l.active-- {
		l.slots[l.head].wait()
		l.head = (l.head + 1) % lookahead
	}
	for i := range l.slots {
		if d := l.slots[i].decoder; d != nil {
			d.Close()
		}
	}
}

// errRecord: the bytes of a section are no sequence of records.
var errRecord = errors.New("bad record length")

// assembler cuts a section's bytes into records. One that spans blocks is
// joined in carry, which grows with what has really come, never with what a
// length promises.
type assembler struct {
	add   func(section string, record []byte) error
	carry []byte
	count uint64
}

func (a *assembler) pending() bool { return len(a.carry) > 0 }

func (a *assembler) feed(section string, raw []byte) error {
	if len(a.carry) > 0 {
		rest, err := a.complete(section, raw)
		if err != nil || a.pending() {
			return err
		}
		raw = rest
	}
	for len(raw) > 0 {
		size, n := binary.Uvarint(raw)
		if n < 0 {
			return errRecord
		}
		if n == 0 || size > uint64(len(raw)-n) {
			a.carry = append(a.carry, raw...)
			return a.checkCarry()
		}
		if err := a.emit(section, raw[n:n+int(size)]); err != nil {
			return err
		}
		raw = raw[n+int(size):]
	}
	return nil
}

// complete adds to carry until its record is whole, and returns what is left.
func (a *assembler) complete(section string, raw []byte) (rest []byte, err error) {
	for {
		size, n := binary.Uvarint(a.carry)
		switch {
		case n < 0:
			return nil, errRecord
		case n > 0:
			missing := n + int(size) - len(a.carry)
			if missing > len(raw) {
				a.carry = append(a.carry, raw...)
				return nil, nil
			}
			a.carry = append(a.carry, raw[:missing]...)
			err := a.emit(section, a.carry[n:])
			a.carry = a.carry[:0]
			return raw[missing:], err
		case len(raw) == 0:
			return nil, nil
		}
		a.carry = append(a.carry, raw[0])
		raw = raw[1:]
		if err := a.checkCarry(); err != nil {
			return nil, err
		}
	}
}

// recordBytesMax bounds one record: far above any key's versions, far below
// what would overflow an int.
const recordBytesMax = 1 << 40

func (a *assembler) checkCarry() error {
	if size, n := binary.Uvarint(a.carry); n < 0 || n > 0 && size > recordBytesMax {
		return errRecord
	}
	return nil
}

func (a *assembler) emit(section string, record []byte) error {
	a.count++
	return a.add(section, record)
}

// grow returns b with length n, keeping what is there.
func grow(b []byte, n int) []byte {
	if cap(b) >= n {
		return b[:n]
	}
	g := make([]byte, n)
	copy(g, b[:cap(b)])
	return g
}
