package wal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read the diff, it is a change of the format")

const goldenSalt = 0x1122334455667788

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", file, got)
	}
}

// dumpHex prints bytes as `hexdump -C` does, runs of zero lines left out.
func dumpHex(b []byte) string {
	var out strings.Builder
	skipped := false
	for line := range strings.Lines(hex.Dump(b)) {
		if strings.Contains(line, "00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00") {
			if !skipped {
				out.WriteString("*\n")
			}
			skipped = true
			continue
		}
		skipped = false
		out.WriteString(line)
	}
	return out.String()
}

func goldenSuper() super {
	return super{
		version: 4, id: Identity{Cluster: 0xc1, Member: 0xa1, Incarnation: 0x17}, boot: 3, start: 5,
		floor: Floor{
			At: Pos{7, 12}, Link: Pos{6, 2}, Last: raft.EntryID{Index: 90, Term: 8},
			Hard: raft.HardState{Term: 9, Vote: 2, Commit: 88},
		},
		snapshot: raft.SnapshotMeta{
			Last: raft.EntryID{Index: 40, Term: 6}, Config: raft.ConfigAt{At: raft.EntryID{Index: 12, Term: 2}, Config: testConfig(1)},
		},
		active: raft.ConfigAt{At: raft.EntryID{Index: 77, Term: 8}, Config: testConfig(2)},
		peers:  []PeerMark{{ID: 2, Incarnation: 0x18, Boot: 1, Nonce: 0x19, Term: 9, Match: 89}},
	}
}

func TestGoldenSuper(t *testing.T) {
	s := goldenSuper()
	b, err := s.encode(2)
	must(t, err)
	golden(t, "super.hex", dumpHex(b))
	back, err := decodeSuper(b, 2)
	must(t, err)
	if !reflect.DeepEqual(*back, s) {
		t.Errorf("decoded %+v, want %+v", *back, s)
	}
	for _, block := range []uint32{0, 1, 3} {
		if _, err := decodeSuper(b, block); !errors.Is(err, errBadSuper) {
			t.Errorf("block 2 read as block %d: %v", block, err)
		}
	}
}

func TestSuperTooBig(t *testing.T) {
	s := goldenSuper()
	s.active.Config.Members = []raft.Member{{ID: 1, Voter: true, Address: strings.Repeat("x", 3900)}}
	b, err := s.encode(0)
	must(t, err) // left out: the log has it
	back, err := decodeSuper(b, 0)
	must(t, err)
	if back.active.At != s.active.At || len(back.active.Config.Members) != 0 {
		t.Errorf("active configuration %+v", back.active)
	}
	s.snapshot.Config.Config.Members = []raft.Member{{ID: 1, Voter: true, Address: strings.Repeat("x", 3860)}}
	b, err = s.encode(0)
	must(t, err) // no room for the peers: an old disk is then found less surely, but the member works
	if back, err = decodeSuper(b, 0); err != nil || len(back.peers) != 0 {
		t.Errorf("peers %+v beside a large configuration: %v", back.peers, err)
	}
	s.snapshot.Config.Config = s.active.Config
	if _, err := s.encode(0); !errors.Is(err, errSuperTooBig) {
		t.Errorf("snapshot's configuration too big: %v", err)
	}
}

func TestGoldenSegmentHeader(t *testing.T) {
	h := segmentHeader{cluster: 0xc1, member: 0xa1, seq: 7, salt: goldenSalt, size: 16 << 20}
	b := h.encode()
	golden(t, "segment.hex", dumpHex(b))
	back, err := decodeSegmentHeader(b)
	if err != nil || back != h {
		t.Errorf("decoded %+v, %v", back, err)
	}
	b[8] = 2
	if _, err := decodeSegmentHeader(b); !errors.Is(err, errBadHeader) {
		t.Errorf("header with a wrong CRC: %v", err)
	}
	copyCRC(b)
	if _, err := decodeSegmentHeader(b); !errors.Is(err, ErrVersion) {
		t.Errorf("header of a newer format: %v", err)
	}
}

func copyCRC(b []byte) {
	crc := segmentCRC(b)
	b[12], b[13], b[14], b[15] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
}

// goldenBatches has one batch of each kind.
func goldenBatches() map[string]*batch {
	hs := raft.HardState{Term: 9, Vote: 2, Commit: 40}
	prev := raft.EntryID{Index: 41, Term: 8}
	config := raft.ConfigAt{At: raft.EntryID{Index: 12, Term: 2}, Config: testConfig(1)}
	return map[string]*batch{
		"append":   {kind: KindAppend, prev: prev, hard: hs, entries: entries(42, 43, 9, 8)},
		"truncate": {kind: KindTruncate, prev: prev, hard: hs, entries: entries(42, 42, 9, 8)},
		"reset":    {kind: KindReset, prev: prev, hard: hs, config: &config},
		"repair":   {kind: KindRepair, prev: raft.EntryID{Index: 29, Term: 7}, hard: hs, entries: entries(30, 30, 7, 8)},
		"mark":     {kind: KindMark, prev: prev, hard: hs},
		"open":     {kind: KindOpen, prev: prev, hard: hs, entries: entries(42, 42, 9, 8)},
	}
}

func TestGoldenBatches(t *testing.T) {
	for name, b := range goldenBatches() {
		t.Run(name, func(t *testing.T) {
			h := header{kind: b.kind, pos: Pos{7, 3}, synced: Pos{7, 2}, chain: 0xabcd, prev: b.prev, last: b.last(), hard: b.hard}
			if b.kind == KindOpen {
				h.carried, h.pos.Block, h.synced = KindAppend, 1, Pos{6, 2}
			}
			var e encoder
			blocks := e.encode(&h, e.rowsOf(b), goldenSalt)
			golden(t, "batch-"+name+".hex", dumpHex(blocks))
			checkBatch(t, blocks, h, b)
		})
	}
}

// checkBatch decodes header, trailer, table and entries of one batch.
func checkBatch(t *testing.T, blocks []byte, h header, b *batch) {
	t.Helper()
	for _, at := range []int{0, len(blocks) - headerBytes} {
		back, ok := decodeHeader(blocks[at:], goldenSalt)
		if !ok || back != h {
			t.Errorf("at %d: decoded %+v, want %+v", at, back, h)
		}
		if _, ok := decodeHeader(blocks[at:], goldenSalt+1); ok {
			t.Error("another segment's salt was accepted")
		}
	}
	payload := blocks[headerBytes : headerBytes+int(h.payloadBytes)]
	rows, err := decodeTable(&h, payload)
	must(t, err)
	if b.config != nil {
		rows = rows[1:]
	}
	for i, r := range rows {
		e, ok := r.entry(payload)
		if !ok {
			t.Errorf("entry %v: CRC mismatch", r.id)
		}
		must(t, sameEntries([]raft.Entry{e}, b.entries[i:i+1]))
	}
}

// TestGoldenDirectory opens a log written by an earlier build.
func TestGoldenDirectory(t *testing.T) {
	dir := filepath.Join("testdata", "v1")
	if *rewrite {
		must(t, os.RemoveAll(dir))
		writeGoldenDirectory(t, dir)
	}
	fs := disk.NewMem()
	must(t, fs.MkdirAll(testDir))
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file.Name()))
		must(t, err)
		f, err := fs.Create(testDir + "/" + file.Name())
		must(t, err)
		_, err = f.WriteAt(data, 0)
		must(t, err)
	}
	var out bytes.Buffer
	rows, err := List(fs, testDir)
	must(t, err)
	must(t, WriteList(&out, rows))
	out.WriteByte('\n')
	must(t, Cat(fs, testDir, func(r BatchRow) error { return WriteBatch(&out, r, true) }))
	out.WriteByte('\n')
	rep, err := Verify(fs, testDir)
	must(t, err)
	must(t, WriteReport(&out, rep))
	golden(t, "v1.txt", out.String())

	l, rec := mustOpen(t, testOptions(fs))
	if rec.Boot != 3 || rec.First != 1 || rec.Last != 12 || rec.HardState != (raft.HardState{Term: 3, Vote: 2, Commit: 6}) {
		t.Errorf("recovered %s", brief(rec))
	}
	wantEntries(t, l, append(entries(1, 8, 1, 600), entries(9, 12, 3, 300)...))
	must(t, l.Close())
}

func writeGoldenDirectory(t *testing.T, dir string) {
	o := testOptions(disk.OS{})
	o.Dir = dir
	must(t, Create(o, testID, testInitial()))
	l, _ := mustOpen(t, o)
	for i := raft.Index(1); i <= 10; i += 2 {
		appendEntries(t, l, entries(i, i+1, 1, 600))
	}
	must(t, l.Close())
	l, _ = mustOpen(t, o)
	must(t, l.Append(&raft.Persist{
		HardState: raft.HardState{Term: 3, Vote: 2, Commit: 6}, Truncate: 9, Entries: entries(9, 12, 3, 300), MustSync: true,
	}))
	must(t, l.RunJobs())
	must(t, l.Close())
	must(t, os.Remove(filepath.Join(dir, lockName)))
}

// TestInspectDamage prints a damaged log for people.
func TestInspectDamage(t *testing.T) {
	s, middle, _ := newScene(t, true)
	must(t, s.fs.FlipBit(middle.name, (middle.off+dataAt)*8))
	rep, err := Verify(s.fs, testDir)
	must(t, err)
	var out bytes.Buffer
	must(t, WriteReport(&out, rep))
	if rep.OK() || len(rep.Faults) != 1 || rep.Faults[0].First != middle.index || !strings.Contains(out.String(), "CORRUPT") {
		t.Errorf("report:\n%s", out.String())
	}
	bad := 0
	must(t, Cat(s.fs, testDir, func(r BatchRow) error {
		if r.Problem != "" {
			bad++
			return WriteBatch(&out, r, true)
		}
		return nil
	}))
	if bad != 1 || !strings.Contains(out.String(), "DAMAGED") {
		t.Errorf("%d bad batches:\n%s", bad, out.String())
	}
	must(t, s.fs.Delete(middle.name))
	stop := fmt.Errorf("stop")
	err = Cat(s.fs, testDir, func(r BatchRow) error {
		if r.Gap && strings.Contains(r.Problem, "missing") {
			return stop
		}
		return nil
	})
	if err != stop {
		t.Errorf("cat of a log with a missing segment: %v", err)
	}
}
