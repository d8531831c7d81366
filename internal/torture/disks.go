package torture

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// controlName is the file, in a member's folder, that tells its disk how to be.
const controlName = "disk.control"

// testDiskArgs are the flags and the variable that give a member a disk that can be spoilt.
func testDiskArgs(c Config) (args, env []string) {
	words := []string{"control=" + controlName}
	if c.has(PowerLoss) {
		words = append(words, string(PowerLoss))
	}
	for _, f := range c.Faults {
		if f.needsTestDisk() {
			return []string{"--test-disk=" + strings.Join(words, ",")}, []string{"HOLDFAST_ALLOW_TEST_DISK=yes"}
		}
	}
	return nil, nil
}

// disks writes the control files. Two nemeses spoil disks at the same time, each with words of its own.
type disks struct {
	mu    sync.Mutex
	words map[*proc.Member]map[string]string // member → who says so → words
}

func newDisks() *disks { return &disks{words: map[*proc.Member]map[string]string{}} }

// set changes what one nemesis has to say about a member's disk; "" for healthy. The file is replaced at once, so
// that the server never reads half of it.
func (d *disks) set(m *proc.Member, who, words string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.words[m] == nil {
		d.words[m] = map[string]string{}
	}
	d.words[m][who] = words
	var all []string
	for _, w := range []string{weatherName, nemesisName} {
		if d.words[m][w] != "" {
			all = append(all, d.words[m][w])
		}
	}
	path := filepath.Join(m.Dir, controlName)
	if err := os.WriteFile(path+".new", []byte(strings.Join(all, ",")), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// heal makes all disks healthy.
func (d *disks) heal(members []*proc.Member) error {
	var errs []error
	for _, m := range members {
		errs = append(errs, d.set(m, weatherName, ""), d.set(m, nemesisName, ""))
	}
	return errors.Join(errs...)
}
