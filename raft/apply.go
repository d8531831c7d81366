package raft

import "fmt"

// applier hands committed entries out, each once, in order, and replaces the
// state machine when a snapshot was installed.
//
// Invariants:
//  1. applied ≤ handed ≤ commit.
//  2. While restore is set nothing is handed out: the entries before it are
//     gone, those after it need it.
type applier struct {
	handed  Index // last index handed out
	applied Index // last index confirmed

	asked  LoadRequest // outstanding for older entries; zero: none
	loaded []Entry     // the answer, from handed+1 on

	restore *SnapshotMeta // installed in memory
	durable bool          // … and on disk
}

func (a *applier) restoreReady() bool { return a.restore != nil && a.durable }

// install makes the state machine wait for the snapshot.
func (a *applier) install(meta SnapshotMeta) {
	a.restore, a.durable = &meta, false
	a.asked, a.loaded = LoadRequest{}, nil
}

// resetDurable notes that the reset to meta is on disk. An older one that was
// overtaken by another install is not restored.
func (a *applier) resetDurable(meta SnapshotMeta) {
	if a.restore != nil && a.restore.Last == meta.Last {
		a.durable = true
	}
}

func (n *Node) takeRestore() *SnapshotMeta {
	a := &n.applier
	if !a.restoreReady() {
		return nil
	}
	meta := a.restore
	a.handed, a.restore = meta.Last.Index, nil
	return meta
}

// canApply reports whether takeApply would do something.
func (n *Node) canApply() bool {
	a := &n.applier
	return a.restore == nil && a.handed < n.log.commit && a.asked == LoadRequest{}
}

// takeApply returns the next committed entries within bytesMax. An entry may
// be among them that is not durable here: a quorum has it.
func (n *Node) takeApply(bytesMax int) []Entry {
	if !n.canApply() {
		return nil
	}
	a, from := &n.applier, n.applier.handed+1
	var es []Entry
	switch {
	case len(a.loaded) > 0:
		es = prefix(a.loaded, len(a.loaded), bytesMax)
		a.loaded = a.loaded[len(es):]
	case from >= n.log.tail.first():
		es = n.log.tail.upTo(from, n.log.commit, int(n.log.commit-a.handed), bytesMax)
	default:
		a.asked = LoadRequest{From: from, To: min(n.log.commit, n.log.tail.first()-1), BytesMax: bytesMax}
		n.out.Load = append(n.out.Load, a.asked)
		return nil
	}
	a.handed += Index(len(es))
	return es
}

// loadedForApply takes the answer to asked; any other is out of date.
func (n *Node) loadedForApply(l Loaded) {
	a := &n.applier
	if a.asked != l.Request || a.asked == (LoadRequest{}) {
		return
	}
	a.asked = LoadRequest{}
	if l.Compacted {
		panic(fmt.Sprintf("raft: log compacted to above %d, which is not applied", l.Request.From))
	}
	if len(l.Entries) > int(l.Request.To-l.Request.From)+1 || !n.log.matches(l.Request.From, l.Entries) {
		panic(fmt.Sprintf("raft: asked for [%d, %d], loaded %s", l.Request.From, l.Request.To, entryRange(l.Entries)))
	}
	a.loaded = l.Entries
}

// Applied tells that the state machine has applied up to i: at most what was
// handed out, restored snapshots included. Lower than before is ignored.
func (n *Node) Applied(i Index) {
	a := &n.applier
	if i > a.handed {
		panic(fmt.Sprintf("raft: applied %d, handed out %d", i, a.handed))
	}
	a.applied = max(a.applied, i)
	n.settle()
}

// Loaded answers a LoadRequest of Output.Load. Entries must begin at From; they
// may be fewer than asked for.
func (n *Node) Loaded(l Loaded) {
	if l.Request.Member == 0 {
		n.loadedForApply(l)
		return
	}
	if n.role == Leader {
		n.loadedForPeer(l)
	}
}

// Compact tells that a durable snapshot exists and that the log now starts at
// first, which is at most the index after the snapshot's. The snapshot must not
// reach past what this member has applied and has made durable itself.
func (n *Node) Compact(meta SnapshotMeta, first Index) {
	if n.applier.restore != nil || n.writer.reset != nil || first <= n.log.first() {
		return // the log was replaced since and starts later
	}
	if i := min(n.applier.applied, n.writer.persisted); first > meta.Last.Index+1 || meta.Last.Index > i {
		panic(fmt.Sprintf("raft: compact to %d with a snapshot up to %s; applied and durable up to %d", first, meta.Last, i))
	}
	n.log.compact(first)
	n.configs.compact(first - 1)
}
