package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/holdfast-db/holdfast/raft"
)

// A snapshot file is a header, blocks and a footer. Numbers are little endian.
//
//	┌────────┬─────────┬─────────┬───┬─────────┬────────┐
//	│ header │ block 0 │ block 1 │ … │ block n │ footer │
//	└────────┴─────────┴─────────┴───┴─────────┴────────┘
//
// Every part ends or begins with an xxHash64 that also covers the hash of the
// part before it: the hashes are a chain. So a block of another file, or of
// another place in this one, is found like a damaged one, and the footer's hash
// names the whole file (its digest).
const (
	headerMagic = "HFSNAP\r\n"
	blockMagic  = "HFSB"
	footerMagic = "HFSF"
	endMagic    = "HFSE"

	formatVersion = 1

	headerFixedBytes  = 32
	headerMetaMax     = 4 << 20
	blockHeaderBytes  = 32
	footerFixedBytes  = 32
	footerTailBytes   = 16
	sectionEntryBytes = 32
	hashBytes         = 8

	// sectionsMax bounds the footer.
	sectionsMax = 64
	// SectionNameMax is the longest name of a section, in bytes.
	SectionNameMax = 8

	// BlockBytes is how much uncompressed data a Writer puts in a block: small
	// enough that a step takes about a millisecond, large enough for zstd to
	// find what repeats.
	BlockBytes = 256 << 10
	// blockBytesMax is the most that a reader accepts. With it the memory of a
	// decompression is bounded whatever the file says.
	blockBytesMax = 1 << 20
)

// storedBytesMax bounds the zstd frame of raw bytes: its worst case is raw data
// with a few bytes of header each 128 KiB.
func storedBytesMax(raw uint32) uint32 { return raw + raw/256 + 64 }

// header is the first part.
//
//	 0      8  magic "HFSNAP\r\n"
//	 8      4  format version
//	12      4  length of meta, n
//	16      8  cluster id
//	24      8  zero
//	32      n  raft.SnapshotMeta: last entry, configuration with incarnations
//	32+n    8  xxHash64 of all the above
type header struct {
	cluster uint64
	meta    raft.SnapshotMeta
	hash    uint64
}

func appendHeader(dst []byte, h *header) []byte {
	start := len(dst)
	meta := raft.AppendSnapshotMeta(nil, h.meta)
	dst = append(dst, headerMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(meta)))
	dst = binary.LittleEndian.AppendUint64(dst, h.cluster)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	dst = append(dst, meta...)
	h.hash = xxhash.Sum64(dst[start:])
	return binary.LittleEndian.AppendUint64(dst, h.hash)
}

// headerSize returns the length of the header that begins with b, which holds
// at least headerFixedBytes.
func headerSize(b []byte) (int, error) {
	if string(b[:8]) != headerMagic {
		return 0, fmt.Errorf("header: no magic")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return 0, fmt.Errorf("%w %d", ErrUnknownFormat, v)
	}
	n := binary.LittleEndian.Uint32(b[12:])
	if n > headerMetaMax {
		return 0, fmt.Errorf("header: %d bytes of metadata", n)
	}
	return headerFixedBytes + int(n) + hashBytes, nil
}

// decodeHeader reads a header of exactly headerSize bytes.
func decodeHeader(b []byte) (h header, err error) {
	body := b[:len(b)-hashBytes]
	h.hash = binary.LittleEndian.Uint64(b[len(body):])
	if xxhash.Sum64(body) != h.hash {
		return h, fmt.Errorf("header: wrong hash")
	}
	h.cluster = binary.LittleEndian.Uint64(b[16:])
	if binary.LittleEndian.Uint64(b[24:]) != 0 {
		return h, fmt.Errorf("header: reserved bytes in use")
	}
	h.meta, err = raft.DecodeSnapshotMeta(body[headerFixedBytes:])
	if err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	return h, nil
}

// blockHeader stands before each zstd frame.
//
//	 0  4  magic "HFSB"
//	 4  4  number, from 0
//	 8  8  section, zero-padded
//	16  4  raw length: the frame's uncompressed size, at least 1
//	20  4  stored length of the frame
//	24  8  xxHash64 of the previous part's hash, bytes 0–23, the frame
//	32  …  one zstd frame
//
// A section's blocks are consecutive. Their raw bytes, joined, are its records,
// each as a uvarint length and that many bytes; records may span blocks.
type blockHeader struct {
	number      uint32
	section     sectionName
	raw, stored uint32
	hash        uint64
}

type sectionName [SectionNameMax]byte

func nameOf(section string) (n sectionName) {
	if len(section) == 0 || len(section) > SectionNameMax || bytes.IndexByte([]byte(section), 0) >= 0 {
		panic(fmt.Sprintf("snapshot: bad section name %q", section))
	}
	copy(n[:], section)
	return n
}

func (n sectionName) String() string { return string(bytes.TrimRight(n[:], "\x00")) }

// appendBlock appends header and frame, and sets the hash.
func appendBlock(dst []byte, h *blockHeader, previous uint64, frame []byte) []byte {
	start := len(dst)
	dst = append(dst, blockMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, h.number)
	dst = append(dst, h.section[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, h.raw)
	dst = binary.LittleEndian.AppendUint32(dst, h.stored)
	h.hash = blockHash(previous, dst[start:], frame)
	dst = binary.LittleEndian.AppendUint64(dst, h.hash)
	return append(dst, frame...)
}

func blockHash(previous uint64, head, frame []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], previous)
	_, _ = d.Write(seed[:])
	_, _ = d.Write(head)
	_, _ = d.Write(frame)
	return d.Sum64()
}

// decodeBlockHeader reads blockHeaderBytes. The hash is yet to be verified.
func decodeBlockHeader(b []byte, number uint32) (h blockHeader, err error) {
	h.number = binary.LittleEndian.Uint32(b[4:])
	h.section = sectionName(b[8:16])
	h.raw = binary.LittleEndian.Uint32(b[16:])
	h.stored = binary.LittleEndian.Uint32(b[20:])
	h.hash = binary.LittleEndian.Uint64(b[24:])
	switch {
	case string(b[:4]) != blockMagic:
		return h, fmt.Errorf("block %d: no magic", number)
	case h.number != number:
		return h, fmt.Errorf("block %d: says it is block %d", number, h.number)
	case h.section[0] == 0:
		return h, fmt.Errorf("block %d: no section", number)
	case h.raw == 0 || h.raw > blockBytesMax:
		return h, fmt.Errorf("block %d: %d raw bytes", number, h.raw)
	case h.stored == 0 || h.stored > storedBytesMax(h.raw):
		return h, fmt.Errorf("block %d: %d stored bytes for %d", number, h.stored, h.raw)
	}
	return h, nil
}

// Section sums up one section of a file.
type Section struct {
	Name    string
	Records uint64
	Raw     uint64 // uncompressed bytes, with the records' lengths
	Stored  uint64 // bytes of zstd frames
}

// footer is the last part; it repeats its length at the file's end, from where
// it is found.
//
//	 0      4  magic "HFSF"
//	 4      4  length of the whole footer
//	 8      8  state hash, as the writer was told
//	16      8  size of the whole file
//	24      4  number of blocks
//	28      4  number of sections, n
//	32   32·n  {name 8, records 8, raw bytes 8, stored bytes 8}, in file order
//	…       8  xxHash64 of the previous part's hash and all the above: the digest
//	…       4  length again
//	…       4  magic "HFSE"
type footer struct {
	stateHash uint64
	size      uint64
	blocks    uint32
	sections  []Section
	digest    uint64
}

// fileBytesMin: no file is smaller than a header and a footer.
const fileBytesMin = headerFixedBytes + hashBytes + footerFixedBytes + footerTailBytes

func footerSize(sections int) int {
	return footerFixedBytes + sections*sectionEntryBytes + footerTailBytes
}

func appendFooter(dst []byte, f *footer, previous uint64) []byte {
	start := len(dst)
	length := uint32(footerSize(len(f.sections)))
	dst = append(dst, footerMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, length)
	dst = binary.LittleEndian.AppendUint64(dst, f.stateHash)
	dst = binary.LittleEndian.AppendUint64(dst, f.size)
	dst = binary.LittleEndian.AppendUint32(dst, f.blocks)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(f.sections)))
	for _, s := range f.sections {
		name := nameOf(s.Name)
		dst = append(dst, name[:]...)
		dst = binary.LittleEndian.AppendUint64(dst, s.Records)
		dst = binary.LittleEndian.AppendUint64(dst, s.Raw)
		dst = binary.LittleEndian.AppendUint64(dst, s.Stored)
	}
	f.digest = blockHash(previous, dst[start:], nil)
	dst = binary.LittleEndian.AppendUint64(dst, f.digest)
	dst = binary.LittleEndian.AppendUint32(dst, length)
	return append(dst, endMagic...)
}

// footerSizeAt returns the length of the footer that begins with b, which
// holds at least 8 bytes.
func footerSizeAt(b []byte) (int, error) {
	n := binary.LittleEndian.Uint32(b[4:])
	if string(b[:4]) != footerMagic || !footerSizeValid(n) {
		return 0, fmt.Errorf("footer: no magic or bad length")
	}
	return int(n), nil
}

// footerSizeBefore returns it from the file's last 8 bytes.
func footerSizeBefore(b []byte) (int, error) {
	n := binary.LittleEndian.Uint32(b)
	if string(b[4:8]) != endMagic || !footerSizeValid(n) {
		return 0, fmt.Errorf("footer: the file doesn't end with one")
	}
	return int(n), nil
}

func footerSizeValid(n uint32) bool {
	return n >= uint32(footerSize(0)) && n <= uint32(footerSize(sectionsMax)) &&
		(n-uint32(footerSize(0)))%sectionEntryBytes == 0
}

// decodeFooter reads a footer. Its hash needs the hash before it, so it is
// checked by whoever has walked the blocks: verifyFooter.
func decodeFooter(b []byte) (f footer, err error) {
	n, err := footerSizeAt(b)
	if err != nil || n != len(b) {
		return f, fmt.Errorf("footer: %d bytes", len(b))
	}
	f.stateHash = binary.LittleEndian.Uint64(b[8:])
	f.size = binary.LittleEndian.Uint64(b[16:])
	f.blocks = binary.LittleEndian.Uint32(b[24:])
	sections := int(binary.LittleEndian.Uint32(b[28:]))
	tail := b[n-footerTailBytes:]
	f.digest = binary.LittleEndian.Uint64(tail)
	end, err := footerSizeBefore(tail[8:])
	if err != nil || end != n || sections > sectionsMax || footerSize(sections) != n {
		return f, fmt.Errorf("footer: lengths disagree")
	}
	for e := b[footerFixedBytes : n-footerTailBytes]; len(e) > 0; e = e[sectionEntryBytes:] {
		f.sections = append(f.sections, Section{
			Name:    sectionName(e[:8]).String(),
			Records: binary.LittleEndian.Uint64(e[8:]),
			Raw:     binary.LittleEndian.Uint64(e[16:]),
			Stored:  binary.LittleEndian.Uint64(e[24:]),
		})
	}
	return f, nil
}

// verifyFooter checks the footer's bytes against the chain of hashes.
func verifyFooter(b []byte, f *footer, previous uint64) error {
	if blockHash(previous, b[:len(b)-footerTailBytes], nil) != f.digest {
		return fmt.Errorf("footer: wrong hash")
	}
	return nil
}
