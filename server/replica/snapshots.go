package replica

import (
	"errors"
	"slices"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// snapshots is what the core knows of this member's snapshot files.
//
// A snapshot goes through these steps, each after the one before is durable:
// the apply actor makes a view, a job writes the file (temporary, sync, rename,
// sync directory), and once this member's own log holds the snapshot's last
// entry durably, the log's start moves (super, then segments become spares).
type snapshots struct {
	// newest is durable and the log builds on it; index 0: the initial state.
	newest raft.SnapshotMeta
	bytes  int64 // of newest
	// rotten: newest can't be read any more. It isn't offered again, and another
	// one is written at once, be it of the same state.
	rotten bool
	// depended is the older snapshot that the log named when it was opened. It
	// is above newest only if that one and its successor were damaged.
	depended raft.Index
	writing  bool
	// ready is written but the log doesn't reach it yet.
	ready *writtenSnapshot
	// installed is a peer's that the state machine isn't known to have read yet.
	installed raft.EntryID
	// compacting: the log is moving its start.
	compacting bool
	// notBefore is the tick of the next try after the disk was full.
	notBefore uint64
	// held are those on their way to members.
	held []heldSnapshot
}

// heldSnapshot is a snapshot on its way to a member. The log that follows it
// stays until the member can go on from it; else, where it takes longer to send
// a snapshot than to write the next one, the member would need one for ever.
type heldSnapshot struct {
	to   raft.NodeID
	last raft.EntryID
	// until is the tick at which the member should have gone on; 0: under way.
	until uint64
	// compactions that it has held up: at heldCompactionsMax it no longer does,
	// so that a member that hangs can't fill the disk.
	compactions int
}

const heldCompactionsMax = 4

type writtenSnapshot struct {
	meta  raft.SnapshotMeta
	bytes int64
}

// maybeBegin starts a snapshot when the log has grown enough, and moves the
// log's start when one is ready.
func (s *snapshots) maybeBegin(c *Core, out *Output) {
	if s.ready != nil && s.ready.meta.Last.Index+1 < c.node.FirstIndex() {
		s.ready = nil // a peer's newer snapshot has replaced the log meanwhile
	}
	if s.ready != nil && !s.compacting && c.node.PersistedIndex() >= s.ready.meta.Last.Index {
		s.compacting = true
		ev := compactEvent{Meta: s.ready.meta, Oldest: s.newest, First: s.keepFrom(c)}
		if s.newest.Last.Index < s.depended || s.rotten {
			ev.Oldest = s.ready.meta // the only sound one
		}
		out.Events = append(out.Events, ev)
	}
	if s.writing || s.ready != nil || c.now < s.notBefore {
		return
	}
	if s.rotten && c.applied >= max(s.newest.Last.Index, s.depended) {
		s.writing = true
		out.Events = append(out.Events, snapshotEvent{})
		return
	}
	if c.applied <= max(s.newest.Last.Index, s.depended) {
		return
	}
	if int64(c.persist.stats.BytesSinceSnapshot) < max(c.cfg.SnapshotLogBytesMin, s.bytes/4) || !s.worthwhile(c) {
		return
	}
	s.writing = true
	out.Events = append(out.Events, snapshotEvent{})
}

// worthwhile: a snapshot now would stand for at least half of the log since the
// last one. At a start the log is there long before the state machine has read
// it: a snapshot then would cost as much and let next to nothing go.
func (s *snapshots) worthwhile(c *Core) bool {
	return c.node.PersistedIndex()+s.newest.Last.Index <= 2*c.applied
}

// keepFrom is the first entry to keep: everything above the older of the two
// snapshots that stay, so that recovery can fall back to it, and enough for
// followers that lag a little.
func (s *snapshots) keepFrom(c *Core) raft.Index {
	first := s.newest.Last.Index + 1 // becomes the older one
	last := s.ready.meta.Last.Index
	if keep := raft.Index(c.cfg.CatchUpEntries); last > keep {
		first = min(first, last-keep+1)
	} else {
		first = 1
	}
	s.held = slices.DeleteFunc(s.held, func(h heldSnapshot) bool { return h.until != 0 && h.until <= c.now })
	for i := range s.held {
		h := &s.held[i]
		if h.compactions++; h.compactions <= heldCompactionsMax {
			first = min(first, h.last.Index+1)
		}
	}
	return max(first, c.node.FirstIndex())
}

// snapshotRetryTicks is the pause after a snapshot for which there was no room.
func (c *Core) snapshotRetryTicks() uint64 { return uint64(5 * c.cfg.ElectionTicks) }

// snapshotWritten is called when the job that writes a snapshot has ended. A
// full disk is no reason to stop: the log goes on without a snapshot.
func (c *Core) snapshotWritten(meta raft.SnapshotMeta, bytes int64, err error, out *Output) {
	s := &c.snaps
	s.writing = false
	switch {
	case errors.Is(err, disk.ErrNoSpace):
		s.notBefore = c.now + c.snapshotRetryTicks()
	case err != nil:
		out.Fatal = err
	case meta.Last.Index > s.newest.Last.Index: // else a peer's overtook it
		s.ready = &writtenSnapshot{meta: meta, bytes: bytes}
	case meta.Last == s.newest.Last:
		s.bytes, s.rotten = bytes, false // in the place of the damaged file
	}
}

func (c *Core) compacted(ev compactedEvent) {
	s := &c.snaps
	s.compacting, c.persist.stats = false, ev.Stats
	if s.ready != nil && s.ready.meta.Last == ev.Meta.Last {
		s.newest, s.bytes, s.rotten = ev.Meta, s.ready.bytes, false
		s.ready = nil
	}
	c.node.Compact(ev.Meta, ev.First)
}

// restored: a peer's snapshot replaced the log and the state.
func (s *snapshots) restored(meta raft.SnapshotMeta) {
	s.newest, s.ready, s.installed, s.rotten = meta, nil, meta.Last, false
}

// loaded lets the snapshots before an installed one go once the state machine
// was restored from it: until then it may still have to read one of them that
// was installed just before.
func (s *snapshots) loaded(applied raft.Index, out *Output) {
	if s.installed.Index == 0 || applied < s.installed.Index {
		return
	}
	out.Events = append(out.Events, retireEvent{Last: s.installed})
	s.installed = raft.EntryID{}
}

// snapshotArrived hands a peer's complete snapshot to raft, which decides
// whether it is still of use.
func (c *Core) snapshotArrived(ev SnapshotArrivedEvent) {
	meta := ev.Meta
	c.node.Receive(raft.Message{
		Type: raft.InstallSnapshot, From: ev.From, To: c.cfg.Member, Term: ev.Term,
		Incarnation: ev.Incarnation, Snapshot: &meta,
	})
}

// send orders the newest snapshot to be streamed to a member.
func (s *snapshots) send(c *Core, to raft.NodeID, out *Output) {
	if s.newest.Last.Index == 0 || s.rotten {
		c.node.SnapshotSent(to, raft.EntryID{}, false) // none yet: raft probes again later
		return
	}
	s.held = append(s.held, heldSnapshot{to: to, last: s.newest.Last})
	out.Snapshots = append(out.Snapshots, SnapshotOrder{To: to, Term: c.node.Term(), Last: s.newest.Last})
}

// snapshotSent ends an order. A member that has got its snapshot is given two
// election timeouts to ask for what follows.
func (c *Core) snapshotSent(ev SnapshotSentEvent) {
	s := &c.snaps
	s.rotten = s.rotten || ev.Unreadable && ev.Last == s.newest.Last // else it was retired meanwhile
	i := slices.IndexFunc(s.held, func(h heldSnapshot) bool { return h.to == ev.To && h.last == ev.Last && h.until == 0 })
	switch {
	case i < 0:
	case ev.OK:
		s.held[i].until = c.now + uint64(2*c.cfg.ElectionTicks)
	default:
		s.held = slices.Delete(s.held, i, i+1)
	}
	c.node.SnapshotSent(ev.To, ev.Last, ev.OK)
}
