package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// What can be done to disks that still hold what they were told.
var diskVerbs = []verb{
	{"diskerror", []param{pWho, pOps, pPart, pErrors, pFor}, doTrouble("disk error", disk.ErrIO, nil), "these operations of its disk fail with an I/O error"},
	{"fsyncfail", []param{pWho, pPart, pErrors, pFor}, doTrouble("failed sync", disk.ErrIO, []disk.OpKind{disk.OpSync}),
		"syncs fail; once is meant if nothing else is said"},
	{"nospace", []param{pWho, pPart, pErrors, pFor},
		doTrouble("no space", disk.ErrNoSpace, []disk.OpKind{disk.OpWrite, disk.OpCreate, disk.OpAllocate}), "writes fail for want of room, though there may be some"},
	{"diskfull", []param{pWho, pCount("room"), pFor}, doDiskFull, "its disk has so many bytes left, or none"},
	{"readonly", []param{pWho, pFor}, doTrouble("read-only", errReadOnly, nil), "its file system takes no change any more"},
	{"slowdisk", []param{pWho, pMicros, pFor}, doSlowDisk, "each sync of its log takes so much longer"},
	{"hangsync", []param{pWho, pFor}, doHangSync, "the next sync of its log does not return; after the duration somebody ends the process"},
}

// doTrouble makes a disk return errors.
func doTrouble(name string, err error, kinds []disk.OpKind) func(*World, *Action) bool {
	return func(w *World, a *Action) bool {
		n := w.who(a.Who)
		if n == nil || n.removed {
			return false
		}
		t := &trouble{name: name, err: err, kinds: kinds, part: a.Disk.Part, skip: int(a.Disk.After), left: int(a.Disk.Times), landPercent: a.Disk.Landing}
		switch {
		case a.Verb == "diskerror":
			t.kinds = a.Disk.Kinds
		case a.Verb == "fsyncfail" && t.left == 0:
			t.left = 1
		}
		if t.left == 0 {
			t.left = disk.Times
		}
		n.disk.troubles = append(n.disk.troubles, t)
		w.faults.lastFor(a.For, func() { n.lift(t) })
		return true
	}
}

func doDiskFull(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || n.disk.full || n.removed {
		return false
	}
	n.disk.full = true
	n.fs.SetSpace(n.fs.Used() + a.Count)
	w.faults.lastFor(a.For, func() { n.disk.full = false; n.fs.SetSpace(-1) })
	return true
}

func doSlowDisk(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil {
		return false
	}
	n.disk.slow += a.Micros
	w.faults.lastFor(a.For, func() { n.disk.slow = max(0, n.disk.slow-a.Micros) })
	return true
}

func doHangSync(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.up || n.disk.hang || n.disk.hung {
		return false
	}
	n.disk.hang = true
	life := n.life
	w.faults.lastFor(a.For, func() {
		if n.life != life {
			return
		}
		n.disk.hang = false
		if n.disk.hung {
			n.kill()
			w.faults.tellClosed(n)
			w.faults.restartLater(n)
		}
	})
	return true
}

// pOps are the kinds of operations, "read,sync"; none: all that change the disk.
var pOps = param{
	usage: "[OPERATION,…]",
	format: func(b *strings.Builder, a *Action) {
		names := make([]string, len(a.Disk.Kinds))
		for i, k := range a.Disk.Kinds {
			names[i] = k.String()
		}
		if len(names) > 0 {
			word(b, strings.Join(names, ","))
		}
	},
	parse: func(t *tokens, a *Action) error {
		if t.done() || isOneOf(t.peek(), "in", "after", "times", "landing", "for") {
			return nil
		}
		for _, name := range strings.Split(t.peek(), ",") {
			k, ok := parseOp(name)
			if !ok {
				return t.want("operations of a disk (read,write,sync,open,create,…)")
			}
			a.Disk.Kinds = append(a.Disk.Kinds, k)
		}
		t.next()
		return nil
	},
}

func parseOp(name string) (disk.OpKind, bool) {
	for k := disk.OpCreate; k <= disk.OpSync; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

func isOneOf(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}

// pPart is a part of the names that are meant.
var pPart = param{
	usage: "[in PART-OF-A-NAME]",
	format: func(b *strings.Builder, a *Action) {
		if a.Disk.Part != "" {
			word(b, "in")
			word(b, a.Disk.Part)
		}
	},
	parse: func(t *tokens, a *Action) error {
		if !t.take("in") {
			return nil
		}
		if t.done() || t.peek() == "|" {
			return t.want("a part of a file's name (.wal, super, snap)")
		}
		a.Disk.Part = t.next()
		return nil
	},
}

// pErrors counts the operations that are meant.
var pErrors = param{
	usage: "[after N] [times N] [landing PERCENT]",
	format: func(b *strings.Builder, a *Action) {
		for _, o := range a.Disk.options() {
			if *o.value != 0 {
				word(b, o.name)
				word(b, decimal(*o.value, 1))
			}
		}
	},
	parse: func(t *tokens, a *Action) (err error) {
		for _, o := range a.Disk.options() {
			if t.take(o.name) {
				if *o.value, err = t.number(); err != nil {
					return err
				}
			}
		}
		if a.Disk.Landing > 100 {
			return t.fail("no more than 100 percent of a write can land")
		}
		return nil
	},
}

type errorOption struct {
	name  string
	value *int64
}

func (d *DiskErrors) options() [3]errorOption {
	return [3]errorOption{{"after", &d.After}, {"times", &d.Times}, {"landing", &d.Landing}}
}
