package sim

import (
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// checkApplied is M1 and, now and then, M2: a member at applied index i stands
// at the revision that the model had there, with the same hash as every other
// member at i; and what it answers at a random revision is what the model says.
func (n *Node) checkApplied(s *state.State) {
	w, index := n.w, s.AppliedIndex()
	if index < n.last.applied {
		w.unsafe("R8 applied never falls", uint8(n.id), "applied %d → %d", n.last.applied, index)
	}
	if index > uint64(len(w.oracle.log)) {
		w.unsafe("R6 applied was committed", uint8(n.id), "applied %d, known are %d", index, len(w.oracle.log))
	}
	if index == 0 {
		return
	}
	at := &w.oracle.log[index-1]
	if s.Revision() != at.revision {
		w.unsafe("M1 revision identity", uint8(n.id), "revision %d at index %d, the model has %d", s.Revision(), index, at.revision)
	}
	if len(w.oracle.configs) < 2 || raft.Index(index) < w.oracle.configs[1].index {
		return // until the log holds a configuration, a joiner's member table is its own
	}
	hash := s.Hash()
	if !at.hashed {
		at.hashed, at.hash = true, hash
	} else if at.hash != hash {
		w.unsafe("M1 equal index, equal state", uint8(n.id), "state hash %016x at index %d, elsewhere %016x", hash, index, at.hash)
	}
	w.trace.mark(w.now, whatCheck, uint8(n.id), index, hash, 0)
	if at.leases && index == uint64(len(w.oracle.log)) {
		n.checkLeases(s)
	}
	if w.oracle.draw.chance(20_000) {
		n.checkModel(s.View())
	}
}

// checkModel is M2: a whole range at a random revision, and its edges.
func (n *Node) checkModel(v *state.View) {
	w, m := n.w, n.w.oracle.model
	compact, now := max(v.CompactRevision(), 0), v.Revision()
	revs := []int64{now, w.oracle.draw.between(compact, now)}
	if compact > 1 {
		revs = append(revs, compact-1)
	}
	revs = append(revs, now+1)
	for _, rev := range revs {
		q := &mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}, Revision: rev}
		got, err := v.KV.Range(q)
		want := expectRange(m, q, now, compact)
		if err != want.err {
			w.unsafe("M2 model equality", uint8(n.id), "range at %d of %d (compacted %d): error %v, the model has %v", rev, now, compact, err, want.err)
		}
		if err != nil {
			continue
		}
		if diff := sameRange(got, &want.result); diff != "" {
			w.unsafe("M2 model equality", uint8(n.id), "range at %d of %d: %s", rev, now, diff)
		}
	}
	n.checkHashKV(v)
	w.count.add("model comparisons")
}

// expected is the model's answer to a range.
type expected struct {
	result mvcc.RangeResult
	err    error
}

// expectRange answers as a store at revision now, compacted at compact, must.
func expectRange(m *model, q *mvcc.RangeRequest, now, compact int64) expected {
	rev := q.Revision
	switch {
	case rev <= 0:
		rev = now
	case rev > now:
		return expected{err: mvcc.ErrFutureRevision}
	case rev < compact:
		return expected{err: mvcc.ErrCompacted}
	}
	return expected{result: m.rangeAt(q, rev)}
}
