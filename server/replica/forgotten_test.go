package replica

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// restartAll ends all processes and starts them, with what was synced.
func (c *cluster) restartAll() {
	for _, m := range c.nodes {
		m.crash()
		m.fs = m.fs.Crash(rand.New(rand.NewPCG(1, 1)), disk.CrashOptions{DropAll: true})
	}
	for _, m := range c.nodes {
		m.start()
	}
}

// TestOldDiskIsFound: a follower gets an earlier copy of its disk back, while all
// others are started anew too. What they remember is on their disks; it is told,
// ends, and doesn't start again, and the others work without it. Before that,
// restarts without an exchange have ended nobody.
func TestOldDiskIsFound(t *testing.T) {
	for name, c := range map[string]struct{ between func(*cluster, *member) }{
		"acknowledged entries are missing": {func(c *cluster, _ *member) {
			c.leader().mustPut("k", "acknowledged")
			c.tick(25) // marks are kept every second
		}},
		"it was started in between": {func(c *cluster, m *member) {
			m.crash()
			m.start()
			c.tick(2)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cl := newCluster(t, 3, nil)
			cl.leader().mustPut("k", "1")
			for range 2 {
				cl.restartAll()
				cl.leader().mustPut("k", "2")
				cl.tick(15)
			}
			m := cl.follower()
			copied := m.fs.Clone()
			c.between(cl, m)
			m.crash()
			m.fs = copied
			cl.restartAll()
			cl.tick(40)
			if m.ended == nil {
				t.Fatal("it runs on a disk that has forgotten")
			}
			if text := m.ended.Error(); !strings.Contains(text, "member remove") || !strings.Contains(text, "this is start 4") {
				t.Errorf("it says %s", text)
			}
			cl.leader().mustPut("k", "3")
			if _, err := Open(m.config()); !errors.Is(err, ErrForgotten) {
				t.Errorf("a second start: %v", err)
			}
			for _, o := range cl.nodes {
				if o != m && o.ended != nil {
					t.Errorf("member %d ended: %v", o.id, o.ended)
				}
			}
		})
	}
}
