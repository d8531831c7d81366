package sim

import (
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// Damage that is found at once. Super's floor follows the log within a second
// (log-format, super) and from then on proves what was lost, so that a start
// that comes later sees every loss in the same way. What the log itself proves,
// by marks and by what was written next, shows only at a start before that.

// atOnce ends a member, whose disk was just damaged, by its process or with its
// machine, in most cases.
func (f *faultPlanner) atOnce(n *Node) {
	if !f.d.percent(60) {
		return
	}
	a := Action{Verb: pick(f.d, "kill", "crash"), Who: is(n.id), For: f.outage()}
	f.w.strikeAfter(f.d.between(0, 5*millisecond), func() {
		if f.running && n.up && n.damaged {
			f.w.perform(a)
		}
	})
}

// newest picks one of the last few spots of a class: what was written lately is
// what super doesn't prove yet.
func (f *faultPlanner) newest(n *Node, class string) int64 {
	spots := len(n.spots(class))
	return max(0, int64(spots)-1-f.d.Int64N(3))
}

// loseLogWrite loses a write of the log, and takes the power when one of the
// next is waiting for its sync: one that proves the loss, or the last witness.
func (f *faultPlanner) loseLogWrite(n *Node) bool {
	if l := f.w.leader(); l != nil && l != n && n.up && f.d.percent(60) {
		if f.d.percent(40) {
			f.loseMark(n)
		} else {
			f.loseVote(n, l)
		}
		return true
	}
	a := Action{Verb: "losewrite", Who: is(n.id), Disk: DiskErrors{Part: ".wal", After: f.d.Int64N(4)}}
	if !f.w.perform(a) {
		return false
	}
	if n.up && !n.armed() {
		f.w.perform(Action{Verb: "crash", Who: is(n.id), Word: "sync", Count: a.Disk.After + 1 + f.d.between(1, 3), For: f.outage()})
	}
	return true
}

// loseVote ends the leader, and loses what a voter writes when somebody stands for
// election: a term and a vote, and little comes behind them.
func (f *faultPlanner) loseVote(n, leader *Node) {
	f.w.perform(Action{Verb: "kill", Who: is(leader.id), For: f.outage()})
	lose := Action{Verb: "losewrite", Who: is(n.id), Disk: DiskErrors{Part: ".wal"}}
	crash := Action{Verb: "crash", Who: is(n.id), Word: "sync", Count: f.d.between(2, 3), For: f.outage()}
	if f.d.percent(60) {
		crash.Word, crash.Count = "op", f.d.between(3, 5) // before a byte of the next write is there
	}
	f.when(2000, f.w.someoneStands, func() { f.loseAndCrash(n, lose, crash) })
}

// loseMark cuts a member off that has just written something, loses the mark that
// it then writes, and the power soon after it hears again. Super names the mark's
// end meanwhile: one batch was synced behind a place that can't be read and that
// super proves.
func (f *faultPlanner) loseMark(n *Node) {
	alone := Action{Verb: "isolate", Who: is(n.id), For: f.d.between(1200*millisecond, 2*second)}
	lose := Action{Verb: "losewrite", Who: is(n.id), Disk: DiskErrors{Part: ".wal"}}
	crash := Action{Verb: "crash", Who: is(n.id), Word: "sync", Count: 3, For: f.outage()}
	last := n.shadow.last()
	f.when(500, func() bool { return n.shadow.last() > last }, func() {
		f.w.perform(alone)
		f.loseAndCrash(n, lose, crash)
	})
}

func (f *faultPlanner) loseAndCrash(n *Node, lose, crash Action) {
	if n.up && !n.armed() && !n.damaged && (f.w.plan.BeyondBudget || f.affords(n)) && f.w.perform(lose) {
		f.w.perform(crash)
	}
}

// when strikes within a millisecond of something, if it comes in so many.
func (f *faultPlanner) when(millis int, something func() bool, strike func()) {
	f.w.strikeAfter(millisecond, func() {
		switch {
		case !f.running || millis == 0:
		case something():
			strike()
		default:
			f.when(millis-1, something, strike)
		}
	})
}

// someoneStands: a member asks whether it would be elected.
func (w *World) someoneStands() bool {
	return slices.ContainsFunc(w.live(), func(n *Node) bool { return n.last.role == raft.PreCandidate })
}
