package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-db/holdfast/raft"
)

// converge is V1: with nobody breaking anything any more, a majority that hears
// each other elects a leader, takes writes, brings every member that is left to
// the same index, revision and hash, delivers every event to every watcher, and
// ends every lease that nobody renews. The clients go on for a while, then stop.
func (w *World) converge(p Phase) {
	w.enter(p)
	began := w.now
	w.load.resume()
	w.runUntil(w.now+second, nil)
	w.awaitWrites(began)
	if w.plan.Load.Clients > 0 {
		if p == PhaseConverge && w.plan.Seed%3 == 0 {
			w.calmTransfer()
		}
		w.runUntil(w.now+w.plan.Converge, w.everyTenMillis(func() bool { return w.count[CountOps] >= opsMin }))
	}
	if w.plan.Load.Users && !w.runUntil(w.now+w.plan.Converge, w.everyTenMillis(func() bool { return !w.oracle.model.auth.now().enabled() })) {
		w.fail(Stuck, "V1 a leader takes writes", 0, "auth is not turned off: %s", w.standing())
	}
	w.load.quiet()
	end := w.now + w.plan.Converge
	if !w.runUntil(end, w.everyTenMillis(w.converged)) {
		w.fail(Stuck, "V1 the cluster converges", 0, "%s after the last fault: %s", micros(w.now-began), w.standing())
	}
	w.trace.line(w.now, whatPhase, 0, "converged %s after the last fault", micros(w.now-began))
}

// awaitWrites waits until a write of this phase is acknowledged.
func (w *World) awaitWrites(began int64) {
	done := func() bool {
		for i := len(w.load.ops) - 1; i >= 0 && w.load.ops[i].call >= began; i-- {
			if o := w.load.ops[i]; o.write() && o.answer == AnswerOK {
				return true
			}
		}
		return false
	}
	if w.plan.Load.Clients == 0 {
		done = w.probe()
	}
	if !w.runUntil(w.now+w.plan.Converge, w.everyTenMillis(done)) {
		w.fail(Stuck, "V1 a leader takes writes", 0, "%s after the last fault: %s", micros(w.now-began), w.standing())
	}
}

// lost tells whether this member is out for good: left broken, stopped by damage,
// or with another disk than the one it is known by.
func (n *Node) lost() bool { return n.broken || n.wipes > 0 }

// beyond tells whether so many disks are damaged that nobody can ask the rest to
// go on: in the committed configuration, or in one that a member's log holds, which
// may be a voter's promotion that was under way when its disk was struck.
func (w *World) beyond() bool {
	if !w.plan.BeyondBudget {
		return false
	}
	whole := func(n *Node) bool { return !n.damaged && !n.broken }
	if !w.quorum(&w.oracle.config, whole) {
		return true
	}
	return slices.ContainsFunc(w.core(), func(n *Node) bool { return !w.quorum(&n.config0, whole) })
}

// endure is what remains of the end where the cluster can't come back: members
// may stop, but whatever they still say must be right.
func (w *World) endure() {
	w.count.add(CountBeyond)
	w.enter(PhaseConverge)
	w.load.resume()
	w.runUntil(w.now+10*second, nil)
	w.load.quiet()
	w.runUntil(w.now+w.plan.Load.Timeout+second, nil)
	w.checkRefusals()
}

// everyTenMillis keeps a costly question from being asked after each event.
func (w *World) everyTenMillis(ask func() bool) func() bool {
	next := w.now
	return func() bool {
		if w.now < next {
			return false
		}
		next = w.now + 10*millisecond
		for _, s := range w.load.streams {
			s.checkDelivery()
		}
		return ask()
	}
}

// core lists the members that must converge: those of the committed
// configuration that were not left broken.
func (w *World) core() []*Node {
	var list []*Node
	for _, m := range w.oracle.config.Members {
		if n := w.node(m.ID); !n.lost() {
			list = append(list, n)
		}
	}
	return list
}

func (w *World) converged() bool {
	if !w.load.idle() || w.oracle.config.Joint() {
		return false
	}
	last := uint64(len(w.oracle.log))
	for _, n := range w.core() {
		if !n.up || n.last.applied != last || n.last.commit != raft.Index(last) {
			return false
		}
	}
	if w.leader() == nil || len(w.oracle.model.leases) > 0 {
		return false
	}
	for _, s := range w.load.streams {
		if !s.caughtUp() {
			return false
		}
	}
	return true
}

// standing describes who lags, for the report of a stuck cluster.
func (w *World) standing() string {
	var b strings.Builder
	fmt.Fprintf(&b, "committed %d, revision %d, joint %v, %d leases, clients idle %v;", len(w.oracle.log), w.oracle.model.rev,
		w.oracle.config.Joint(), len(w.oracle.model.leases), w.load.idle())
	for _, n := range w.nodes {
		if n.removed || n.life == 0 {
			continue
		}
		fmt.Fprintf(&b, " n%d", n.id)
		if !n.up {
			b.WriteString(" down")
		} else {
			s := raftOf(n.rep).Status()
			fmt.Fprintf(&b, " %v term %d leader n%d commit %d applied %d last %d config %v", s.Role, s.Term, s.Leader, s.Commit, n.last.applied, s.Last, s.Config.Config)
		}
		if n.broken {
			b.WriteString(" (left broken)")
		}
		b.WriteByte(';')
	}
	for _, s := range w.load.streams {
		if !s.caughtUp() {
			fmt.Fprintf(&b, " stream %d (on n%v) lags:", s.index, s.where())
			for _, at := range s.watchers {
				fmt.Fprintf(&b, " %s created %v from %d heard %d caught up %v partial %v,", at.text(), at.created, at.from, at.heard, at.caughtUp(), at.partial)
			}
		}
	}
	return b.String()
}

func (s *watchStream) where() raft.NodeID {
	if s.node == nil {
		return 0
	}
	return s.node.id
}

// checkEnd is the full check after the last convergence.
func (w *World) checkEnd() {
	var first *Node
	for _, n := range w.core() {
		n.checkModel(stateOf(n.rep).View())
		if first == nil {
			first = n
		}
		if got, want := stateOf(n.rep).Hash(), stateOf(first.rep).Hash(); got != want {
			w.unsafe("M1 equal index, equal state", uint8(n.id), "at the end n%d has state hash %016x, n%d has %016x", first.id, want, n.id, got)
		}
	}
	w.checkRefusals()
	w.checkOld()
	w.checkBounded()
	w.checkIdle()
}
