package sim

import (
	"errors"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/wal"
)

// What the simulator needs to know of the replica beyond its driver's seam is
// gathered here: it looks at raft and at the state machine between turns.

const clusterID = 0xc0ffee

func machinesOf(r *replica.Replica) [3]replica.Actor {
	return [3]replica.Actor{r.Actor(replica.ToCore), r.Actor(replica.ToLog), r.Actor(replica.ToApply)}
}

func raftOf(r *replica.Replica) *raft.Node    { return r.Core.Raft() }
func stateOf(r *replica.Replica) *state.State { return r.Apply.State() }

func termAt(n *raft.Node, i raft.Index) (raft.Term, bool) { return n.TermAt(i) }

// endOf is the identity of a log's last entry.
func endOf(n *raft.Node) raft.EntryID {
	last := n.Status().Last
	term, _ := n.TermAt(last)
	return raft.EntryID{Index: last, Term: term}
}

// holdsEntry tells whether a log holds an entry; below its start it does, for
// only committed entries are compacted.
func holdsEntry(n *raft.Node, id raft.EntryID) bool {
	s := n.Status()
	if id.Index < s.First {
		return true
	}
	term, ok := n.TermAt(id.Index)
	return ok && id.Index <= s.Last && term == id.Term
}

func syncPolicy(name string) wal.Policy {
	p, err := wal.ParsePolicy(name)
	if err != nil {
		panic(err)
	}
	return p
}

// countRefusal counts why a member says that it can't start.
func (w *World) countRefusal(err error) {
	switch {
	case errors.Is(err, wal.ErrCorrupt):
		w.count.add("refused: corrupt log")
	case errors.Is(err, wal.ErrAmnesiac):
		w.count.add("refused: no super")
	default:
		w.count.add("refused: no usable snapshot")
	}
}

// countRecovery counts what recovery met.
func (w *World) countRecovery(n *Node) {
	if torn := n.rep.Recovered().Torn; torn != nil {
		w.count.add(CountTornTails)
	}
	if len(n.rep.Recovered().Damage) > 0 {
		w.count.add("damage tolerated at a start")
	}
}
