package wal

import (
	"errors"
	"math/rand/v2"
	"path"
	"reflect"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// FuzzHeader: whatever decodes is encoded to the same bytes again, and fits its
// own invariants.
func FuzzHeader(f *testing.F) {
	for _, b := range goldenBatches() {
		h := header{kind: b.kind, pos: Pos{7, 3}, synced: Pos{7, 2}, prev: b.prev, last: b.last(), hard: b.hard}
		var e encoder
		f.Add(e.encode(&h, e.rowsOf(b), goldenSalt)[:headerBytes])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < headerBytes {
			return
		}
		fixCRC(data) // or the fuzzer would never get past it
		h, ok := decodeHeader(data, goldenSalt)
		if !ok {
			return
		}
		if h.entries() < 0 || h.end().Block <= h.pos.Block {
			t.Fatalf("%+v", h)
		}
		b := make([]byte, headerBytes)
		h.encode(b, goldenSalt)
		back, ok := decodeHeader(b, goldenSalt)
		if !ok || back != h {
			t.Fatalf("%+v encodes to %+v", h, back)
		}
	})
}

func fixCRC(b []byte) {
	crc := headerCRC(b)
	b[8], b[9], b[10], b[11] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
}

// FuzzSuper: decoding never panics, and what decodes survives a round trip.
func FuzzSuper(f *testing.F) {
	s := goldenSuper()
	b, err := s.encode(2)
	must(f, err)
	f.Add(b[:400])
	f.Add(b[:superFixedBytes])
	f.Fuzz(func(t *testing.T, data []byte) {
		b := make([]byte, blockBytes)
		copy(b, data)
		crc := superCRC(b)
		b[12], b[13], b[14], b[15] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
		s, err := decodeSuper(b, 2)
		if err != nil {
			return
		}
		again, err := s.encode(2)
		if errors.Is(err, errSuperTooBig) {
			return
		}
		must(t, err)
		back, err := decodeSuper(again, 2)
		must(t, err)
		if len(s.active.Config.Members) == len(back.active.Config.Members) && !reflect.DeepEqual(s, back) {
			t.Fatalf("%+v\n%+v", s, back)
		}
	})
}

// FuzzTable: a payload's table is checked before anything in it is believed.
func FuzzTable(f *testing.F) {
	for _, b := range goldenBatches() {
		h := header{kind: b.kind, pos: Pos{7, 3}, prev: b.prev, last: b.last()}
		var e encoder
		blocks := e.encode(&h, e.rowsOf(b), 0)
		f.Add(h.rows, blocks[headerBytes:headerBytes+int(h.payloadBytes)])
	}
	f.Fuzz(func(t *testing.T, n uint32, payload []byte) {
		h := header{kind: KindAppend, pos: Pos{7, 3}, rows: n, payloadBytes: uint32(len(payload))}
		rows, err := decodeTable(&h, payload)
		if err != nil {
			return
		}
		for _, r := range rows {
			r.entry(payload)
		}
	})
}

// FuzzRecovery damages a log in many places at once and opens it. It may
// refuse; it must not panic, and an entry that it returns must be one that was
// written.
func FuzzRecovery(f *testing.F) {
	f.Add(uint64(1), []byte{0, 40, 1, 1, 80, 2})
	f.Add(uint64(2), []byte{2, 1, 3, 2, 9, 4})
	f.Add(uint64(3), []byte{1, 3, 5, 3, 3, 0, 0, 0, 0})
	f.Add(uint64(4), []byte{4, 4, 4, 3, 2, 1, 1, 0, 2})
	f.Fuzz(func(t *testing.T, seed uint64, faults []byte) {
		d := newDriver(seed % 64)
		if err := d.run(40 + int(seed%40)); err != nil {
			t.Fatal(err)
		}
		d.fs.Kill()
		rng := rand.New(rand.NewPCG(seed, 9))
		names, err := d.fs.List(testDir)
		must(t, err)
		for ; len(faults) >= 3; faults = faults[3:] {
			strike(d.fs, path.Join(testDir, names[int(faults[0])%len(names)]), int64(faults[1]), faults[2], rng)
		}
		l, rec, err := Open(d.o)
		if err != nil {
			return
		}
		inventsNothing(t, l, rec, d.acked)
		must(t, l.RunJobs())
		must(t, l.Close())
		if _, err := Verify(d.fs, testDir); err != nil {
			t.Fatalf("verify after a good start: %v", err)
		}
	})
}

// strike applies one fault; out-of-range ones do nothing.
func strike(fs *disk.Mem, name string, block int64, kind byte, rng *rand.Rand) {
	off := block * blockBytes
	switch kind % 6 {
	case 0:
		_ = fs.Zero(name, off, blockBytes)
	case 1:
		_ = fs.Garbage(name, off+512*int64(rng.IntN(8)), 512, rng)
	case 2:
		_ = fs.FlipBit(name, off*8+int64(rng.IntN(blockBytes*8)))
	case 3:
		_ = fs.Misdirect(name, off, name, int64(rng.IntN(4))*blockBytes, blockBytes)
	case 4:
		_ = fs.Cut(name, off+int64(rng.IntN(blockBytes)))
	case 5:
		_ = fs.Delete(name)
	}
}

// inventsNothing: an entry of that identity that the model still knows has the
// same content.
func inventsNothing(t *testing.T, l *Log, rec *Recovered, m model) {
	t.Helper()
	if rec.Last < rec.First {
		return
	}
	got, err := l.Read(rec.First, rec.Last, 1<<30)
	must(t, err)
	for _, e := range got {
		if e.Index < m.first() || e.Index > m.last().Index || m.id(e.Index) != e.ID() {
			continue
		}
		must(t, sameEntries([]raft.Entry{e}, m.entries[e.Index-m.first():][:1]))
	}
}
