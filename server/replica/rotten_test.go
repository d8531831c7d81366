package replica

import (
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// A leader whose newest snapshot can't be read finds out when it sends it, writes
// another one though nothing new has come, and the member that needs it gets that.
func TestRottenSnapshotIsNotOfferedForEver(t *testing.T) {
	for name, spoil := range map[string]func(*member, string){
		"damaged": func(m *member, file string) { m.damage(file) },
		"gone": func(m *member, file string) {
			if err := m.fs.Delete(file); err != nil {
				m.c.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotLogBytesMin, cfg.CatchUpEntries, cfg.TailEntriesMax = 32<<10, 5, 5 })
			l, f := c.leader(), c.follower()
			c.deliver = func(from, to raft.NodeID, _ transport.Frame) int {
				if from == f.id || to == f.id {
					return 0
				}
				return 1
			}
			value := string(make([]byte, 1000))
			for i := range 100 {
				l.mustPut(fmt.Sprintf("k%03d", i), value)
			}
			newest := l.r.Core.snaps.newest.Last
			if newest.Index == 0 || c.leader() != l {
				t.Fatal("no snapshot yet, or another leader")
			}
			file := fmt.Sprintf("/data/snap/%016x-%016x.snap", uint64(newest.Index), uint64(newest.Term))
			spoil(l, file)
			c.deliver = nil
			c.tick(60)
			if got, want := f.r.Core.applied, l.r.Core.applied; got != want {
				t.Errorf("the follower stands at %d, the leader at %d", got, want)
			}
			if f.r.Core.snaps.newest.Last.Index == 0 {
				t.Error("it needed no snapshot")
			}
			if l.r.Core.snaps.rotten {
				t.Error("the leader's newest snapshot is still rotten")
			}
			infos, err := l.r.dir.List()
			if err != nil {
				t.Fatal(err)
			}
			if err := l.r.VerifySnapshot(infos[len(infos)-1].Last); err != nil {
				t.Errorf("the newest on the leader's disk: %v", err)
			}
			l.crash()
			l.start() // and it recovers from it
		})
	}
}
