package sim

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/server/replica"
)

// errReadOnly is what every change returns once the kernel has remounted a file
// system read-only.
var errReadOnly = errors.New("sim: read-only file system")

// trouble is one thing that is wrong with a machine's disk: some operations fail
// until it has struck often enough or is lifted. It outlives the process.
type trouble struct {
	name  string
	kinds []disk.OpKind // nil: all that change the disk
	part  string        // only names that contain it
	skip  int           // operations that pass before it strikes
	left  int           // strikes left
	err   error
	// landPercent of a failing write's bytes reach the file all the same.
	landPercent int64
	// Without an error: the write is lost, or the read comes from so many bytes
	// further on.
	lost  bool
	shift int64
}

// strike decides about one operation.
func (t *trouble) strike(op disk.Op) (disk.Fault, bool) {
	if t.left == 0 || !t.concerns(op) {
		return disk.Fault{}, false
	}
	if t.skip > 0 {
		t.skip--
		return disk.Fault{}, false
	}
	t.left--
	return disk.Fault{Err: t.err, Stored: int(op.Size * t.landPercent / 100), Lost: t.lost, Shift: t.shift}, true
}

func (t *trouble) concerns(op disk.Op) bool {
	if !strings.Contains(op.Name, t.part) && !strings.Contains(op.NewName, t.part) {
		return false
	}
	if t.kinds == nil {
		return op.Kind.Changes()
	}
	for _, k := range t.kinds {
		if op.Kind == k {
			return true
		}
	}
	return false
}

// diskState is what a machine's disk does besides what it is told.
type diskState struct {
	// stop is where the power goes, if set; hit: it went.
	stop disk.Injector
	hit  bool
	// troubles are errors to come, in order of their making.
	troubles []*trouble
	// full: the machine's disk has no room to spare now.
	full bool
	// slow is added to every write of the log, µs; busy is when the last one ends.
	slow, busy int64

	// unproven follows the newest write of the log that the disk has lost: until
	// another one behind it was synced nothing can tell.
	unproven proof

	// Of this process: errors that it was given, the files whose sync failed,
	// and whether a sync of its log never returns.
	errors   int
	poisoned map[string]bool
	hang     bool // the next sync of the log does not return
	hung     bool // it has not

	// written names the files that the log actor wrote in its turn, while it lasts.
	written []string
	logging bool
}

// inject is asked about every operation of this machine's disk.
func (n *Node) inject(op disk.Op) disk.Fault {
	d := &n.disk
	if d.hit {
		return disk.Fault{Err: disk.ErrStopped}
	}
	if d.stop != nil {
		if f := d.stop(op); f.Err != nil {
			d.hit = true
			return f
		}
	}
	switch op.Kind {
	case disk.OpWrite:
		if d.logging && isLog(op) {
			d.written = append(d.written, op.Name)
		}
	case disk.OpSync:
		n.checkSync(op)
	case disk.OpRemove:
		delete(d.poisoned, op.Name) // another file may get its name
	}
	if d.hang && op.Kind == disk.OpSync && isLog(op) {
		d.hang, d.hung = false, true
		n.w.count.add("syncs that never return")
		return disk.Fault{Err: disk.ErrStopped}
	}
	for _, t := range d.troubles {
		if t.shift != 0 && !n.up {
			continue // a start that is lied to can't tell its newest batch from a torn one
		}
		if f, hit := t.strike(op); hit {
			n.refused(op, t)
			if t.lost && isLog(op) {
				d.unproven = proofMissing
			}
			return f
		}
	}
	if n.up {
		d.unproven = d.unproven.after(op) // a start that finds nothing lost proves nothing
	}
	return disk.Fault{}
}

func isLog(op disk.Op) bool { return strings.HasSuffix(op.Name, ".wal") }

// proof is how far the log has come since a write of it was lost.
type proof uint8

const (
	proofThere   proof = iota // nothing is lost, or something behind it proves it
	proofMissing              // the lost write is the last one
	proofWritten              // another was written behind it, not yet synced
)

// after is what becomes of it with an operation that succeeds.
func (p proof) after(op disk.Op) proof {
	switch {
	case p == proofMissing && op.Kind == disk.OpWrite && isLog(op):
		return proofWritten
	case p == proofWritten && op.Kind == disk.OpSync && isLog(op):
		return proofThere
	}
	return p
}

// refused notes an operation that failed.
func (n *Node) refused(op disk.Op, t *trouble) {
	n.disk.errors++
	if t.err == nil {
		n.w.count.add("disk lies " + op.Kind.String())
	} else {
		n.w.count.add("disk errors " + op.Kind.String())
	}
	if n.w.trace.verbose() {
		n.w.trace.line(n.w.now, whatFault, uint8(n.id), "%s: %v fails: %v", t.name, op, t.err)
	}
	if op.Kind == disk.OpSync && t.err != nil {
		if n.disk.poisoned == nil {
			n.disk.poisoned = map[string]bool{}
		}
		n.disk.poisoned[op.Name] = true
	}
}

// checkSync is S3: a file whose sync failed is never synced again by that
// process. The kernel holds its pages for clean, so the second sync succeeds
// and proves nothing (ATC'20).
func (n *Node) checkSync(op disk.Op) {
	if n.disk.poisoned[op.Name] {
		n.w.unsafe("S3 a failed sync is final", uint8(n.id), "%s is synced again after its sync has failed", op.Name)
	}
}

// wire connects the machine to its disk, after it was made or lost its process.
func (n *Node) wire() { n.fs.SetInjector(n.inject) }

// process forgets what the disk did to the last process; what is wrong with the
// disk stays.
func (d *diskState) process() {
	d.stop, d.hit, d.hang, d.hung = nil, false, false, false
	d.errors, d.poisoned, d.busy = 0, nil, 0
}

// lift ends a trouble.
func (n *Node) lift(t *trouble) {
	for i, o := range n.disk.troubles {
		if o == t {
			n.disk.troubles = append(n.disk.troubles[:i:i], n.disk.troubles[i+1:]...)
			return
		}
	}
}

// stuck tells whether this process waits for its disk for so long that somebody
// would end it.
func (n *Node) stuck() bool { return n.up && (n.disk.hung || n.disk.busy > n.w.now+second) }

// repairDisk ends all troubles, and all orders to stop.
func (n *Node) repairDisk() {
	n.disk.troubles, n.disk.full, n.disk.slow, n.disk.hang = nil, false, 0, false
	n.fs.SetSpace(-1)
	n.disarm()
}

// excused tells whether a process may give up with err: only for an error that
// its disk has given it.
func (n *Node) excused(err error) bool {
	return n.damaged || n.disk.errors > 0 || n.disk.full && errors.Is(err, disk.ErrNoSpace)
}

// gaveUp ends a process that says it can't go on, as a supervisor sees it: the
// machine lives, and the process is started again a little later.
func (n *Node) gaveUp(err error) {
	if n.disk.errors == 0 && !n.damaged && errors.Is(err, disk.ErrNoSpace) {
		// Room is made ahead of every write that can't be taken back (wal/doc.go).
		n.w.fail(Crashed, "S1 a full disk stops nobody", uint8(n.id), "%v", err)
	}
	if !n.excused(err) || errors.Is(err, replica.ErrForgotten) && n.old == oldNot && n.disk.unproven == proofThere {
		n.w.fail(Crashed, "S1 no member stops without a fault", uint8(n.id), "%v", err)
	}
	if errors.Is(err, replica.ErrForgotten) {
		n.w.count.add("members stopped for an old disk")
		n.w.trace.line(n.w.now, whatCrash, uint8(n.id), "stops: %v", err)
		n.kill()
		n.w.faults.tellClosed(n)
		n.giveUpOn()
		return
	}
	n.w.count.add("stops for a disk error")
	n.w.trace.line(n.w.now, whatCrash, uint8(n.id), "stops: %v", err)
	synced, super := len(n.disk.poisoned) > 0, n.disk.poisoned[path.Join(dataDir, "super")]
	n.kill()
	n.w.faults.tellClosed(n)
	if super && n.w.diskDraw.percent(70) {
		n.restartDoomed()
		return
	}
	n.w.faults.restartLater(n)
	if synced && n.w.diskDraw.percent(30) {
		n.w.count.add("power losses after a failed sync")
		n.powerLoss()
	}
}

// restartDoomed starts a process that finds in the page cache what super's failed
// sync didn't bring to the disk, and loses the power when it writes super itself:
// of the versions that are torn and those that are gone one must be left.
func (n *Node) restartDoomed() {
	life, reactions := n.life, n.w.reactions
	n.w.at(max(1, reactions.around(n.w.plan.OutageMean)), whatStart, uint8(n.id), func() {
		if n.life != life || n.up || n.removed || n.broken {
			return
		}
		n.outage, n.tears, n.cutShort = max(1, reactions.around(n.w.plan.OutageMean)), true, nil
		n.stopWhen(disk.FailOn(disk.OpSync, "super", pick(reactions, 1, 2, 2, 3, 4), disk.Times, disk.ErrStopped))
		n.start()
	})
}

// startFailed is for a process that did not come up.
func (n *Node) startFailed(err error) {
	if !n.excused(err) && !n.disk.hung {
		n.w.fail(Crashed, "S1 a member comes back from every crash", uint8(n.id), "start: %v", err)
	}
	n.w.count.add("starts refused by the disk")
	n.w.trace.line(n.w.now, whatCrash, uint8(n.id), "does not start: %v", err)
	final := n.damaged && n.disk.errors == 0
	n.stop()
	n.fs.Kill()
	n.wire()
	if final {
		n.w.countRefusal(err)
		n.giveUpOn()
		return
	}
	n.w.faults.restartLater(n)
}

func (t *trouble) String() string {
	times := fmt.Sprintf("%d times", t.left)
	if t.left > 1000 {
		times = "until lifted"
	}
	return fmt.Sprintf("%s: %v of %q after %d, %s: %v", t.name, t.kinds, t.part, t.skip, times, t.err)
}
