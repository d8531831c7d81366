package snapshot

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// What goes in comes out, in order, whatever the sizes and the runner.
func TestRoundTrip(t *testing.T) {
	sections := []string{"meta", "kv", "leases", "12345678"}
	rapid.Check(t, func(t *rapid.T) {
		var list []row
		for _, section := range sections {
			for range rapid.IntRange(0, 4).Draw(t, "records") {
				size := rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 300), rapid.IntRange(1, 300), rapid.IntRange(1, 300),
					rapid.IntRange(1, 300), rapid.IntRange(BlockBytes-3, BlockBytes+3), rapid.IntRange(2*BlockBytes, 3*BlockBytes)).Draw(t, "size")
				pattern := rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "pattern")
				record := bytes.Repeat(pattern, size/len(pattern)+1)
				list = append(list, row{section, record[:size]})
			}
		}
		d, err := OpenDir(Options{FS: disk.NewMem(), Path: "snap", Cluster: testCluster})
		if err != nil {
			t.Fatal(err)
		}
		info, err := write(d, testMeta(9, 2), list)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range []Runner{nil, onGoroutines} {
			got, err := load(d, info.Last, run)
			if err != nil {
				t.Fatal(err)
			}
			if err := equalRows(got, list); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The same on a real file system: writing, listing, sending, receiving.
func TestOnOperatingSystemDisk(t *testing.T) {
	open := func(dir string) *Dir {
		d, err := OpenDir(Options{FS: disk.OS{}, Path: dir, Cluster: testCluster})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	root := t.TempDir()
	from, to := open(root+"/a/snap"), open(root+"/b/snap")
	list := sampleRows(20_000)
	info := mustWrite(t, from, testMeta(9, 2), list)
	r, err := from.OpenToSend(info.Last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content := make([]byte, r.Size())
	if _, err := r.ReadAt(content, 0); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := transfer(rand.New(rand.NewPCG(1, 1)), to, r.Incoming(), content); err != nil {
		t.Fatal(err)
	}
	got, err := load(to, info.Last, onGoroutines)
	if err != nil {
		t.Fatal(err)
	}
	if err := equalRows(got, list); err != nil {
		t.Error(err)
	}
	if err := to.Retain(info.Last, info.Last); err != nil {
		t.Error(err)
	}
	if kept, err := to.List(); err != nil || len(kept) != 1 || kept[0] != info {
		t.Errorf("kept %v, %v; want %v", kept, err, info)
	}
}

// Reader tells what Writer was told.
func TestReaderDescribes(t *testing.T) {
	fs := disk.NewMem()
	d := openDir(t, fs)
	info := mustWrite(t, d, testMeta(77, 3), sampleRows(10))
	r, err := d.Open(info.Last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := fmt.Sprintf("%+v", r.Meta()); got != fmt.Sprintf("%+v", testMeta(77, 3)) {
		t.Errorf("meta %s", got)
	}
	if r.StateHash() != 0xabcdef || r.Size() != info.Size {
		t.Errorf("state hash %x, size %d; want abcdef, %d", r.StateHash(), r.Size(), info.Size)
	}
	want := []struct {
		name    string
		records uint64
	}{{"meta", 1}, {"members", 3}, {"kv", 60}, {"leases", 1}}
	for i, s := range r.Sections() {
		if s.Name != want[i].name || s.Records != want[i].records {
			t.Errorf("section %d is %+v, want %+v", i, s, want[i])
		}
	}
}

// The same content gives the same bytes: snapshots of replicas may be compared
// and an interrupted transfer goes on after the sender wrote it again.
func TestSameContentSameBytes(t *testing.T) {
	files := [2][]byte{}
	for i := range files {
		fs := disk.NewMem()
		d := openDir(t, fs)
		mustWrite(t, d, testMeta(5, 1), sampleRows(100*i)) // another use before
		info := mustWrite(t, d, testMeta(9, 2), sampleRows(20_000))
		files[i] = readFile(t, fs, d.path(snapName(info.Last)))
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Fatal("two writers made different files of the same content")
	}
}

// A step does one thing: no more than one write, sync or name a time.
func TestStepsAreSmall(t *testing.T) {
	fs := disk.NewMem()
	d := openDir(t, fs)
	w := d.Create(Content{Meta: testMeta(9, 2), Source: &rows{list: sampleRows(20_000)}})
	steps := 0
	for done := false; !done; steps++ {
		before := fs.Ops()
		var err error
		if done, err = w.Step(); err != nil {
			t.Fatal(err)
		}
		if ops := fs.Ops() - before; ops > 2 {
			t.Fatalf("step %d made %d disk operations", steps, ops)
		}
	}
	if steps < 8 {
		t.Fatalf("only %d steps for several blocks", steps)
	}
}

func TestListRetain(t *testing.T) {
	fs := disk.NewMem()
	d := openDir(t, fs)
	for _, id := range []raft.EntryID{{Term: 1, Index: 300}, {Term: 1, Index: 20}, {Term: 2, Index: 300}, {Term: 3, Index: 1000}} {
		mustWrite(t, d, testMeta(id.Index, id.Term), sampleRows(0))
	}
	plant(t, fs, d.path("README"), []byte("not a snapshot"))
	plant(t, fs, d.path("000000000000012c-0000000000000001.snap.tmp"), []byte("left behind"))
	old, newer := partName(raft.EntryID{Index: 999, Term: 3}, 7), partName(raft.EntryID{Index: 1001, Term: 3}, 7)
	plant(t, fs, d.path(old), []byte("partial"))
	plant(t, fs, d.path(newer), []byte("partial"))

	d = openDir(t, fs) // removes the temporary file
	if err := d.Retain(raft.EntryID{Term: 2, Index: 300}, raft.EntryID{Term: 3, Index: 1000}); err != nil {
		t.Fatal(err)
	}
	kept, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 2 || kept[0].Last != (raft.EntryID{Term: 2, Index: 300}) || kept[1].Last != (raft.EntryID{Term: 3, Index: 1000}) {
		t.Errorf("kept %v", kept)
	}
	names, _ := fs.List("data/snap")
	want := []string{snapName(kept[0].Last), snapName(kept[1].Last), newer, "README"}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("directory holds\n%v, want\n%v", names, want)
	}
}

func TestOpenForeign(t *testing.T) {
	fs := disk.NewMem()
	d := openDir(t, fs)
	info := mustWrite(t, d, testMeta(9, 2), sampleRows(0))
	other, err := OpenDir(Options{FS: fs, Path: "data/snap", Cluster: testCluster + 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(info.Last); !errors.Is(err, ErrForeign) {
		t.Errorf("another cluster's: %v", err)
	}
	wrong := raft.EntryID{Index: 10, Term: 2}
	if err := fs.Rename(d.path(snapName(info.Last)), d.path(snapName(wrong))); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(wrong); !errors.Is(err, ErrForeign) {
		t.Errorf("renamed: %v", err)
	}
	if _, err := d.Open(info.Last); !errors.Is(err, disk.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestOpenTooLarge(t *testing.T) {
	fs := disk.NewMem()
	mustWrite(t, openDir(t, fs), testMeta(9, 2), sampleRows(10_000))
	for _, o := range []Options{{FileBytesMax: 1000}, {RawBytesMax: 10_000}} {
		o.FS, o.Path, o.Cluster = fs, "data/snap", testCluster
		d, err := OpenDir(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open(raft.EntryID{Index: 9, Term: 2}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("limits %d, %d: %v", o.FileBytesMax, o.RawBytesMax, err)
		}
	}
}

// An error of add stops Load and comes back.
func TestLoadStopsOnAddError(t *testing.T) {
	d := openDir(t, disk.NewMem())
	info := mustWrite(t, d, testMeta(9, 2), sampleRows(20_000))
	r, err := d.Open(info.Last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	boom := errors.New("boom")
	n := 0
	err = r.Load(onGoroutines, func(string, []byte) error {
		if n++; n == 100 {
			return boom
		}
		return nil
	})
	if !errors.Is(err, boom) || errors.Is(err, ErrCorrupt) || n != 100 {
		t.Errorf("after %d records: %v", n, err)
	}
}

var update = flag.Bool("update", false, "rewrite golden files")

// A file of format version 1, as it was written once, is read for ever. Its
// bytes are not compared: a new release of zstd may choose others.
func TestGolden(t *testing.T) {
	const golden = "testdata/v1.snap"
	fs := disk.NewMem()
	d := openDir(t, fs)
	if *update {
		info := mustWrite(t, d, testMeta(0x1234, 5), sampleRows(0))
		if err := os.WriteFile(golden, readFile(t, fs, d.path(snapName(info.Last))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	last := raft.EntryID{Index: 0x1234, Term: 5}
	plant(t, fs, d.path("0000000000001234-0000000000000005.snap"), content)
	got, err := load(d, last, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := equalRows(got, sampleRows(0)); err != nil {
		t.Error(err)
	}
}

// The layout that the drawings promise, byte for byte where zstd has no say.
func TestGoldenHeaderAndFooter(t *testing.T) {
	h := header{cluster: 0x0102030405060708, meta: raft.SnapshotMeta{}}
	h.meta.Last = raft.EntryID{Index: 3, Term: 2}
	h.meta.Config.Config.Members = []raft.Member{{ID: 1, Voter: true, Address: "a"}}
	got := fmt.Sprintf("%x", appendHeader(nil, &h))
	want := "4846534e41500d0a" + "01000000" + "14000000" + "0807060504030201" + "0000000000000000" +
		"01" + "02030000" + "01" + "01" + "01" + "0000000000000000" + "01" + "0161" + "00"
	if got[:len(want)] != want || len(got) != len(want)+16 {
		t.Errorf("header\n%s, want\n%s and a hash", got, want)
	}
	f := footer{stateHash: 1, size: 2, blocks: 3, sections: []Section{{Name: "kv", Records: 4, Raw: 5, Stored: 6}}}
	got = fmt.Sprintf("%x", appendFooter(nil, &f, 9))
	want = "48465346" + "50000000" + "0100000000000000" + "0200000000000000" + "03000000" + "01000000" +
		"6b76000000000000" + "0400000000000000" + "0500000000000000" + "0600000000000000"
	end := "50000000" + "48465345"
	if got[:len(want)] != want || len(got) != len(want)+16+16 || got[len(got)-16:] != end {
		t.Errorf("footer\n%s, want\n%s, a hash, %s", got, want, end)
	}
}
