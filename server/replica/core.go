package replica

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/wal"
)

// Core is the first of the three actors: raft, the requests of clients until
// they are proposed, and linearizable reads.
//
// It gathers: Step only takes note of what comes, Flush turns all of it into
// at most a few entries, one read round and one write to the log. While the
// log syncs that write the next Steps gather the next one; group commit comes
// from this alone, without a timer.
type Core struct {
	cfg    Config
	node   *raft.Node
	origin state.RequestID // this member, incarnation and boot; Seq is the last one given out
	now    uint64          // ticks since start

	writes  writeQueue
	reads   readQueue
	asked   askedQueue
	moves   []*Request // leadership transfers under way
	snaps   snapshots
	persist persistence

	// applyCredit is how many bytes the apply actor still takes.
	applyCredit int
	applied     raft.Index
	// pendingFrom: no own request below it still waits (see pending).
	pendingFrom uint64

	// What raft said last, to notice changes.
	role     raft.Role
	leader   raft.NodeID
	term     raft.Term
	configAt raft.EntryID
	joining  []raft.NodeID // members that are to be made voters
	// leaderTick is when leader last changed.
	leaderTick uint64
	first      firstWait
	marks      markBook
}

// persistence is the core's view of the log actor.
type persistence struct {
	busy  bool           // a write is under way
	after []raft.Message // to send once it is durable
	due   bool           // policy "interval": the wait is over
	armed bool           // policy "interval": the timer runs
	stats wal.Stats
	low   bool // the log's reserve of disk space is half used up
}

// Step takes note of one event.
func (c *Core) Step(ev Event, out *Output) {
	switch ev := ev.(type) {
	case TickEvent:
		c.tick(out)
	case FrameEvent:
		c.frame(ev, out)
	case SubmitEvent:
		for _, r := range ev.Requests {
			c.submit(r)
		}
	case PersistedEvent:
		c.persisted(ev, out)
	case LoadedEvent:
		c.node.Loaded(ev.Loaded)
	case AppliedEvent:
		c.applyCredit += ev.Bytes
		c.applied = max(c.applied, ev.Index)
		c.pendingFrom = ev.PendingFrom
		c.node.Applied(ev.Index)
		c.snaps.loaded(ev.Index, out)
	case SnapshotArrivedEvent:
		c.snapshotArrived(ev)
	case SnapshotSentEvent:
		c.snapshotSent(ev)
	case PeerClosedEvent:
		c.node.PeerClosed(ev.Peer)
	case PeerUnreachableEvent:
		c.node.PeerUnreachable(ev.Peer)
	case PeerConnectedEvent:
		c.node.Announce(ev.Peer)
		c.reached(ev.Peer)
	case JobDoneEvent:
		ev.Job.Finish(ev.Err, out)
	case compactedEvent:
		c.compacted(ev)
	case lowEvent:
		c.persist.low = ev.Low
	case syncDueEvent:
		c.persist.due, c.persist.armed = true, false
	case retryEvent:
		c.writes.retry(ev, c.now)
	case proposeEvent:
		if c.node.Role() == raft.Leader && c.node.Term() == ev.Term {
			c.writes.internal = append(c.writes.internal, ev.Commands...)
		}
	default:
		panic("replica: event of another actor")
	}
}

// Flush acts on everything that was noted since the last Flush.
func (c *Core) Flush(out *Output) {
	c.noticeChange(out)
	c.flushWrites(out)
	c.flushReads(out)
	c.snaps.maybeBegin(c, out)
	c.takeOutput(out)
	// Raft's output can itself change role or leader (a single voter that has
	// just persisted its vote): what was held for a leader then goes out now.
	if c.noticeChange(out) {
		c.flushWrites(out)
		c.flushReads(out)
		c.takeOutput(out)
	}
	c.flushAsked(out)
	c.flushMarks(out)
}

func (c *Core) tick(out *Output) {
	c.now++
	c.bootCampaign()
	c.node.Tick()
	c.writes.resend()
	c.writes.expire(c)
	c.expireReconfigure()
	c.promoteJoined()
	c.reads.expire(c)
	c.asked.expire(c)
	c.checkMoves()
}

// noticeChange compares role, leader, term and configuration with what they
// were, and tells those that must know. It reports whether anything changed.
func (c *Core) noticeChange(out *Output) bool {
	role, leader, term := c.node.Role(), c.node.Leader(), c.node.Term()
	changed := role != c.role || leader != c.leader || term != c.term
	if changed {
		led := c.role == raft.Leader
		if role == raft.Leader && (!led || term != c.term) {
			out.Events = append(out.Events, leadEvent{Term: term})
		} else if led && role != raft.Leader {
			out.Events = append(out.Events, leadEvent{})
		}
		if leader != c.leader || term != c.term {
			c.first.over = c.first.over || leader != 0
			c.leaderTick = c.now
		}
		c.role, c.leader, c.term = role, leader, term
		c.checkMoves()
	}
	if at := c.node.ConfigAt(); at != c.configAt {
		c.configAt = at
		config := c.node.Status().Config.Config
		out.Peers, c.joining = &config, joiningOf(&config)
	}
	return changed
}

// takeOutput hands raft's work on, as far as there is credit for it.
func (c *Core) takeOutput(out *Output) {
	for {
		credit := raft.Credit{Persist: c.persistCredit(out), ApplyBytes: c.applyCredit}
		if !c.node.HasReady(credit) {
			return
		}
		o := c.node.Output(credit)
		c.send(o.Send, out)
		if o.Restore != nil {
			c.applied = o.Restore.Last.Index
			out.Events = append(out.Events, restoreEvent{Meta: *o.Restore})
			c.snaps.restored(*o.Restore)
		}
		if len(o.Apply) > 0 {
			bytes := applyBytes(o.Apply)
			c.applyCredit -= bytes
			out.Events = append(out.Events, applyEvent{Entries: o.Apply, Bytes: bytes})
		}
		for _, l := range o.Load {
			out.Events = append(out.Events, loadEvent{Request: l})
		}
		for _, r := range o.Reads {
			c.readReady(r, out)
		}
		for _, to := range o.SendSnapshot {
			c.snaps.send(c, to, out)
		}
		if o.Persist != nil {
			c.persist.busy, c.persist.due, c.persist.after = true, false, o.Persist.After
			out.Events = append(out.Events, persistEvent{Persist: o.Persist})
		}
		if o.Fenced != nil {
			c.fenced(o.Fenced, out)
		}
		out.Trace = append(out.Trace, o.Events...)
	}
}

// persisted: the write under way is durable, and what rests on it may leave.
func (c *Core) persisted(ev PersistedEvent, out *Output) {
	c.persist.busy, c.persist.stats = false, ev.Stats
	c.persist.low = c.persist.low || ev.Stats.Low
	c.send(c.persist.after, out)
	c.persist.after = nil
	c.node.Persisted(ev.Write)
}

// persistCredit reports whether the log takes a write now. Under the policy
// "interval" the first write after an idle time arms a timer, and all that
// gathers until it runs down goes in one sync.
func (c *Core) persistCredit(out *Output) bool {
	if c.persist.busy {
		return false
	}
	if c.cfg.Sync.Mode != wal.SyncInterval || c.persist.due {
		return true
	}
	if !c.persist.armed && c.node.HasReady(raft.Credit{Persist: true}) {
		c.persist.armed = true
		out.Timers = append(out.Timers, Timer{Micros: c.cfg.Sync.Interval.Microseconds(), Event: syncDueEvent{}})
	}
	return false
}

// entryOverheadBytes is charged for an entry besides its payload, so that
// empty entries use credit too.
const entryOverheadBytes = 64

func applyBytes(entries []raft.Entry) int {
	n := 0
	for i := range entries {
		n += len(entries[i].Data) + entryOverheadBytes
	}
	return n
}

// Status describes raft, for people and metrics. Only the core's goroutine may
// call it.
func (c *Core) Status() raft.Status { return c.node.Status() }
