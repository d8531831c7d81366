package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

const testDir = "/data/wal"

var testID = Identity{Cluster: 0xc1, Member: 0xa1, Incarnation: 7}

func testConfig(n int) raft.Configuration {
	var c raft.Configuration
	for i := range n {
		c.Members = append(c.Members, raft.Member{ID: raft.NodeID(i + 1), Voter: true, Address: fmt.Sprintf("http://127.0.0.1:%d", 2380+i)})
	}
	return c
}

func testInitial() raft.SnapshotMeta {
	return raft.SnapshotMeta{Config: raft.ConfigAt{Config: testConfig(3)}}
}

// counter returns salts that never repeat.
func counter(seed uint64) func() uint64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	return rng.Uint64
}

func testOptions(fs disk.FS) Options {
	return Options{FS: fs, Dir: testDir, SegmentBytes: SegmentBytesMin, Salt: counter(1)}
}

func mustCreate(t testing.TB, o Options) {
	t.Helper()
	if err := Create(o, testID, testInitial()); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, o Options) (*Log, *Recovered) {
	t.Helper()
	l, rec, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l, rec
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entry makes an entry whose data can be told from any other's.
func entry(i raft.Index, term raft.Term, size int) raft.Entry {
	data := bytes.Repeat([]byte{byte(i)}, size)
	copy(data, fmt.Sprintf("%d@%d", i, term))
	return seal(raft.Entry{Index: i, Term: term, Type: raft.EntryCommand, Data: data})
}

func seal(e raft.Entry) raft.Entry {
	e.CRC = raft.EntryCRC(e)
	return e
}

func entries(from, to raft.Index, term raft.Term, size int) (es []raft.Entry) {
	for i := from; i <= to; i++ {
		es = append(es, entry(i, term, size))
	}
	return es
}

func appendEntries(t testing.TB, l *Log, es []raft.Entry) {
	t.Helper()
	hs := l.state.hard
	hs.Term = max(hs.Term, es[len(es)-1].Term)
	must(t, l.Append(&raft.Persist{HardState: hs, Entries: es, MustSync: true}))
}

func wantEntries(t testing.TB, l *Log, want []raft.Entry) {
	t.Helper()
	if len(want) == 0 {
		return
	}
	var got []raft.Entry
	for from := want[0].Index; from <= want[len(want)-1].Index; {
		es, err := l.Read(from, want[len(want)-1].Index, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(es) == 0 {
			t.Fatalf("nothing at %d", from)
		}
		got = append(got, es...)
		from += raft.Index(len(es))
	}
	if err := sameEntries(got, want); err != nil {
		t.Fatal(err)
	}
}

func sameEntries(got, want []raft.Entry) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d entries, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].ID() != want[i].ID() || got[i].Type != want[i].Type || !bytes.Equal(got[i].Data, want[i].Data) || got[i].CRC != want[i].CRC {
			return fmt.Errorf("entry %v %.20q, want %v %.20q", got[i].ID(), got[i].Data, want[i].ID(), want[i].Data)
		}
	}
	return nil
}

func TestAppendCloseOpenRead(t *testing.T) {
	fs := disk.NewMem()
	o := testOptions(fs)
	if ok, err := Exists(fs, testDir); ok || err != nil {
		t.Fatalf("exists before create: %v, %v", ok, err)
	}
	if _, _, err := Open(o); !errors.Is(err, ErrNew) {
		t.Fatalf("open of nothing: %v", err)
	}
	mustCreate(t, o)
	if err := Create(o, testID, testInitial()); !errors.Is(err, ErrExists) {
		t.Fatalf("second create: %v", err)
	}
	l, rec := mustOpen(t, o)
	if rec.Boot != 1 || rec.Identity != testID || rec.First != 1 || rec.Last != 0 || len(rec.Snapshot.Config.Config.Members) != 3 {
		t.Fatalf("first start: %s", brief(rec))
	}
	all := entries(1, 60, 1, 700)
	for i := 0; i < len(all); i += 4 {
		appendEntries(t, l, all[i:i+4])
		must(t, l.RunJobs())
	}
	wantEntries(t, l, all)
	if _, _, err := Open(o); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	must(t, l.Close())
	for boot := uint64(2); boot < 6; boot++ {
		l, rec = mustOpen(t, o)
		if rec.Boot != boot || rec.First != 1 || rec.Last != 60 || rec.HardState.Term != 1 || rec.Torn != nil || len(rec.Damage) != 0 {
			t.Fatalf("start %d: %s", boot, brief(rec))
		}
		if err := sameEntries(rec.Tail, all[60-len(rec.Tail):]); err != nil {
			t.Fatal(err)
		}
		wantEntries(t, l, all)
		must(t, l.Close())
	}
}

// brief prints what was recovered without the entries.
func brief(r *Recovered) string {
	return fmt.Sprintf("boot %d hard %+v snapshot %v log (%v, %d] terms %v configs %d tail %d torn %v damage %v",
		r.Boot, r.HardState, r.Snapshot.Last, r.Prev, r.Last, r.Terms, len(r.Configs), len(r.Tail), r.Torn, r.Damage)
}

// A batch that recovery would take for damaged must never be written.
func TestBatchTooLargeIsABug(t *testing.T) {
	data := make([]byte, 64<<20) // shared
	b := &batch{}
	for i := range raft.Index(8) {
		b.entries = append(b.entries, raft.Entry{Index: i + 1, Term: 1, Data: data})
	}
	defer func() {
		if recover() == nil {
			t.Error("accepted a batch of 512 MiB")
		}
	}()
	b.check()
}
