package testdisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/internal/disk/disktest"
)

func wild() VolatileOptions {
	return VolatileOptions{Rand: rand.New(rand.NewPCG(1, 2)), WriteBack: 300, Tear: 300, TearPause: time.Microsecond}
}

func TestConformance(t *testing.T) {
	for name, wrap := range map[string]func(disk.FS) disk.FS{
		"volatile":      func(base disk.FS) disk.FS { return NewVolatile(base, VolatileOptions{}) },
		"volatile wild": func(base disk.FS) disk.FS { return NewVolatile(base, wild()) },
		"faulty":        func(base disk.FS) disk.FS { return NewFaulty(base, Condition{}, "") },
		"as parsed": func(base disk.FS) disk.FS {
			fs, err := Parse("powerloss,slow=1us", base)
			if err != nil {
				panic(err)
			}
			return fs
		},
	} {
		t.Run(name+" on the machine's disk", func(t *testing.T) {
			disktest.Run(t, func(t *testing.T) (disk.FS, string) { return wrap(disk.OS{}), t.TempDir() })
		})
		t.Run(name+" in memory", func(t *testing.T) {
			disktest.Run(t, func(t *testing.T) (disk.FS, string) {
				base := disk.NewMem()
				if err := base.MkdirAll("/d"); err != nil {
					t.Fatal(err)
				}
				return wrap(base), "/d"
			})
		})
	}
}

// afterKill is what the next process finds: a fresh wrapper, which owns the folder.
func afterKill(t fataler, base disk.FS) disk.FS {
	v := NewVolatile(base, VolatileOptions{})
	lock, err := v.Lock("/d/LOCK")
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	return v
}

type fataler interface{ Fatal(...any) }

// contents reads a whole folder.
func contents(t fataler, fs disk.FS) map[string]string {
	names, err := fs.List("/d")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		if name == "LOCK" {
			continue
		}
		f, err := fs.Open(path.Join("/d", name))
		if err != nil {
			t.Fatal(err)
		}
		size, err := f.Size()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, size)
		if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		out[name] = string(b)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestKillIsPowerLoss does the same to a volatile disk and to the simulator's, which knows what is durable. What the
// process sees must always be equal; what a kill leaves must be what the other's power loss leaves if that drops all.
func TestKillIsPowerLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, oracle := disk.NewMem(), disk.NewMem()
		for _, m := range []*disk.Mem{base, oracle} {
			if err := m.MkdirAll("/d"); err != nil {
				t.Fatal(err)
			}
		}
		v := NewVolatile(base, VolatileOptions{})
		both := func(name string, f func(disk.FS) error) {
			a, b := f(v), f(oracle)
			if (a == nil) != (b == nil) {
				t.Fatalf("%s: %v, want %v", name, a, b)
			}
		}
		file := rapid.SampledFrom([]string{"/d/a", "/d/b", "/d/c"})
		on := func(name string, f func(disk.File) error) {
			both(name, func(fs disk.FS) error {
				h, err := fs.Open(name)
				if err != nil {
					return err
				}
				return errors.Join(f(h), h.Close())
			})
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				compare(t, "what is seen", contents(t, v), contents(t, oracle))
			},
			"kill": func(t *rapid.T) {
				oracle = oracle.Crash(rand.New(rand.NewPCG(1, 1)), disk.CrashOptions{DropAll: true})
				v = afterKill(t, base).(*Volatile)
				compare(t, "after a kill", contents(t, v), contents(t, oracle))
			},
			"create": func(t *rapid.T) {
				name := file.Draw(t, "name")
				both(name, func(fs disk.FS) error {
					h, err := fs.Create(name)
					if err != nil {
						return err
					}
					return h.Close()
				})
			},
			"rename": func(t *rapid.T) {
				from, to := file.Draw(t, "from"), file.Draw(t, "to")
				if from != to {
					both(from, func(fs disk.FS) error { return fs.Rename(from, to) })
				}
			},
			"remove": func(t *rapid.T) {
				name := file.Draw(t, "name")
				both(name, func(fs disk.FS) error { return fs.Remove(name) })
			},
			"syncdir": func(*rapid.T) { both("/d", func(fs disk.FS) error { return fs.SyncDir("/d") }) },
			"write": func(t *rapid.T) {
				off := rapid.Int64Range(0, 10_000).Draw(t, "offset")
				data := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(t, "byte"))}, rapid.IntRange(1, 6000).Draw(t, "size"))
				on(file.Draw(t, "name"), func(h disk.File) error { _, err := h.WriteAt(data, off); return err })
			},
			"truncate": func(t *rapid.T) {
				size := rapid.Int64Range(0, 12_000).Draw(t, "size")
				on(file.Draw(t, "name"), func(h disk.File) error { return h.Truncate(size) })
			},
			"sync": func(t *rapid.T) { on(file.Draw(t, "name"), disk.File.SyncData) },
		})
	})
}

func compare(t *rapid.T, what string, got, want map[string]string) {
	for _, name := range []string{"a", "b", "c"} {
		g, there := got[name]
		w, wanted := want[name]
		if there != wanted || g != w {
			t.Fatalf("%s: %s is there: %t with %d bytes, want %t with %d", what, name, there, len(g), wanted, len(w))
		}
	}
}

// TestWriteBack: with chance, each sector that was not synced is old or new after a kill, and both happen.
func TestWriteBack(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		base := disk.NewMem()
		o := wild()
		o.Rand = rand.New(rand.NewPCG(seed, 1))
		v := NewVolatile(base, o)
		f, err := v.Create("/f")
		must(t, err)
		_, err = f.WriteAt(bytes.Repeat([]byte("o"), 2*pageBytes), 0)
		must(t, err)
		must(t, f.SyncData())
		must(t, v.SyncDir("/"))
		_, err = f.WriteAt(bytes.Repeat([]byte("n"), 2*pageBytes), 0)
		must(t, err)
		left, err := base.Peek("/f", 0, 2*pageBytes)
		must(t, err)
		kinds := map[byte]int{}
		for sector := range slices.Chunk(left, sectorBytes) {
			if !bytes.Equal(sector, bytes.Repeat(sector[:1], sectorBytes)) {
				t.Fatalf("seed %d: a torn sector", seed)
			}
			kinds[sector[0]]++
		}
		seen[fmt.Sprint(kinds['n'] > 0, kinds['o'] > 0)]++
	}
	if seen["false true"] == 0 || seen["true true"] == 0 {
		t.Errorf("new and old sectors: %v", seen)
	}
}

// TestUnnamedFilesGo: a process's files without a name don't outlive it, and another process's lock keeps them.
func TestUnnamedFilesGo(t *testing.T) {
	base := disk.NewMem()
	must(t, base.MkdirAll("/d/deep"))
	v := NewVolatile(base, VolatileOptions{})
	_, err := v.Create("/d/deep/f")
	must(t, err)
	lock, err := v.Lock("/d/LOCK")
	must(t, err)
	if names, _ := base.List("/d/deep"); len(names) != 1 {
		t.Fatalf("its own file went with the lock: %q", names)
	}
	other := NewVolatile(base, VolatileOptions{})
	if _, err := other.Lock("/d/LOCK"); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("lock: %v", err)
	}
	if names, _ := base.List("/d/deep"); len(names) != 1 {
		t.Fatalf("removed by one who has no lock: %q", names)
	}
	must(t, lock.Close())
	_, err = other.Lock("/d/LOCK")
	must(t, err)
	if names, _ := base.List("/d/deep"); len(names) != 0 {
		t.Fatalf("left behind: %q", names)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
