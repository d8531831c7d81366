package sim

import "github.com/holdfast-db/holdfast/mvcc"

// expirySlack is what the end of a lease may take besides ticks: a revocation is
// proposed, synced by a quorum and applied, behind others.
const expirySlack = 2 * second

// commitSlow is how long an entry waits for a quorum, at least, for all behind it
// to be excused: that of a configuration in which somebody has to catch up first,
// entry by entry over a long way.
const commitSlow = second

// touch notes that somebody asked for a renewal, or stopped waiting for one:
// until then it may have been granted.
func (b *leaseBook) touch(id int64) {
	if l := b.byID[id]; l != nil {
		l.touched = b.w.now
	}
}

// checkExpiryDue is L2: with nothing broken and a leader that stays, a lease ends
// within its TTL, an election timeout of grace and a bound. One that never ends
// keeps the cluster from converging (V1).
func (b *leaseBook) checkExpiryDue(l *leaseRecord) {
	w := b.w
	if w.phase < PhaseConverge {
		return
	}
	k := w.plan.Raft
	ticks := (3*int64(k.ElectionTicks) + 2) * k.TickMicros
	life := l.ttl*second + ticks
	life += life/1_000_000*w.plan.DriftPPM + expirySlack
	// The lease may have been renewed, or given a new life by a new leader, or
	// have waited for one, or behind a log that moved slowly.
	from := max(l.touched, w.elected.since, w.entered, w.oracle.slow)
	if w.now > from+life {
		w.fail(Stuck, "L2 leases expire in time", 0, "lease %d of %ds ended %s after anything could have prolonged it", l.id, l.ttl, micros(w.now-from))
	}
}

// ending is the end of one lease in the one log: the revision that it made, 0 if
// it had no keys, and what it deleted.
type ending struct {
	revision int64
	keys     []string
}

// noteEnding is called after the model has run a revocation; before is the
// number of changes that there were.
func (o *oracle) noteEnding(index uint64, before int) {
	e := ending{}
	for _, c := range o.model.changes[before:] {
		e.revision, e.keys = c.main, append(e.keys, string(c.kv.Key))
	}
	if len(e.keys) > 0 {
		o.endings[index] = append(o.endings[index], e)
	}
}

// checkEndings is L3: the end of a lease deletes exactly its keys, in one
// revision, on each member that applies it.
func (n *Node) checkEndings(from, to uint64) {
	for i := from; i <= to; i++ {
		for _, e := range n.w.oracle.endings[i] {
			n.checkEnding(i, &e)
		}
	}
}

func (n *Node) checkEnding(index uint64, e *ending) {
	view := stateOf(n.rep).View().KV
	if e.revision-1 < view.CompactRevision() {
		return // what was there before can't be asked any more
	}
	total := func(rev int64) int64 {
		r, err := view.Range(&mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}, Revision: rev, CountOnly: true})
		if err != nil {
			n.w.unsafe("L3 a lease takes its keys along", uint8(n.id), "index %d: reading at revision %d: %v", index, rev, err)
		}
		return r.Count
	}
	if gone := total(e.revision-1) - total(e.revision); gone != int64(len(e.keys)) {
		n.w.unsafe("L3 a lease takes its keys along", uint8(n.id), "index %d, revision %d: %d keys are gone, the lease had %q", index, e.revision, gone, e.keys)
	}
	for _, key := range e.keys {
		r, err := view.Range(&mvcc.RangeRequest{Key: []byte(key), Revision: e.revision})
		if err != nil || len(r.KVs) != 0 {
			n.w.unsafe("L3 a lease takes its keys along", uint8(n.id), "index %d, revision %d: %q is still there (%v)", index, e.revision, key, err)
		}
	}
	n.w.count.add("lease ends compared")
}
