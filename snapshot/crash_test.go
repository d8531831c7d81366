package snapshot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

var (
	oldLast = raft.EntryID{Index: 10, Term: 1}
	newLast = raft.EntryID{Index: 20, Term: 2}
)

// crashRows span several blocks and, with them, several writes.
var crashRows = sync.OnceValue(func() []row { return sampleRows(6000) })

// withOld returns a disk with one durable snapshot.
func withOld(t *testing.T) *disk.Mem {
	t.Helper()
	fs := disk.NewMem()
	mustWrite(t, openDir(t, fs), testMeta(oldLast.Index, oldLast.Term), sampleRows(5))
	if err := fs.SyncDir("data"); err != nil {
		t.Fatal(err)
	}
	if err := fs.SyncDir("."); err != nil && !errors.Is(err, disk.ErrNotExist) {
		t.Fatal(err)
	}
	return fs
}

// survivors opens what a crash left and checks the promise of the names: what
// is listed is whole.
func survivors(t *testing.T, fs disk.FS, k int) (names []raft.EntryID) {
	t.Helper()
	d := openDir(t, fs)
	list, err := d.List()
	if err != nil {
		t.Fatalf("crash at operation %d: list: %v", k, err)
	}
	want := map[raft.EntryID][]row{oldLast: sampleRows(5), newLast: crashRows()}
	for _, info := range list {
		got, err := load(d, info.Last, nil)
		if err == nil {
			err = equalRows(got, want[info.Last])
		}
		if err != nil {
			t.Fatalf("crash at operation %d: listed %v: %v", k, info.Last, err)
		}
		names = append(names, info.Last)
	}
	if !slices.Contains(names, oldLast) {
		t.Fatalf("crash at operation %d: the old snapshot is gone", k)
	}
	return names
}

// Power fails after each disk operation of a write, in many ways: the old
// snapshot is there and whole, a listed new one too, and one that was reported
// done is listed (faults mutants 46).
func TestCrashAfterEachOperationOfWriter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	base := withOld(t)
	everDone := 0
	for k := 1; everDone < 2; k++ {
		fs := base.Clone()
		d := openDir(t, fs)
		fs.SetInjector(disk.StopAt(k))
		_, err := write(d, testMeta(newLast.Index, newLast.Term), crashRows())
		fs.SetInjector(nil)
		if err == nil {
			everDone++
		} else if !errors.Is(err, disk.ErrStopped) {
			t.Fatalf("operation %d: %v", k, err)
		}
		for range 6 {
			names := survivors(t, fs.Crash(rng, disk.CrashOptions{}), k)
			if err == nil && !slices.Contains(names, newLast) {
				t.Fatalf("crash at operation %d: a finished snapshot is gone", k)
			}
		}
		again := fs.Crash(rng, disk.CrashOptions{})
		mustWrite(t, openDir(t, again), testMeta(newLast.Index, newLast.Term), crashRows())
		survivors(t, again, k)
		if k > 1000 {
			t.Fatal("the write never ends")
		}
	}
}

// receive moves the file over in random chunks, from where the receiver is.
func receive(rng *rand.Rand, r *Receiver, content []byte, upTo int64) error {
	for r.Offset() < upTo {
		from := max(r.Offset()-rng.Int64N(64), 0) // some of it was sent before
		n := min(1+rng.Int64N(200<<10), upTo-from)
		if err := r.Write(from, content[from:from+n]); err != nil {
			return err
		}
	}
	return nil
}

// incoming makes the file that a peer would send.
func incoming(t testing.TB, list []row) (Incoming, []byte) {
	t.Helper()
	fs := disk.NewMem()
	d := openDir(t, fs)
	info := mustWrite(t, d, testMeta(newLast.Index, newLast.Term), list)
	r, err := d.Open(info.Last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.Incoming(), readFile(t, fs, d.path(snapName(info.Last)))
}

// Power fails after each disk operation of a transfer; then it is resumed and
// always ends with the sender's file (mutant 51).
func TestCrashAfterEachOperationOfReceiver(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	in, content := incoming(t, crashRows())
	base := withOld(t)
	everDone := 0
	for k := 1; everDone < 2; k++ {
		fs := base.Clone()
		d := openDir(t, fs)
		fs.SetInjector(disk.StopAt(k))
		err := transfer(rng, d, in, content)
		fs.SetInjector(nil)
		if err == nil {
			everDone++
		} else if !errors.Is(err, disk.ErrStopped) {
			t.Fatalf("operation %d: %v", k, err)
		}
		for range 6 {
			after := fs.Crash(rng, disk.CrashOptions{})
			names := survivors(t, after, k)
			if err == nil && !slices.Contains(names, newLast) {
				t.Fatalf("crash at operation %d: a finished transfer is gone", k)
			}
			d := openDir(t, after)
			if err := transfer(rng, d, in, content); err != nil {
				t.Fatalf("crash at operation %d: resumed: %v", k, err)
			}
			if got := readFile(t, after, d.path(snapName(newLast))); !bytes.Equal(got, content) {
				t.Fatalf("crash at operation %d: received another file", k)
			}
		}
	}
}

func transfer(rng *rand.Rand, d *Dir, in Incoming, content []byte) error {
	r, err := d.Receive(in)
	if err != nil {
		return err
	}
	if err := receive(rng, r, content, in.Size); err != nil {
		return err
	}
	meta, err := r.Finish()
	if err == nil && meta.Last != in.Last {
		err = errors.New("received other metadata")
	}
	return err
}

// A full disk, or one that can't write, sync or rename: the writer says so, the
// directory is as it was, and a later try succeeds.
func TestWriterDiskErrors(t *testing.T) {
	faults := map[string]disk.Injector{
		"create":  disk.FailOn(disk.OpCreate, ".tmp", 1, 1, disk.ErrIO),
		"header":  disk.FailOn(disk.OpWrite, ".tmp", 1, 1, disk.ErrIO),
		"block":   disk.FailOn(disk.OpWrite, ".tmp", 3, 1, disk.ErrNoSpace),
		"sync":    disk.FailOn(disk.OpSync, ".tmp", 1, 1, disk.ErrIO),
		"rename":  disk.FailOn(disk.OpRename, ".tmp", 1, 1, disk.ErrIO),
		"syncdir": disk.FailOn(disk.OpSyncDir, "snap", 1, 1, disk.ErrIO),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			fs := withOld(t)
			d := openDir(t, fs)
			fs.SetInjector(fault)
			w := d.Create(Content{Meta: testMeta(newLast.Index, newLast.Term), Source: &rows{list: crashRows()}})
			var err error
			for done := false; !done && err == nil; {
				done, err = w.Step()
			}
			if !errors.Is(err, disk.ErrIO) && !errors.Is(err, disk.ErrNoSpace) {
				t.Fatalf("err = %v", err)
			}
			if _, again := w.Step(); again == nil || again.Error() != err.Error() {
				t.Errorf("a step after the failure: %v", again)
			}
			fs.SetInjector(nil)
			names, _ := fs.List("data/snap")
			if want := 1; len(names) != want && name != "syncdir" {
				t.Errorf("directory holds %v", names)
			}
			mustWrite(t, d, testMeta(newLast.Index, newLast.Term), crashRows())
			survivors(t, fs, 0)
		})
	}
}

func TestAbort(t *testing.T) {
	fs := withOld(t)
	d := openDir(t, fs)
	w := d.Create(Content{Meta: testMeta(newLast.Index, newLast.Term), Source: &rows{list: crashRows()}})
	for range 3 {
		if _, err := w.Step(); err != nil {
			t.Fatal(err)
		}
	}
	w.Abort()
	if _, err := w.Step(); err == nil {
		t.Error("a step after Abort")
	}
	if names, _ := fs.List("data/snap"); len(names) != 1 {
		t.Errorf("directory holds %v", names)
	}
}
