package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/internal/fuzz"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, m *disk.Mem, name string) disk.File {
	t.Helper()
	f, err := m.Create(name)
	must(t, err)
	return f
}

func put(t testing.TB, f disk.File, off int64, data []byte) {
	t.Helper()
	_, err := f.WriteAt(data, off)
	must(t, err)
}

func content(m *disk.Mem, name string) string {
	size, err := m.SizeOf(name)
	if err != nil {
		return "-"
	}
	b, _ := m.Peek(name, 0, size)
	return string(b)
}

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// outcomes collects what a file may hold after a power loss, over many draws.
func outcomes(m *disk.Mem, name string, opts disk.CrashOptions) map[string]int {
	seen := map[string]int{}
	for seed := range uint64(300) {
		seen[content(m.Crash(rng(seed), opts), name)]++
	}
	return seen
}

func TestSyncedDataSurvives(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	put(t, f, 0, bytes.Repeat([]byte("x"), 5000))
	must(t, f.SyncData())
	must(t, m.SyncDir("/"))
	put(t, f, 8192, []byte("unsynced"))
	for seed := range uint64(200) {
		got := content(m.Crash(rng(seed), disk.CrashOptions{}), "/a")
		if len(got) < 5000 || got[:5000] != string(bytes.Repeat([]byte("x"), 5000)) {
			t.Fatalf("seed %d: synced data lost", seed)
		}
	}
}

// TestUnsyncedSubset: of two un-synced writes any subset may survive, the second
// without the first too.
func TestUnsyncedSubset(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	put(t, f, 0, []byte("....."))
	must(t, f.SyncData())
	must(t, m.SyncDir("/"))
	put(t, f, 0, []byte("1"))
	put(t, f, 4, []byte("2"))
	seen := outcomes(m, "/a", disk.CrashOptions{NoGarbage: true})
	for _, want := range []string{".....", "1....", "....2", "1...2"} {
		if seen[want] == 0 {
			t.Errorf("%q was never drawn: %v", want, seen)
		}
	}
	if got := outcomes(m, "/a", disk.CrashOptions{DropAll: true}); got["....."] != 300 {
		t.Errorf("drop all: %v", got)
	}
	if got := outcomes(m, "/a", disk.CrashOptions{KeepAll: true}); got["1...2"] != 300 {
		t.Errorf("keep all: %v", got)
	}
}

// TestTornAtSectors: within a write each sector has a fate of its own.
func TestTornAtSectors(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	put(t, f, 0, bytes.Repeat([]byte("o"), 4096))
	must(t, f.SyncData())
	must(t, m.SyncDir("/"))
	put(t, f, 0, bytes.Repeat([]byte("n"), 4096))
	kinds := map[string]int{}
	for seed := range uint64(100) {
		got := content(m.Crash(rng(seed), disk.CrashOptions{}), "/a")
		for s := 0; s < 4096; s += 512 {
			kinds[sectorKind(got[s:s+512])]++
		}
	}
	for _, want := range []string{"old", "new", "mix", "zeros", "garbage"} {
		if kinds[want] == 0 {
			t.Errorf("no sector was %s: %v", want, kinds)
		}
	}
}

func sectorKind(s string) string {
	n, o, z := 0, 0, 0
	for _, c := range []byte(s) {
		switch c {
		case 'n':
			n++
		case 'o':
			o++
		case 0:
			z++
		}
	}
	switch len(s) {
	case n:
		return "new"
	case o:
		return "old"
	case z:
		return "zeros"
	case n + o:
		return "mix"
	}
	return "garbage"
}

// TestNamesNeedSyncDir: a created, renamed or removed name is durable only
// after its directory was synced, whatever was done to the file.
func TestNamesNeedSyncDir(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/tmp")
	put(t, f, 0, []byte("data"))
	must(t, f.SyncData())
	must(t, m.Rename("/tmp", "/real"))
	seen := map[string]int{}
	for seed := range uint64(200) {
		list, err := m.Crash(rng(seed), disk.CrashOptions{}).List("/")
		must(t, err)
		seen[fmt.Sprint(list)]++
	}
	if seen["[]"] == 0 || seen["[tmp]"] == 0 || seen["[real]"] == 0 || seen["[real tmp]"] != 0 {
		t.Errorf("before SyncDir: %v", seen)
	}
	must(t, m.SyncDir("/"))
	must(t, m.Remove("/real"))
	if seen := outcomes(m, "/real", disk.CrashOptions{}); seen["data"] == 0 || seen["-"] == 0 {
		t.Errorf("removed without SyncDir: %v", seen)
	}
	must(t, m.SyncDir("/"))
	if seen := outcomes(m, "/real", disk.CrashOptions{}); seen["-"] != 300 {
		t.Errorf("removed: %v", seen)
	}
}

// TestRenameBeforeData: the new name may be durable while the data is not.
func TestRenameBeforeData(t *testing.T) {
	m := disk.NewMem()
	old := create(t, m, "/f")
	put(t, old, 0, []byte("old"))
	must(t, old.SyncData())
	must(t, m.SyncDir("/"))
	f := create(t, m, "/tmp")
	put(t, f, 0, []byte("new"))
	must(t, m.Rename("/tmp", "/f"))
	must(t, m.SyncDir("/"))
	seen := outcomes(m, "/f", disk.CrashOptions{NoGarbage: true})
	if seen["new"] == 0 || seen[""] == 0 || seen["old"] != 0 {
		t.Errorf("renamed without syncing the data: %v", seen)
	}
}

// TestSizeAndDataPersistApart: a longer file of zeros, and data cut off.
func TestSizeAndDataPersistApart(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	must(t, m.SyncDir("/"))
	put(t, f, 0, []byte("data"))
	seen := outcomes(m, "/a", disk.CrashOptions{NoGarbage: true})
	if seen["\x00\x00\x00\x00"] == 0 || seen[""] == 0 || seen["data"] == 0 {
		t.Errorf("outcomes %v", seen)
	}
	must(t, f.SyncData())
	must(t, f.Truncate(2))
	seen = outcomes(m, "/a", disk.CrashOptions{})
	if seen["data"] == 0 || seen["da"] == 0 || len(seen) != 2 {
		t.Errorf("truncated: %v", seen)
	}
}

// TestKill: nothing is lost at a kill, but nothing gets durable either; old
// handles and locks are dead.
func TestKill(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	must(t, m.SyncDir("/"))
	put(t, f, 0, []byte("cached"))
	_, err := m.Lock("/LOCK")
	must(t, err)
	m.Kill()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a dead process wrote")
	}
	if _, err := m.Lock("/LOCK"); err != nil {
		t.Errorf("the lock outlived its process: %v", err)
	}
	if got := content(m, "/a"); got != "cached" {
		t.Errorf("after the kill: %q", got)
	}
	if seen := outcomes(m, "/a", disk.CrashOptions{DropAll: true}); seen[""] != 300 {
		t.Errorf("after the power loss: %v", seen)
	}
	f, err = m.Open("/a")
	must(t, err)
	must(t, f.SyncData())
	if seen := outcomes(m, "/a", disk.CrashOptions{}); seen["cached"] != 300 {
		t.Errorf("synced by the next process: %v", seen)
	}
}

// TestFailedSyncMarksClean: after a failed sync reads return the new data, the
// next sync succeeds and does nothing, and a power loss brings the old data back.
func TestFailedSyncMarksClean(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	put(t, f, 0, []byte("old"))
	must(t, f.SyncData())
	must(t, m.SyncDir("/"))
	put(t, f, 0, []byte("new"))
	m.SetInjector(disk.FailOn(disk.OpSync, "/a", 1, 1, disk.ErrIO))
	if err := f.SyncData(); !errors.Is(err, disk.ErrIO) {
		t.Fatalf("sync: %v", err)
	}
	must(t, f.SyncData())
	if got := content(m, "/a"); got != "new" {
		t.Errorf("from the cache: %q", got)
	}
	seen := outcomes(m, "/a", disk.CrashOptions{})
	if seen["old"] == 0 {
		t.Errorf("after a power loss: %v", seen)
	}
	put(t, f, 0, []byte("NEW"))
	must(t, f.SyncData())
	if seen := outcomes(m, "/a", disk.CrashOptions{}); seen["NEW"] != 300 {
		t.Errorf("written and synced again: %v", seen)
	}
}

func TestInjectors(t *testing.T) {
	m := disk.NewMem()
	var trace []string
	m.OnOp(func(op disk.Op, err error) { trace = append(trace, fmt.Sprintf("%v %v", op, err != nil)) })
	m.SetInjector(disk.StopAt(3))
	f := create(t, m, "/a")
	put(t, f, 0, []byte("x"))
	if err := f.SyncData(); !errors.Is(err, disk.ErrStopped) {
		t.Errorf("third change: %v", err)
	}
	if _, err := m.List("/"); !errors.Is(err, disk.ErrStopped) {
		t.Errorf("after the stop: %v", err)
	}
	want := []string{"1 create /a false", "2 write /a [0,+1) false", "3 sync /a true", "4 list / true"}
	if !slices.Equal(trace, want) || m.Ops() != 4 {
		t.Errorf("trace %q", trace)
	}
	m.SetInjector(disk.LoseWrites("/a", 2, 1))
	for _, s := range []string{"1", "2", "3"} {
		put(t, f, int64(s[0]-'1'), []byte(s))
	}
	if got := content(m, "/a"); got != "1\x003" {
		t.Errorf("second write lost: %q", got)
	}
	m.SetInjector(func(op disk.Op) disk.Fault { return disk.Fault{Err: disk.ErrIO, Stored: 2} })
	if n, err := f.WriteAt([]byte("abc"), 0); n != 2 || !errors.Is(err, disk.ErrIO) || content(m, "/a") != "ab3" {
		t.Errorf("partial write: %d, %v, %q", n, err, content(m, "/a"))
	}
}

func TestSpace(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	must(t, f.Allocate(8192))
	m.SetSpace(8192)
	put(t, f, 0, make([]byte, 8192))
	if _, err := f.WriteAt([]byte("x"), 8192); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("write: %v", err)
	}
	if err := f.Allocate(8193); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("allocate: %v", err)
	}
	must(t, f.Truncate(4096))
	g := create(t, m, "/b")
	must(t, g.Allocate(4096))
	must(t, m.Rename("/b", "/a")) // frees what it replaces
	if m.Used() != 4096 {
		t.Errorf("used %d", m.Used())
	}
	must(t, m.Remove("/a"))
	if m.Used() != 0 {
		t.Errorf("used %d", m.Used())
	}
}

func TestRot(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	put(t, f, 0, []byte("0123456789"))
	must(t, f.SyncData())
	must(t, m.SyncDir("/"))
	must(t, m.FlipBit("/a", 8))
	must(t, m.Zero("/a", 2, 1))
	must(t, m.Misdirect("/a", 5, "/a", 3, 2))
	if err := m.Poke("/a", 9, []byte("xy")); err == nil {
		t.Error("poke past the end")
	}
	want := "00\x005656789"
	c := m.Crash(rng(1), disk.CrashOptions{})
	if content(m, "/a") != want || content(c, "/a") != want {
		t.Errorf("%q, after a crash %q", content(m, "/a"), content(c, "/a"))
	}
	must(t, m.Cut("/a", 3))
	if content(m, "/a") != want[:3] || content(c, "/a") != want {
		t.Errorf("cut: %q; the copy: %q", content(m, "/a"), content(c, "/a"))
	}
	must(t, m.Delete("/a"))
	if err := m.FlipBit("/a", 0); !errors.Is(err, disk.ErrNotExist) {
		t.Errorf("rot in a deleted file: %v", err)
	}
}

// TestMemModel compares a file with a plain byte slice through random writes,
// truncations, syncs, copies and crashes that keep or drop everything.
func TestMemModel(t *testing.T) { rapid.Check(t, memModel) }

func FuzzMem(f *testing.F) { fuzz.Model(f, memModel) }

func memModel(t *rapid.T) {
	m := disk.NewMem()
	f, err := m.Create("/a")
	if err != nil {
		t.Fatal(err)
	}
	_ = m.SyncDir("/")
	var now, durable []byte
	grow := func(n int) { now = append(now, make([]byte, max(0, n-len(now)))...) }
	t.Repeat(map[string]func(*rapid.T){
		"": func(t *rapid.T) {
			if got := content(m, "/a"); got != string(now) {
				t.Fatalf("content of %d bytes differs from the model's %d", len(got), len(now))
			}
			if got := content(m.Crash(rng(0), disk.CrashOptions{DropAll: true}), "/a"); got != string(durable) {
				t.Fatalf("durable content of %d bytes differs from the model's %d", len(got), len(durable))
			}
			if got := content(m.Crash(rng(0), disk.CrashOptions{KeepAll: true}), "/a"); got != string(now) {
				t.Fatalf("with all kept %d bytes differ from the model's %d", len(got), len(now))
			}
		},
		"write": func(t *rapid.T) {
			off := rapid.IntRange(0, 20000).Draw(t, "off")
			data := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(t, "byte"))}, rapid.IntRange(1, 9000).Draw(t, "size"))
			if _, err := f.WriteAt(data, int64(off)); err != nil {
				t.Fatal(err)
			}
			grow(off + len(data))
			copy(now[off:], data)
		},
		"truncate": func(t *rapid.T) {
			n := rapid.IntRange(0, 20000).Draw(t, "size")
			if err := f.Truncate(int64(n)); err != nil {
				t.Fatal(err)
			}
			grow(n)
			now = now[:n:n]
		},
		"allocate": func(t *rapid.T) {
			n := rapid.IntRange(0, 20000).Draw(t, "size")
			if err := f.Allocate(int64(n)); err != nil {
				t.Fatal(err)
			}
			grow(n)
		},
		"sync": func(t *rapid.T) {
			if err := f.SyncData(); err != nil {
				t.Fatal(err)
			}
			durable = slices.Clone(now)
		},
		"go on with a copy": func(t *rapid.T) {
			old := m
			m = m.Clone()
			// What happens to the original must not show in the copy.
			_ = old.Poke("/a", 0, make([]byte, min(1, len(now))))
			_, _ = f.WriteAt([]byte("original"), 3)
			if f, err = m.Open("/a"); err != nil {
				t.Fatal(err)
			}
		},
	})
}

// TestTearAll: every write is torn, sector by sector, and what was synced is not.
func TestTearAll(t *testing.T) {
	m := disk.NewMem()
	f := create(t, m, "/a")
	put(t, f, 0, bytes.Repeat([]byte("o"), 4096))
	must(t, f.SyncData())
	must(t, m.SyncDir("/"))
	put(t, f, 0, bytes.Repeat([]byte("n"), 2048))
	mixed := 0
	for i := range uint64(300) {
		got := content(m.Crash(rng(i), disk.CrashOptions{TearAll: true, NoGarbage: true}), "/a")
		if got[2048:] != strings.Repeat("o", 2048) {
			t.Fatal("what was synced is torn")
		}
		if head := got[:2048]; strings.Contains(head, "n") && head != strings.Repeat("n", 2048) {
			mixed++
		}
	}
	if mixed < 200 {
		t.Errorf("%d of 300 power losses left a part", mixed)
	}
}
