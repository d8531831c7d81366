package sim

import "github.com/holdfast-db/holdfast/internal/disk"

// Faults of disks that tell of an error, or take their time. What they hold
// stays right.

// diskError lets a few operations of one machine's disk fail, or all of some
// kind for a while.
func (f *faultPlanner) diskError() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	a := Action{Verb: "diskerror", Who: is(n.id), For: f.outage(), Disk: DiskErrors{
		Kinds:   troubleKinds[f.d.IntN(len(troubleKinds))],
		Part:    pick(f.d, "", "", ".wal", "super", "snap"),
		After:   f.d.Int64N(6),
		Times:   pick[int64](f.d, 1, 1, 3, 0),
		Landing: f.d.between(0, 100),
	}}
	if f.w.perform(a); f.d.percent(30) {
		// Recovery meets it: most files are opened and listed only there.
		return f.killNode(n)
	}
	return true
}

var troubleKinds = [...][]disk.OpKind{
	{disk.OpRead}, {disk.OpWrite}, {disk.OpWrite, disk.OpSync}, {disk.OpOpen, disk.OpCreate}, {disk.OpRename},
	{disk.OpRemove}, {disk.OpList}, {disk.OpSyncDir}, {disk.OpAllocate, disk.OpTruncate}, {disk.OpRead, disk.OpOpen, disk.OpList},
}

// syncError is fsyncgate: a sync fails, and the next one would succeed though
// the data is not there.
func (f *faultPlanner) syncError() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	return f.w.perform(Action{Verb: "fsyncfail", Who: is(n.id), For: f.outage(), Disk: DiskErrors{
		Part:  pick(f.d, "", ".wal", ".wal", "super", "super", ".part", ".tmp"),
		After: f.d.Int64N(4), Times: pick[int64](f.d, 1, 1, 2),
	}})
}

// diskFull leaves a machine a little room, or none; later there is some again.
func (f *faultPlanner) diskFull() bool {
	n := f.someNode()
	if n == nil || n.disk.full {
		return false
	}
	if f.d.percent(25) {
		// A file system that allocates at every write has no room for any.
		return f.w.perform(Action{Verb: "nospace", Who: is(n.id), For: f.outage(), Disk: DiskErrors{
			Part:  pick(f.d, "", ".new", "snap", ".wal"),
			After: f.d.Int64N(4), Times: pick[int64](f.d, 1, 3, 0),
		}})
	}
	// The leader's is where the others commit what it can't write down itself.
	if l := f.w.leader(); l != nil && !l.disk.full && f.d.percent(30) {
		n = l
	}
	return f.w.perform(Action{Verb: "diskfull", Who: is(n.id), Count: f.d.between(0, pick[int64](f.d, 0, 8<<10, 64<<10)), For: 2 * f.outage()})
}

// readOnly is what the kernel does to a file system that it no longer trusts.
func (f *faultPlanner) readOnly() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{Verb: "readonly", Who: is(n.id), For: f.outage()})
}

// slowDisk makes every sync of one machine, or of all, take longer: from a
// millisecond to a minute.
func (f *faultPlanner) slowDisk() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	if l := f.w.leader(); l != nil && f.d.percent(30) {
		n = l // the others may commit what its own disk doesn't have yet
	}
	slow := f.d.between(1, 20) * pick(f.d, millisecond, 10*millisecond, 100*millisecond, 3*second)
	nodes := []*Node{n}
	if f.d.percent(15) {
		nodes = f.w.live()
	}
	a := Action{Verb: "slowdisk", Micros: slow, For: f.outage()}
	for _, n := range nodes {
		a.Who = is(n.id)
		f.w.perform(a)
	}
	return true
}

// hungSync lets a sync of the log never return. Nobody but an operator can end
// that process.
func (f *faultPlanner) hungSync() bool {
	n := f.someNode()
	return n != nil && f.w.perform(Action{Verb: "hangsync", Who: is(n.id), For: f.outage()})
}
