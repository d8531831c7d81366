package interchange

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt maps a database into memory and believes its pages: one that leads out of
// the file, or back to itself, ends the process or never does. So all that can be
// reached from the root is looked at before. Numbers are in the machine's order:
//
//	page     id 8 | flags 2 | count 2 | overflow 4 | count × element | keys and values
//	branch   position 4 | key size 4 | page 8
//	leaf     flags 4 | position 4 | key size 4 | value size 4
//	root     magic 4 | version 4 | page size 4 | flags 4 | page 8 | sequence 8 | free list 8 | pages 8 | txid 8 | FNV-1a 8
//	bucket   page 8 | sequence 8; page 0: a leaf page follows in place
//
// A position counts from its element. A page with an overflow is so many pages
// longer. Pages 0 and 1 hold a root each; that of the later transaction counts, or
// the other if it is broken.
const (
	headBytes    = 16
	elementBytes = 16
	bucketBytes  = 16
	rootBytes    = 64

	branchPage = 1
	leafPage   = 2
	bucketLeaf = 1

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageBytesMin, pageBytesMax = 1 << 10, 16 << 20
	fileBytesMin               = 4 << 10
	// treeDepthMax is far above what the largest database needs.
	treeDepthMax = 64
)

// pages checks the pages of one database.
//
// Invariant: seen has those that were reached, so none is reached twice.
type pages struct {
	file io.ReaderAt
	size int64  // of one
	end  uint64 // their number
	seen []bool
}

// checkPages looks at all of a database of so many bytes. Errors wrap ErrBadFile,
// or are the disk's.
func checkPages(file io.ReaderAt, fileBytes int64) error {
	size, err := pageSize(file, fileBytes)
	if err != nil {
		return err
	}
	p := &pages{file: file, size: size}
	root, err := p.root()
	if err != nil {
		return err
	}
	p.end = binary.NativeEndian.Uint64(root[40:])
	if int64(binary.NativeEndian.Uint32(root[8:])) != size || p.end > uint64(fileBytes/size) {
		return badPage(0, "its root is of another file")
	}
	p.seen = make([]bool, p.end)
	return p.visit(binary.NativeEndian.Uint64(root[16:]), &tree{top: true})
}

func badPage(id uint64, what string) error {
	return fmt.Errorf("%w: page %d: %s", ErrBadFile, id, what)
}

// pageSize finds a root, and what it says of the size of pages. It looks where
// bbolt does, so that both take the same file in hand.
func pageSize(file io.ReaderAt, fileBytes int64) (int64, error) {
	for at := int64(0); fileBytes >= fileBytesMin && at < fileBytes && at <= pageBytesMax; at = max(2*at, pageBytesMin) {
		root, err := readRoot(file, at)
		if err != nil {
			return 0, err
		}
		size := int64(binary.NativeEndian.Uint32(root[8:]))
		switch {
		case !soundRoot(root):
			continue
		case size < pageBytesMin || size > pageBytesMax || size&(size-1) != 0 || at > 0 && at != size:
			return 0, badPage(0, "no size of pages")
		}
		return size, nil
	}
	return 0, fmt.Errorf("%w: no database", ErrBadFile)
}

func readRoot(file io.ReaderAt, at int64) ([]byte, error) {
	root := make([]byte, rootBytes)
	if _, err := file.ReadAt(root, at+headBytes); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return root, nil
}

func soundRoot(root []byte) bool {
	sum := fnv.New64a()
	_, _ = sum.Write(root[:rootBytes-8])
	return binary.NativeEndian.Uint32(root) == boltMagic && binary.NativeEndian.Uint32(root[4:]) == boltVersion &&
		binary.NativeEndian.Uint64(root[rootBytes-8:]) == sum.Sum64()
}

// root is the one that counts.
func (p *pages) root() ([]byte, error) {
	first, err := readRoot(p.file, 0)
	if err != nil {
		return nil, err
	}
	second, err := readRoot(p.file, p.size)
	if err != nil {
		return nil, err
	}
	if binary.NativeEndian.Uint64(second[48:]) > binary.NativeEndian.Uint64(first[48:]) {
		first, second = second, first
	}
	for _, root := range [][]byte{first, second} {
		if soundRoot(root) {
			return root, nil
		}
	}
	return nil, badPage(0, "no sound root")
}

// tree is where in a tree of pages a page stands: its keys are at or above low and
// below high; nil: unbounded.
type tree struct {
	top       bool // the tree of buckets
	depth     int
	low, high []byte
}

func (t *tree) holds(key []byte) bool {
	return bytes.Compare(key, t.low) >= 0 && (t.high == nil || bytes.Compare(key, t.high) < 0)
}

// visit checks a page and those below it.
func (p *pages) visit(id uint64, t *tree) error {
	if t.depth > treeDepthMax {
		return badPage(id, "too deep")
	}
	page, err := p.read(id)
	if err != nil {
		return err
	}
	elements, err := elementsOf(id, page)
	if err != nil {
		return err
	}
	flags := binary.NativeEndian.Uint16(page[8:])
	for i, e := range elements {
		if !t.holds(e.key) || i > 0 && bytes.Compare(elements[i-1].key, e.key) >= 0 {
			return badPage(id, "keys out of order")
		}
		if flags == leafPage {
			err = p.leaf(id, e, t)
		} else {
			below := &tree{top: t.top, depth: t.depth + 1, low: e.key, high: t.high}
			if i+1 < len(elements) {
				below.high = elements[i+1].key
			}
			err = p.visit(e.page, below)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read gets a page that wasn't read before, with its overflow.
func (p *pages) read(id uint64) ([]byte, error) {
	if id < 2 || id >= p.end {
		return nil, badPage(id, "not in the file")
	}
	head := make([]byte, headBytes)
	if _, err := p.file.ReadAt(head, int64(id)*p.size); err != nil {
		return nil, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || overflow >= p.end-id {
		return nil, badPage(id, "another page, or one that ends outside")
	}
	for i := range overflow + 1 {
		if p.seen[id+i] {
			return nil, badPage(id+i, "reached twice")
		}
		p.seen[id+i] = true
	}
	page := make([]byte, int64(overflow+1)*p.size)
	_, err := p.file.ReadAt(page, int64(id)*p.size)
	return page, err
}

// element is a row of a page.
type element struct {
	key, value []byte
	page       uint64 // of a branch
	bucket     bool   // of a leaf
}

// elementsOf reads a branch or a leaf.
func elementsOf(id uint64, page []byte) ([]element, error) {
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != leafPage && (flags != branchPage || count == 0) || headBytes+count*elementBytes > len(page) {
		return nil, badPage(id, "neither branch nor leaf, or too many rows")
	}
	elements := make([]element, count)
	for i := range elements {
		at := headBytes + i*elementBytes
		word := func(n int) uint64 { return uint64(binary.NativeEndian.Uint32(page[at+4*n:])) }
		position, key, value := word(0), word(1), uint64(0)
		if flags == leafPage {
			position, key, value = word(1), word(2), word(3)
			elements[i].bucket = word(0)&bucketLeaf != 0
		} else {
			elements[i].page = binary.NativeEndian.Uint64(page[at+8:])
		}
		from := uint64(at) + position
		if from+key+value > uint64(len(page)) {
			return nil, badPage(id, "a row that ends outside")
		}
		elements[i].key, elements[i].value = page[from:from+key], page[from+key:from+key+value]
	}
	return elements, nil
}

// leaf checks a row of a leaf: in the tree of buckets it may be one, below it none is.
func (p *pages) leaf(id uint64, e element, t *tree) error {
	switch {
	case !e.bucket:
		return nil
	case !t.top || len(e.value) < bucketBytes:
		return badPage(id, "no bucket")
	}
	if root := binary.NativeEndian.Uint64(e.value); root != 0 {
		return p.visit(root, &tree{})
	}
	inside := e.value[bucketBytes:]
	if len(inside) < headBytes || binary.NativeEndian.Uint16(inside[8:]) != leafPage {
		return badPage(id, "no bucket in place")
	}
	elements, err := elementsOf(id, inside)
	if err != nil {
		return err
	}
	for i, inner := range elements {
		if inner.bucket || i > 0 && bytes.Compare(elements[i-1].key, inner.key) >= 0 {
			return badPage(id, "keys out of order in a bucket in place")
		}
	}
	return nil
}
