package testdisk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// turn writes the control file and waits until a look at it is due.
func turn(t *testing.T, control, condition string) {
	t.Helper()
	must(t, os.WriteFile(control, []byte(condition+"\n"), 0o600))
	time.Sleep(2 * checkEvery)
}

func TestControlFile(t *testing.T) {
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	fs, err := Parse("control="+control, disk.OS{})
	must(t, err)
	f, err := fs.Create(filepath.Join(dir, "f"))
	must(t, err)
	write := func(off int64) error { _, err := f.WriteAt(make([]byte, 100), off); return err }
	must(t, write(0))
	for _, c := range []struct {
		condition           string
		write, extend, sync error
	}{
		{"full", nil, disk.ErrNoSpace, nil},
		{"write-eio", ErrInjected, ErrInjected, nil},
		{"sync-eio", nil, nil, ErrInjected},
		{"eio", ErrInjected, ErrInjected, ErrInjected},
		{"healthy", nil, nil, nil},
		{"what", nil, nil, nil}, // half written
	} {
		size, err := f.Size()
		must(t, err)
		turn(t, control, c.condition)
		for name, pair := range map[string][2]error{
			"write": {write(0), c.write}, "extend": {write(size), c.extend}, "allocate": {f.Allocate(size + 1000), c.extend},
			"sync": {f.SyncData(), c.sync}, "syncdir": {fs.SyncDir(dir), c.sync}, "shorten": {f.Truncate(size), c.write},
		} {
			if !errors.Is(pair[0], pair[1]) {
				t.Errorf("%s: %s gives %v, want %v", c.condition, name, pair[0], pair[1])
			}
		}
	}
	must(t, f.Close())
}

func TestSlowAndStalledSyncs(t *testing.T) {
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	fs, err := Parse("slow=30ms,control="+control, disk.OS{})
	must(t, err)
	f, err := fs.Create(filepath.Join(dir, "f"))
	must(t, err)
	begin := time.Now()
	must(t, f.SyncData())
	if took := time.Since(begin); took < 30*time.Millisecond {
		t.Errorf("a slow sync took %v", took)
	}
	turn(t, control, "stall")
	done := make(chan error)
	go func() { done <- f.SyncData() }()
	select {
	case err := <-done:
		t.Fatalf("a stalled sync returned: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	turn(t, control, "healthy")
	must(t, <-done)
}

func TestParseErrors(t *testing.T) {
	for _, spec := range []string{"power", "slow=1", "slow=-1s", "powerloss,fail"} {
		if _, err := Parse(spec, disk.OS{}); err == nil {
			t.Errorf("%q was accepted", spec)
		}
	}
}
