package replica

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// standAlone makes a cluster of one of a member that is down, and starts it.
func (m *member) standAlone() (left []raft.Member) {
	m.c.t.Helper()
	left, err := StandAlone(m.config())
	if err != nil {
		m.c.t.Fatal(err)
	}
	m.start()
	return left
}

func (c *cluster) crashAll() {
	for _, m := range c.nodes {
		if m.r != nil {
			m.crash()
		}
	}
}

// One of three goes on alone, with all data, and others are added anew.
func TestStandAlone(t *testing.T) {
	for _, snapshots := range []bool{false, true} {
		t.Run(fmt.Sprint("snapshots ", snapshots), func(t *testing.T) {
			c := newCluster(t, 3, func(cfg *Config) {
				if snapshots { // the configuration is in the snapshot's file, no longer in the log
					cfg.SnapshotLogBytesMin, cfg.CatchUpEntries, cfg.TailEntriesMax = 32<<10, 10, 10
				}
			})
			c.leader()
			for i := range 100 {
				c.node(1).mustPut(fmt.Sprint("k", i), string(make([]byte, 1000)))
			}
			survivor := c.follower()
			c.tick(5)
			term := survivor.r.Core.node.Term()
			if first := survivor.r.Core.node.FirstIndex(); snapshots != (first > 10) {
				t.Fatalf("the log starts at %d", first)
			}
			c.crashAll()
			left := survivor.standAlone()
			if len(left) != 2 || left[0].ID == survivor.id || left[1].ID == survivor.id {
				t.Errorf("left out: %+v", left)
			}
			if got := survivor.get("k99"); len(got) != 1000 {
				t.Errorf("k99 has %d bytes", len(got))
			}
			if now := survivor.r.Core.node.Term(); now <= term+1 {
				t.Errorf("term %d, it was %d", now, term)
			}
			survivor.mustPut("alone", "1")
			members := survivor.r.Apply.state.Members()
			if len(members) != 1 || members[0].ID != uint64(survivor.id) || members[0].Learner {
				t.Errorf("members %+v", members)
			}
			for _, m := range left {
				if !survivor.r.Apply.state.Removed(uint64(m.ID)) {
					t.Errorf("member %d wasn't removed", m.ID)
				}
			}
			survivor.growAgain()
		})
	}
}

// growAgain adds two members, one of which then outlives the one that stood alone.
func (m *member) growAgain() {
	m.c.t.Helper()
	for range 2 {
		joiner := m.c.join()
		if r := m.ask(changeMember(MemberChange{Op: AddMember, ID: joiner.id, URLs: []string{fmt.Sprint("http://new", joiner.id)}})); r.Err != nil {
			m.c.t.Fatal(r.Err)
		}
		joiner.startEmpty()
		m.c.tick(30)
		if got := joiner.get("alone"); got != "1" {
			m.c.t.Errorf("member %d reads %q", joiner.id, got)
		}
	}
	m.c.checkEqual()
	m.crash()
	m.c.leader().mustPut("later", "1")
	m.start()
	m.c.checkEqual()
}

// The end of the log, of which the member doesn't know that it is committed, may
// have been acknowledged: it stays.
func TestStandAloneKeepsTheTail(t *testing.T) {
	c := newCluster(t, 3, nil)
	leader := c.leader()
	leader.mustPut("a", "1")
	c.tick(5)
	survivor := c.follower()
	c.deliver = func(from, to raft.NodeID, _ transport.Frame) int {
		if from == leader.id && to == survivor.id {
			return 1
		}
		return 0
	}
	leader.start1(write(&mvcc.PutRequest{Key: []byte("b"), Value: []byte("2")}))
	if st := survivor.r.Core.node.Status(); st.Commit >= st.Last {
		t.Fatalf("all is committed: %+v", st)
	}
	c.crashAll()
	c.deliver = nil
	survivor.standAlone()
	if got := survivor.get("b"); got != "2" {
		t.Errorf("b = %q", got)
	}
}

// A second time nobody is left out, and nothing is written.
func TestStandAloneTwice(t *testing.T) {
	c := newCluster(t, 3, nil)
	survivor := c.leader()
	survivor.mustPut("a", "1")
	c.crashAll()
	survivor.standAlone()
	survivor.mustPut("b", "1")
	last := survivor.r.Core.node.Status().Last
	survivor.crash()
	if left := survivor.standAlone(); len(left) != 0 {
		t.Errorf("left out again: %+v", left)
	}
	if again := survivor.r.Core.node.Status().Last; again != last {
		t.Errorf("the log ends at %d, it did at %d", again, last)
	}
}

// A learner becomes a voter: there is nobody else.
func TestStandAloneLearner(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.leader().mustPut("a", "1")
	joiner := c.join()
	if r := c.node(1).ask(changeMember(MemberChange{Op: AddMember, ID: joiner.id, URLs: []string{"http://new"}, Learner: true, LearnersMax: 1})); r.Err != nil {
		t.Fatal(r.Err)
	}
	joiner.startEmpty()
	c.tick(30)
	c.crashAll()
	joiner.standAlone()
	if got := joiner.get("a"); got != "1" {
		t.Errorf("a = %q", got)
	}
	if members := joiner.r.Apply.state.Members(); len(members) != 1 || members[0].Learner {
		t.Errorf("members %+v", members)
	}
}

// Whoever isn't a member has nothing to go on with.
func TestStandAloneRemoved(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.leader()
	stranger := c.join()
	stranger.startEmpty()
	stranger.crash()
	tweak := func(cfg *Config) { cfg.Initial = raft.Configuration{} }
	c.tweak = tweak
	if _, err := StandAlone(stranger.config()); !errors.Is(err, ErrNotMember) {
		t.Errorf("%v", err)
	}
}
