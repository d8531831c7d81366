package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/wal"
)

// checkRecovered is S1 and the durable half of R2 and R8: what a member found
// on its disk is what it had synced before, with each write that was cut short
// there whole or not at all. false: its disk has lost what nothing can prove, so
// it was stopped.
func (n *Node) checkRecovered() bool {
	w, node := n.w, raftOf(n.rep)
	found := node.Status()
	n.last = seen{role: found.Role, term: found.Term, commit: found.Commit, applied: uint64(stateOf(n.rep).AppliedIndex())}
	w.countRecovery(n)
	n.configAt, n.config0 = found.Config.At, found.Config.Config
	outcomes := n.shadow.outcomes(w.plan.Replica.Sync == "always")
	var tried []string
	for i := range outcomes {
		o := &outcomes[i]
		if n.matches(o, found) {
			if len(n.shadow.inflight) > 0 && i > 0 {
				w.count.add("unfinished writes found whole")
			} else if len(n.shadow.inflight) > 0 {
				w.count.add("unfinished writes lost")
			}
			n.shadow = *o
			w.elected.voted(n, o.hard)
			return true
		}
		tried = append(tried, o.text())
	}
	if n.installed(found) {
		return true
	}
	if n.disk.unproven != proofThere && n.shadow.keeps(found) {
		// Its newest batch, before the mark that proves it (log-format, step 6):
		// entries, never a term or a vote, which are written twice.
		w.count.add("losses that nothing can tell")
		n.kill()
		n.giveUpOn()
		return false
	}
	w.unsafe("S1 recovery finds what was synced", uint8(n.id), "term %d vote %v log [%d, %d] is none of: %s",
		found.Term, found.Vote, found.First, found.Last, strings.Join(tried, "; "))
	return false
}

func (n *Node) matches(o *shadow, found raft.Status) bool {
	if found.Term != o.hard.Term || found.Vote != o.hard.Vote || found.Last != o.last() {
		return false
	}
	for i := max(found.First, o.base.Index+1); i <= found.Last; i++ {
		term, ok := termAt(raftOf(n.rep), i)
		if !ok || term != o.log[i-o.base.Index-1].term {
			return false
		}
	}
	return true
}

// installed: the crash came between a snapshot file and the log's reset to it.
// Recovery completes the reset (log-format, step 10).
func (n *Node) installed(found raft.Status) bool {
	applied := raft.Index(stateOf(n.rep).AppliedIndex())
	log := n.w.oracle.log
	if found.Last != applied || found.First != found.Last+1 || applied <= n.shadow.last() || int(applied) > len(log) {
		return false
	}
	if found.Term != n.shadow.hard.Term || found.Vote != n.shadow.hard.Vote {
		return false
	}
	n.shadow.base = raft.EntryID{Index: applied, Term: log[applied-1].term}
	n.shadow.log, n.shadow.inflight = nil, nil
	return true
}

// superHeld is the newest version of super that is on the disk for good; 0: that
// is not asked, for it costs a look through the log.
func (n *Node) superHeld() uint64 {
	if !n.tears || n.damaged {
		return 0
	}
	return superOn(n.fs.Crash(n.w.diskDraw.Rand, disk.CrashOptions{DropAll: true}))
}

// checkSuper is S1 for super: no power loss takes a version that was there for
// good. Of the two blocks of each one is written and synced before the other, so
// that one of either version is whole at any time.
func (n *Node) checkSuper(held uint64) {
	if held == 0 {
		return
	}
	if found := superOn(n.fs.Clone()); found < held {
		n.w.unsafe("S1 super keeps what was synced", uint8(n.id), "version %d is left after a power loss, %d was there before", found, held)
	}
	n.w.count.add("versions of super compared")
}

func superOn(fs *disk.Mem) uint64 {
	report, err := wal.Verify(fs, dataDir)
	if err != nil {
		return 0
	}
	return report.Super.Version
}
