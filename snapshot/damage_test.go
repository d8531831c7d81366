package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// tryLoad plants content as a snapshot and loads it.
func tryLoad(t testing.TB, content []byte) ([]row, error) {
	t.Helper()
	fs := disk.NewMem()
	d := openDir(t, fs)
	last := raft.EntryID{Index: 9, Term: 2}
	plant(t, fs, d.path(snapName(last)), content)
	return load(d, last, nil)
}

func fileOf(t testing.TB, list []row) []byte {
	t.Helper()
	fs := disk.NewMem()
	d := openDir(t, fs)
	info := mustWrite(t, d, testMeta(9, 2), list)
	return readFile(t, fs, d.path(snapName(info.Last)))
}

// detected: refused for a reason, which is never that something panicked.
func detected(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnknownFormat) || errors.Is(err, ErrTooLarge)
}

// No flipped bit goes unnoticed, in whichever byte: header, blocks' headers and
// frames, footer.
func TestBitFlipInEveryByteIsDetected(t *testing.T) {
	content := fileOf(t, sampleRows(0))
	for at := range content {
		for _, bit := range [...]int{at % 8, (at + 5) % 8} {
			content[at] ^= 1 << bit
			if _, err := tryLoad(t, content); !detected(err) {
				t.Fatalf("bit %d of byte %d of %d: %v", bit, at, len(content), err)
			}
			content[at] ^= 1 << bit
		}
	}
	if _, err := tryLoad(t, content); err != nil {
		t.Fatalf("undamaged: %v", err)
	}
}

func TestEveryTruncationIsDetected(t *testing.T) {
	content := fileOf(t, sampleRows(0))
	for size := range content {
		if _, err := tryLoad(t, content[:size]); !detected(err) {
			t.Fatalf("first %d of %d bytes: %v", size, len(content), err)
		}
	}
	for _, more := range [][]byte{{0}, bytes.Repeat([]byte{7}, 512), content} {
		if _, err := tryLoad(t, append(bytes.Clone(content), more...)); !detected(err) {
			t.Fatalf("%d bytes appended: %v", len(more), err)
		}
	}
}

// Larger damage: sectors of zeros, of garbage, of elsewhere in the file.
func TestDamagedSectorsAreDetected(t *testing.T) {
	content := fileOf(t, sampleRows(20_000))
	rng := rand.New(rand.NewPCG(1, 1))
	for sector := 0; sector+512 <= len(content); sector += 13 * 512 {
		damaged := bytes.Clone(content)
		into := damaged[sector : sector+512]
		switch rng.IntN(3) {
		case 0:
			clear(into)
		case 1:
			for i := range into {
				into[i] = byte(rng.Uint32())
			}
		default:
			copy(into, content[rng.IntN(len(content)-512):])
		}
		if _, err := tryLoad(t, damaged); !detected(err) {
			t.Fatalf("sector at %d: %v", sector, err)
		}
	}
}

// parts cuts a file into header, blocks and footer.
func parts(t testing.TB, content []byte) (list [][]byte) {
	t.Helper()
	n, err := headerSize(content)
	if err != nil {
		t.Fatal(err)
	}
	for rest := content; ; {
		list = append(list, rest[:n])
		rest = rest[n:]
		if string(rest[:4]) == footerMagic {
			return append(list, rest)
		}
		h, err := decodeBlockHeader(rest, uint32(len(list)-1))
		if err != nil {
			t.Fatal(err)
		}
		n = blockHeaderBytes + int(h.stored)
	}
}

// A sound block in the wrong place, or of another file, is damage: the chain of
// hashes binds each to what came before it.
func TestMisplacedBlocksAreDetected(t *testing.T) {
	list := sampleRows(20_000)
	a := parts(t, fileOf(t, list))
	list[0].record = []byte("M") // differs in the first block only
	b := parts(t, fileOf(t, list))
	if len(a) != len(b) || len(a) < 6 {
		t.Fatalf("%d and %d parts", len(a), len(b))
	}
	join := func(p [][]byte) []byte { return bytes.Join(p, nil) }
	for i := range a {
		mixed := append(append([][]byte{}, a[:i]...), b[i:]...)
		if _, err := tryLoad(t, join(mixed)); i > 1 && !detected(err) {
			t.Errorf("file spliced at part %d: %v", i, err)
		}
		without := append(append([][]byte{}, a[:i]...), a[i+1:]...)
		if _, err := tryLoad(t, join(without)); !detected(err) {
			t.Errorf("part %d missing: %v", i, err)
		}
		twice := append(append([][]byte{}, a[:i+1]...), a[i:]...)
		if _, err := tryLoad(t, join(twice)); !detected(err) {
			t.Errorf("part %d twice: %v", i, err)
		}
	}
}

// forge builds a file with a sound chain of hashes around one kv block.
func forge(block blockHeader, frame []byte, sections []Section, blocks uint32) []byte {
	h := header{cluster: testCluster, meta: testMeta(9, 2)}
	b := appendHeader(nil, &h)
	b = appendBlock(b, &block, h.hash, frame)
	f := footer{blocks: blocks, sections: sections}
	f.size = uint64(len(b) + footerSize(len(sections)))
	return appendFooter(b, &f, block.hash)
}

// A file whose hashes are all right may still lie: about sizes (a "zstd bomb"),
// about records, about its own contents. None of that is believed.
func TestForgedFiles(t *testing.T) {
	enc, _ := zstd.NewWriter(nil)
	bomb := enc.EncodeAll(make([]byte, 64<<20), nil)
	var streamed bytes.Buffer // a frame without a declared size
	sw, _ := zstd.NewWriter(&streamed)
	_, _ = sw.Write(make([]byte, 64<<20))
	_ = sw.Close()
	good := []byte("\x02ab\x03xyz")
	frame := enc.EncodeAll(good, nil)
	kv := nameOf("kv")
	section := func(records, raw, stored int) []Section {
		return []Section{{Name: "kv", Records: uint64(records), Raw: uint64(raw), Stored: uint64(stored)}}
	}
	one := func(raw []byte) []byte {
		f := enc.EncodeAll(raw, nil)
		return forge(blockHeader{section: kv, raw: uint32(len(raw)), stored: uint32(len(f))}, f, section(1, len(raw), len(f)), 1)
	}
	block := blockHeader{section: kv, raw: uint32(len(good)), stored: uint32(len(frame))}
	lie := func(change func(*blockHeader)) blockHeader { b := block; change(&b); return b }
	cases := []struct {
		name string
		file []byte
	}{
		{"bomb with declared size", forge(blockHeader{section: kv, raw: blockBytesMax, stored: uint32(len(bomb))}, bomb, section(0, blockBytesMax, len(bomb)), 1)},
		{"bomb without declared size", forge(blockHeader{section: kv, raw: blockBytesMax, stored: uint32(streamed.Len())}, streamed.Bytes(), section(0, blockBytesMax, streamed.Len()), 1)},
		{"raw size beyond the limit", forge(lie(func(b *blockHeader) { b.raw = 1 << 31 }), frame, section(2, 1<<31, len(frame)), 1)},
		{"stored size beyond the limit", forge(lie(func(b *blockHeader) { b.stored = 1 << 31 }), frame, section(2, len(good), 1<<31), 1)},
		{"raw size too small", forge(lie(func(b *blockHeader) { b.raw-- }), frame, section(2, len(good)-1, len(frame)), 1)},
		{"raw size too large", forge(lie(func(b *blockHeader) { b.raw++ }), frame, section(2, len(good)+1, len(frame)), 1)},
		{"wrong number", forge(lie(func(b *blockHeader) { b.number = 1 }), frame, section(2, len(good), len(frame)), 1)},
		{"nameless section", forge(lie(func(b *blockHeader) { b.section = sectionName{} }), frame, section(2, len(good), len(frame)), 1)},
		{"other section than the footer", forge(lie(func(b *blockHeader) { b.section = nameOf("meta") }), frame, section(2, len(good), len(frame)), 1)},
		{"wrong count of records", forge(block, frame, section(3, len(good), len(frame)), 1)},
		{"wrong raw sum", forge(block, frame, section(2, len(good)+1, len(frame)), 1)},
		{"wrong count of blocks", forge(block, frame, section(2, len(good), len(frame)), 2)},
		{"section without blocks", forge(block, frame, append(section(2, len(good), len(frame)), Section{Name: "x"}), 1)},
		{"record cut short", one([]byte("\x05ab"))},
		{"record of 2^63 bytes", one([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\x7fab"))},
		{"length of eleven bytes", one(bytes.Repeat([]byte{0xff}, 11))},
		{"not zstd", forge(lie(func(b *blockHeader) { b.stored = 3 }), []byte("abc"), section(2, len(good), 3), 1)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := tryLoad(t, c.file); !errors.Is(err, ErrCorrupt) {
				t.Errorf("err = %v", err)
			}
		})
	}
	if list, err := tryLoad(t, forge(block, frame, section(2, len(good), len(frame)), 1)); err != nil || len(list) != 2 {
		t.Errorf("the honest one: %v, %v", list, err)
	}
}

// A bomb costs no more memory than a block, however large it says it is.
func TestBombAllocatesLittle(t *testing.T) {
	enc, _ := zstd.NewWriter(nil)
	bomb := enc.EncodeAll(make([]byte, 64<<20), nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := newDecoder()
	defer d.Close()
	if _, err := d.DecodeAll(bomb, make([]byte, 0, 1000)); err == nil {
		t.Error("a bomb of 64 MiB fitted into 1000 bytes")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("a refused bomb took %d bytes", n)
	}
}

// Errors say which file and where.
func TestCorruptErrorSaysWhere(t *testing.T) {
	content := fileOf(t, sampleRows(0))
	p := parts(t, content)
	at := len(p[0]) + len(p[1])
	content[at+blockHeaderBytes+2] ^= 1
	_, err := tryLoad(t, content)
	var c *CorruptError
	if !errors.As(err, &c) {
		t.Fatalf("err = %v", err)
	}
	if want := fmt.Sprintf("snapshot: data/snap/%s is corrupt at offset %d: block 1: wrong hash",
		snapName(raft.EntryID{Index: 9, Term: 2}), at); c.Error() != want {
		t.Errorf("%q, want %q", c.Error(), want)
	}
}
