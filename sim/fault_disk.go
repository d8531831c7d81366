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
	t := &trouble{
		name: "disk error", err: disk.ErrIO,
		kinds:       troubleKinds[f.d.IntN(len(troubleKinds))],
		part:        pick(f.d, "", "", ".wal", "super", "snap"),
		skip:        f.d.IntN(6),
		left:        pick(f.d, 1, 1, 3, disk.Times),
		landPercent: f.d.between(0, 100),
	}
	f.trouble(n, t)
	if f.d.percent(30) {
		// Recovery meets it: most files are opened and listed only there.
		return f.killNode(n)
	}
	return true
}

var troubleKinds = [...][]disk.OpKind{
	{disk.OpRead}, {disk.OpWrite}, {disk.OpWrite, disk.OpSync}, {disk.OpOpen, disk.OpCreate}, {disk.OpRename},
	{disk.OpRemove}, {disk.OpList}, {disk.OpSyncDir}, {disk.OpAllocate, disk.OpTruncate}, {disk.OpRead, disk.OpOpen, disk.OpList},
}

// trouble begins one, for as long as a fault lasts.
func (f *faultPlanner) trouble(n *Node, t *trouble) {
	n.disk.troubles = append(n.disk.troubles, t)
	f.w.trace.line(f.w.now, whatFault, uint8(n.id), "%v", t)
	f.lasting(func() { n.lift(t) })
}

// syncError is fsyncgate: a sync fails, and the next one would succeed though
// the data is not there.
func (f *faultPlanner) syncError() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	f.trouble(n, &trouble{
		name: "failed sync", err: disk.ErrIO, kinds: []disk.OpKind{disk.OpSync},
		part: pick(f.d, "", ".wal", ".wal", "super", ".part", ".tmp"),
		skip: f.d.IntN(4), left: pick(f.d, 1, 1, 2),
	})
	return true
}

// diskFull leaves a machine a little room, or none; later there is some again.
func (f *faultPlanner) diskFull() bool {
	n := f.someNode()
	if n == nil || n.disk.full {
		return false
	}
	if f.d.percent(25) {
		// A file system that allocates at every write has no room for any.
		f.trouble(n, &trouble{
			name: "no space", err: disk.ErrNoSpace, kinds: []disk.OpKind{disk.OpWrite, disk.OpCreate, disk.OpAllocate},
			part: pick(f.d, "", ".new", "snap", ".wal"), skip: f.d.IntN(4), left: pick(f.d, 1, 3, disk.Times),
		})
		return true
	}
	n.disk.full = true
	n.fs.SetSpace(n.fs.Used() + f.d.between(0, 64<<10))
	f.lasting(func() { n.disk.full = false; n.fs.SetSpace(-1) })
	return true
}

// readOnly is what the kernel does to a file system that it no longer trusts.
func (f *faultPlanner) readOnly() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	f.trouble(n, &trouble{name: "read-only", err: errReadOnly, left: disk.Times})
	return true
}

// slowDisk makes every sync of one machine, or of all, take longer: from a
// millisecond to a minute.
func (f *faultPlanner) slowDisk() bool {
	n := f.someNode()
	if n == nil {
		return false
	}
	slow := f.d.between(1, 20) * pick(f.d, millisecond, 10*millisecond, 100*millisecond, 3*second)
	nodes := []*Node{n}
	if f.d.percent(15) {
		nodes = f.w.live()
	}
	for _, n := range nodes {
		n.disk.slow += slow
	}
	f.lasting(func() {
		for _, n := range nodes {
			n.disk.slow = max(0, n.disk.slow-slow)
		}
	})
	return true
}

// hungSync lets a sync of the log never return. Nobody but an operator can end
// that process.
func (f *faultPlanner) hungSync() bool {
	n := f.someNode()
	if n == nil || n.disk.hang || n.disk.hung {
		return false
	}
	n.disk.hang = true
	life := n.life
	f.lasting(func() {
		if n.life != life {
			return
		}
		n.disk.hang = false
		if n.disk.hung {
			f.killNode(n)
		}
	})
	return true
}
