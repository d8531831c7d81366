package sim

import "github.com/holdfast-db/holdfast/server/state"

// checkCheckpoint is L1 at the moment in which a checkpoint begins to count: the
// next leader, whoever that is and however soon, may end the lease when the
// checkpoint says. Nobody may have been promised more by then.
func (b *leaseBook) checkCheckpoint(asOf uint64, c state.LeaseCheckpoint) {
	w, l := b.w, b.byID[c.ID]
	known := w.oracle.model.leases[c.ID]
	if l == nil || known == nil || known.since > asOf {
		w.count.add("checkpoints that came too late")
		return
	}
	w.count.add("checkpoints of leases")
	if w.now+c.Remaining*second < l.renewed+b.leastLife(l) {
		w.unsafe("L1 no lease expires early", 0, "a checkpoint gives lease %d of %ds another %ds, %s after its last renewal was asked for",
			l.id, l.ttl, c.Remaining, micros(w.now-l.renewed))
	}
}

// checkLeases is M2 for leases, where a member has come as far as the model and
// something was written down about them: what remains of each is the same here
// and there. The members' hashes agree even if all of them are wrong.
func (n *Node) checkLeases(s *state.State) {
	w := n.w
	found := 0
	s.AscendLeases(func(got state.Lease) bool {
		found++
		want := w.oracle.model.leases[got.ID]
		if want == nil || got.TTL != want.ttl || got.Remaining != want.remaining {
			w.unsafe("M2 model equality", uint8(n.id), "lease %+v at index %d, the model has %+v", got, s.AppliedIndex(), want)
		}
		return true
	})
	if found != len(w.oracle.model.leases) {
		w.unsafe("M2 model equality", uint8(n.id), "%d leases at index %d, the model has %d", found, s.AppliedIndex(), len(w.oracle.model.leases))
	}
	w.count.add("tables of leases compared")
}
