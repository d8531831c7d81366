package sim

import "github.com/holdfast-db/holdfast/server/replica"

// transferTries: a slow disk may use up the one election timeout that a single
// attempt is given.
const transferTries = 6

// calmTransfer is V1 for operators: with nothing broken, and clients writing all
// the time, leadership can be handed over. A leader that goes on taking writes
// meanwhile never sees its successor caught up (thesis §3.10).
func (w *World) calmTransfer() {
	for range transferTries {
		n := w.leader()
		to := w.successor(n)
		if to == nil {
			return
		}
		if w.transferTo(n, to) {
			w.count.add("transfers in calm")
			return
		}
		w.runUntil(w.now+int64(w.plan.Raft.ElectionTicks)*w.plan.Raft.TickMicros, nil)
	}
	w.fail(Stuck, "V1 a transfer succeeds in calm", 0, "%d attempts failed; %s", transferTries, w.standing())
}

// successor is another voter that is there and well; nil if there is none.
func (w *World) successor(leader *Node) *Node {
	if leader == nil {
		return nil
	}
	for _, n := range w.core() {
		m, _ := w.oracle.config.Find(n.id)
		linked := w.net.open(n.id, leader.id) && w.net.open(leader.id, n.id)
		if n != leader && n.up && m.Voter && linked && n.last.commit+10 > leader.last.commit {
			return n
		}
	}
	return nil
}

// transferTo asks for one transfer and waits for its answer.
func (w *World) transferTo(n, to *Node) bool {
	answered, ok := false, false
	r := &replica.Request{Kind: replica.TransferLeader, Member: to.id}
	r.Done = func(rep replica.Reply) {
		answered, ok = true, rep.Err == nil
		w.trace.line(w.now, whatReply, uint8(n.id), "transfer to n%d: %v", to.id, rep.Err)
	}
	n.enqueue(replica.SubmitEvent{Requests: []*replica.Request{r}})
	timeout := 4 * int64(w.plan.Raft.ElectionTicks) * w.plan.Raft.TickMicros
	w.runUntil(w.now+timeout, func() bool { return answered })
	return ok || w.elected.leaders[w.elected.newest] == to.id
}
