package sim

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/wal"
)

// spot is a place on a disk that can be damaged.
type spot struct {
	file      string
	off, size int64
}

const snapDir = dataDir + "/snap"

// spots lists the places of a class on a member's disk, oldest first. Of the log
// only what was proven to be durable counts: that a batch which nothing proves
// yet was lost can't be told from a torn write (log-format, step 6), so nobody
// promises to notice it.
func (n *Node) spots(class string) []spot {
	switch class {
	case "super":
		return n.superSpots()
	case "segment", "header", "table", "payload", "trailer", "mark", "open":
		return n.logSpots(class)
	default:
		return n.snapshotSpots(class)
	}
}

// superSpots are its four blocks.
func (n *Node) superSpots() []spot {
	name := path.Join(dataDir, "super")
	size, _ := n.fs.SizeOf(name) // 0: there is none
	var list []spot
	for off := int64(0); off < size; off += 4096 {
		list = append(list, spot{name, off, min(4096, size-off)})
	}
	return list
}

// proven is the log's files with the position up to which it was durable, or
// false if it can't be looked at. What the page cache holds proves nothing: the
// power may go next.
func (n *Node) proven() (*disk.Mem, wal.Report, bool) {
	fs := n.fs.Clone() // looking is no operation of the machine's
	fs.Kill()
	fs = fs.Crash(n.w.diskDraw.Rand, disk.CrashOptions{DropAll: true})
	report, err := wal.Verify(fs, dataDir)
	return fs, report, err == nil && report.OK()
}

func (n *Node) logSpots(class string) (list []spot) {
	fs, report, ok := n.proven()
	if !ok {
		return nil
	}
	seen := uint64(0)
	err := wal.Cat(fs, dataDir, func(r wal.BatchRow) error {
		end := wal.Pos{Seq: r.At.Seq, Block: r.At.Block + uint32(r.Bytes/4096)}
		if r.Gap || report.Proven.Before(end) {
			return nil
		}
		if class == "segment" && r.At.Seq != seen {
			list = append(list, spot{segmentFile(r.At.Seq), 0, 48})
		}
		seen = r.At.Seq
		if s, ok := batchSpot(class, &r); ok {
			list = append(list, s)
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return list
}

// batchSpot finds a class's place within one batch (wal/batch.go draws it).
func batchSpot(class string, r *wal.BatchRow) (spot, bool) {
	const headerBytes, rowBytes = 128, 28
	s := spot{file: segmentFile(r.At.Seq), off: r.At.Offset()}
	table := int64(len(r.Entries)) * rowBytes
	switch {
	case class == "header", class == "mark" && r.Kind == wal.KindMark, class == "open" && r.Kind == wal.KindOpen:
		s.size = headerBytes
	case class == "trailer":
		s.off, s.size = s.off+r.Bytes-headerBytes, headerBytes
	case class == "table" && table > 0:
		s.off, s.size = s.off+headerBytes, table+4
	case class == "payload" && table > 0:
		s.off += headerBytes + table + 4
		for _, e := range r.Entries {
			s.size += int64(e.Bytes)
		}
	}
	return s, s.size > 0
}

func segmentFile(seq uint64) string { return path.Join(dataDir, fmt.Sprintf("%016x.wal", seq)) }

// snapshotSpots are in the newest snapshot file, or in one that is unfinished.
func (n *Node) snapshotSpots(class string) []spot {
	name := n.newestSnapshot()
	if class == "temp" {
		name = n.unfinished()
	}
	size, err := n.fs.SizeOf(name)
	if err != nil || size == 0 {
		return nil
	}
	switch class {
	case "snapheader":
		return []spot{{name, 0, min(64, size)}}
	case "snapfooter":
		tail := min(64, size)
		return []spot{{name, size - tail, tail}}
	default:
		return []spot{{name, 0, size}}
	}
}

// names lists a directory as it is, without an operation.
func (n *Node) names(dir string) []string {
	list, err := n.fs.Clone().List(dir)
	if err != nil {
		return nil
	}
	return list
}

func (n *Node) newestSnapshot() string { return n.lastNamed(snapDir, ".snap") }

func (n *Node) unfinished() string {
	for _, suffix := range []string{".part", ".tmp"} {
		if name := n.lastNamed(snapDir, suffix); name != "" {
			return name
		}
	}
	return n.lastNamed(dataDir, ".spare")
}

func (n *Node) lastNamed(dir, suffix string) string {
	names := n.names(dir)
	slices.Reverse(names)
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			return path.Join(dir, name)
		}
	}
	return ""
}

// rot damages a spot: which byte of it is drawn with the disk's stream.
func (n *Node) rot(s spot, manner string) error {
	d := n.w.diskDraw
	at := s.off + d.between(0, s.size-1)
	size, err := n.fs.SizeOf(s.file)
	if err != nil {
		return err
	}
	sector := at / 512 * 512
	switch manner {
	case "bit":
		return n.fs.FlipBit(s.file, at*8+d.between(0, 7))
	case "zeros":
		return n.fs.Zero(s.file, sector, min(512, size-sector))
	case "garbage":
		return n.fs.Garbage(s.file, sector, min(512, size-sector), d.Rand)
	default:
		block := at / 4096 * 4096
		return n.fs.Zero(s.file, block, min(4096, size-block))
	}
}

// spoil notes that a disk doesn't hold what it was given. From now on the member
// counts as one that may stop for good.
func (n *Node) spoil() {
	n.damaged = true
	n.w.count.add("disks damaged")
}

// giveUpOn is for a member that says that its disk is damaged: it stays down,
// and its operators take it out of the cluster and set up another.
func (n *Node) giveUpOn() {
	n.w.count.add("members stopped for damage")
	n.broken, n.clientUp = true, false
	n.w.faults.replace(n)
}

// scrub starts a damaged member anew, so that it finds out what it has lost.
func (n *Node) scrub() {
	if n.up && n.damaged && !n.broken {
		n.kill()
	}
}
