package sim

import (
	"path"
	"slices"
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/wal"
)

// What disks can do silently: they lose or change what was durable. A member
// must find out and stop; it never goes on with less than it had.
var damageVerbs = []verb{
	{"rot", []param{pWho, pWord(false, rotClasses...), pHow("bit", "zeros", "garbage", "block"), pCount("pick")}, doRot,
		"one record of that class on the member's disk rots: a bit, a sector of zeros or garbage, a whole block"},
	{"misplace", []param{pWho, pPeer, pCount("pick")}, doMisplace,
		"a block of the second member's log lands on a block of the first one's (they may be the same): a write that went astray"},
	{"lose", []param{pWho, pWord(false, lostFiles...), pCount("pick")}, doLose, "a file of the member is gone"},
	{"shorten", []param{pWho, pWord(false, lostFiles...), pCount("pick")}, doShorten, "a file of the member loses its end"},
	{"curtail", []param{pWho, pCount("pick")}, doCurtail, "the newest segment of the member's log ends where one of its last batches begins"},
	{"losewrite", []param{pWho, pPart, pErrors}, doLoseWrite, "a write is acknowledged and synced, and the old content stays"},
	{"misread", []param{pWho, pPart, pErrors, pFor}, doMisread, "reads return what lies a block further on"},
	{"wipe", []param{pWho, pFor}, doWipe, "the member loses its disk and starts with an empty one under its old name"},
}

var (
	rotClasses = []string{"header", "table", "payload", "trailer", "mark", "open", "segment", "super", "snapheader", "snapbody", "snapfooter", "temp"}
	lostFiles  = []string{"segment", "super", "snapshot"}
)

// pHow is a word of its own.
func pHow(words ...string) param {
	return param{
		usage: strings.Join(words, "|"),
		format: func(b *strings.Builder, a *Action) {
			word(b, a.How)
		},
		parse: func(t *tokens, a *Action) error {
			if !slices.Contains(words, t.peek()) {
				return t.want(strings.Join(words, " or "))
			}
			a.How = t.next()
			return nil
		},
	}
}

// damageable finds the member whose disk a deed concerns.
func (w *World) damageable(a *Action) *Node {
	n := w.who(a.Who)
	if n == nil || n.removed || n.broken || n.life == 0 {
		return nil
	}
	return n
}

func doRot(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil {
		return false
	}
	spots := n.spots(a.Word)
	if len(spots) == 0 {
		return false
	}
	if n.rot(spots[a.Count%int64(len(spots))], a.How) != nil {
		return false
	}
	w.count.add("rot of " + a.Word)
	n.spoil()
	return true
}

func doMisplace(w *World, a *Action) bool {
	n, from := w.damageable(a), w.who(a.Peer)
	if n == nil || from == nil {
		return false
	}
	to, sources := n.logSpots("header"), from.logSpots("header")
	if len(to) < 2 || len(sources) < 2 {
		return false
	}
	target, source := to[a.Count%int64(len(to))], sources[(a.Count*7+1)%int64(len(sources))]
	block, err := from.fs.Peek(source.file, source.off, 4096)
	if err != nil || n.fs.Poke(target.file, target.off, block) != nil {
		return false
	}
	n.spoil()
	return true
}

// victim chooses a file whose loss can be noticed: of the log, one that super's
// floor or a link names.
func (n *Node) victim(class string, pick int64) (name string, keep int64) {
	switch class {
	case "super":
		name = path.Join(dataDir, "super")
	case "snapshot":
		name = n.newestSnapshot()
	default:
		return n.segmentVictim(pick)
	}
	size, err := n.fs.SizeOf(name)
	if err != nil {
		return "", 0
	}
	return name, size
}

// segmentVictim also tells the file's size.
func (n *Node) segmentVictim(pick int64) (name string, keep int64) {
	fs, report, ok := n.proven()
	if !ok {
		return "", 0
	}
	rows, err := wal.List(fs, dataDir)
	if err != nil {
		return "", 0
	}
	floor := report.Super.Floor.At
	type candidate struct {
		name string
		keep int64
	}
	var list []candidate
	newest := lastSegment(rows)
	for _, r := range rows {
		switch {
		case r.Role != "segment":
		case r.Name != newest:
			list = append(list, candidate{r.Name, r.Bytes})
		case segmentFile(floor.Seq) == path.Join(dataDir, r.Name) && floor.Block > 1:
			list = append(list, candidate{r.Name, r.Bytes})
		}
	}
	if len(list) == 0 {
		return "", 0
	}
	c := list[pick%int64(len(list))]
	return path.Join(dataDir, c.name), c.keep
}

func lastSegment(rows []wal.FileRow) (name string) {
	for _, r := range rows {
		if r.Role == "segment" {
			name = r.Name
		}
	}
	return name
}

func doLose(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil {
		return false
	}
	name, _ := n.victim(a.Word, a.Count)
	if name == "" || n.fs.Delete(name) != nil {
		return false
	}
	n.spoil()
	return true
}

func doShorten(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil {
		return false
	}
	name, keep := n.victim(a.Word, a.Count)
	if name == "" || keep == 0 || n.fs.Cut(name, w.diskDraw.between(0, keep-1)) != nil {
		return false
	}
	n.spoil()
	return true
}

// doCurtail: the segment's header tells that there was more.
func doCurtail(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil {
		return false
	}
	spots := n.logSpots("header")
	if len(spots) == 0 {
		return false
	}
	last := spots[len(spots)-1].file
	spots = slices.DeleteFunc(spots, func(s spot) bool { return s.file != last })
	at := spots[max(0, len(spots)-1-int(a.Count))]
	if n.fs.Cut(at.file, at.off) != nil {
		return false
	}
	n.spoil()
	return true
}

func doLoseWrite(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil {
		return false
	}
	n.spoil()
	n.disk.troubles = append(n.disk.troubles, &trouble{
		name: a.Verb, kinds: []disk.OpKind{disk.OpWrite}, part: a.Disk.Part, skip: int(a.Disk.After), left: 1, lost: true,
	})
	return true
}

func doMisread(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil {
		return false
	}
	t := &trouble{name: a.Verb, kinds: []disk.OpKind{disk.OpRead}, part: a.Disk.Part, skip: int(a.Disk.After), left: int(a.Disk.Times), shift: 4096}
	n.disk.troubles = append(n.disk.troubles, t)
	w.faults.lastFor(a.For, func() { n.lift(t) })
	return true
}

// wouldBeKnown tells whether the cluster could tell a member's next disk, empty,
// from the one that it has now. Nobody can once a quorum of those that it starts
// with is without memory: then they elect each other as on the first day. Who is
// without memory: a wiped member, and one whose log doesn't reach the entry that
// bound the wiped one's incarnation. The same must stay true of the disks that
// were lost before.
func (w *World) wouldBeKnown(n *Node) bool {
	for _, m := range w.nodes {
		if m != n && m.wiped == nil {
			continue
		}
		strange := func(o *Node) bool { return o == n || !o.knows(m.id) }
		if w.quorum(&m.initial, strange) || w.quorum(&w.oracle.config, strange) {
			return false
		}
	}
	return true
}

// knows tells whether a member's disk holds the incarnation that is bound to
// another one's name.
func (n *Node) knows(id raft.NodeID) bool {
	if m, ok := n.initial.Find(id); ok && m.Incarnation != 0 {
		return true
	}
	for _, c := range n.w.oracle.configs {
		if m, ok := c.config.Find(id); ok && m.Incarnation != 0 {
			return n.wiped == nil && n.shadow.holds(raft.EntryID{Index: c.index, Term: n.w.oracle.log[c.index-1].term})
		}
	}
	return false
}

// doWipe: enough others must know whom they have before them, or the empty disk
// could pass for the old one (DESIGN.md, "Identity").
func doWipe(w *World, a *Action) bool {
	n := w.damageable(a)
	if n == nil || !w.wouldBeKnown(n) {
		return false
	}
	n.kill()
	w.faults.tellClosed(n)
	n.fs = disk.NewMem()
	n.wire()
	if n.wiped == nil {
		held := n.shadow.clone()
		n.wiped = &held
	}
	n.shadow.init()
	n.spoil()
	n.wipes++
	w.count.add("disks wiped")
	n.clientUp = false
	w.faults.restartAfter(n, max(1, a.For))
	w.faults.replace(n)
	return true
}
