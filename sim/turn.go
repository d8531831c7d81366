package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// turnInfo is what is noted before an actor's turn, to check what it did.
type turnInfo struct {
	work    int64 // µs until the output exists
	raft    raft.Checkpoint
	persist []*raft.Persist
	bid     raft.Term // a candidate's term, if its leader's word is in the batch
	refused []refusal // to a core
}

// before notes the state that a turn starts from, and draws how long it takes.
func (n *Node) before(a *actor, batch []replica.Event) turnInfo {
	t := turnInfo{work: n.w.nodeDraw.between(1, 40)}
	switch a.id {
	case replica.ToCore:
		t.raft = raftOf(n.rep).Checkpoint()
		t.bid = n.outbid(batch)
		t.refused = refusals(batch)
		n.noteUnread(batch)
	case replica.ToLog:
		n.disk.logging, n.disk.written = true, n.disk.written[:0]
		for _, ev := range batch {
			if p := replica.PersistOf(ev); p != nil {
				t.persist = append(t.persist, p)
			}
		}
		if len(t.persist) > 0 {
			t.work = n.syncMicros()
			n.disk.busy = n.w.now + t.work
			n.checkWrites(t.persist)
			n.w.noteWrites(t.persist)
			n.shadow.begin(t.persist)
		}
	case replica.ToApply:
		for _, ev := range batch {
			n.w.oracle.observe(n, ev)
		}
		n.w.load.answering = n.w.now + t.work
	}
	if a.id == replica.ToCore {
		n.w.load.answering = n.w.now + t.work
	}
	return t
}

// syncMicros draws how long a write and its sync take.
func (n *Node) syncMicros() int64 {
	k := n.w.plan.Disk
	if n.w.phase == PhaseChaos && n.w.diskDraw.chance(k.StallPPM) {
		n.w.count.add("disk stalls")
		return n.w.diskDraw.between(k.SyncMean, k.StallMax)
	}
	return 20 + n.disk.slow + n.w.diskDraw.around(k.SyncMean)
}

// after checks what a turn did; false if the process ended during it,
// or will never hear of its end.
func (n *Node) after(a *actor, t turnInfo, batch []replica.Event, out *replica.Output) bool {
	n.disk.logging = false
	if n.diskStopped() {
		n.crashAtDisk("the " + actorNames[a.id] + " actor")
		return false
	}
	if n.disk.hung && a.id == replica.ToLog {
		return false // this actor waits for ever
	}
	if out.Fatal != nil {
		n.gaveUp(out.Fatal)
		return false
	}
	switch a.id {
	case replica.ToCore:
		n.afterCore(t, out)
	case replica.ToLog:
		n.afterLog(out)
	case replica.ToApply:
		n.afterApply()
	}
	return true
}

// afterLog notes which writes the log says are durable.
func (n *Node) afterLog(out *replica.Output) {
	for _, ev := range out.Events {
		done, ok := ev.(replica.PersistedEvent)
		if !ok {
			continue
		}
		n.checkSynced(done.Write)
		for _, p := range n.shadow.finish(done.Write) {
			n.w.elected.voted(n, p.HardState)
		}
	}
}

// afterCore checks raft's own invariants and those between members.
func (n *Node) afterCore(t turnInfo, out *replica.Output) {
	w, node := n.w, raftOf(n.rep)
	if err := raft.CheckState(node); err != nil {
		w.unsafe("raft.CheckState", uint8(n.id), "%v", err)
	}
	if err := raft.CheckStep(t.raft, node.Checkpoint()); err != nil {
		w.unsafe("raft.CheckStep", uint8(n.id), "%v", err)
	}
	role, term, commit := node.Role(), node.Term(), node.Commit()
	if role == raft.Leader && (n.last.role != raft.Leader || n.last.term != term) {
		w.elected.leads(n, term)
	}
	w.elected.began(n, out.Trace, term)
	n.checkFollows(t.bid, role, term)
	n.checkSearch(t.refused, out.Trace)
	n.checkCut(out.Events)
	n.checkOffers(out.Snapshots)
	n.checkDisowned(out.Trace)
	n.checkMonotonic(term, commit)
	n.checkLeads(role, commit)
	n.checkConfigured(commit)
	if role != n.last.role || term != n.last.term {
		w.rec.role(n, role, term)
		w.trace.mark(w.now, whatRole, uint8(n.id), uint64(role), uint64(term), uint64(commit))
	}
	n.last.role, n.last.term, n.last.commit = role, term, commit
	n.tailMax = max(n.tailMax, node.PersistedIndex()-min(node.PersistedIndex(), commit))
	n.noteConfig(node)
	n.noteDisowned(node)
	n.aborted = false
	for _, ev := range out.Trace {
		n.aborted = n.aborted || ev.Kind == raft.EventTransferAborted
		w.count.add("raft " + ev.Kind.String())
		if w.trace.verbose() {
			w.trace.decision(w.now, uint8(n.id), ev)
		}
	}
}

// noteConfig keeps the active configuration for the next turn's checks.
func (n *Node) noteConfig(node *raft.Node) {
	if at := node.ConfigAt(); at != n.configAt || len(n.config0.Members) == 0 {
		n.configAt, n.config0 = at, node.Status().Config.Config
	}
}

// afterApply compares the state machine with the oracle and with the others.
func (n *Node) afterApply() {
	s := stateOf(n.rep)
	if s.AppliedIndex() == n.last.applied {
		return
	}
	n.checkApplied(s)
	n.checkEndings(n.last.applied+1, s.AppliedIndex())
	n.last.applied = s.AppliedIndex()
}
