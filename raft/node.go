package raft

import (
	"errors"
	"fmt"
)

// Node is one member's protocol state. Its methods are inputs; what follows
// from them is collected and fetched with Output. All are synchronous, none
// blocks, none is safe for concurrent use.
//
// Invariants (CheckState, CheckStep):
//  1. term never falls; vote changes at most once a term, from 0 (R2).
//  2. Nothing that rests on term, vote or log leaves before it is durable.
//  3. handed ≤ commit ≤ last; all three never fall, but last on truncation.
//  4. lead is set iff role is Leader; ballot iff a candidate of either kind.
type Node struct {
	cfg  Config
	role Role
	term Term
	vote NodeID
	// leader of this term, 0 if unknown. Setting it goes through follow.
	leader NodeID

	log     entryLog
	configs configStack
	writer  writer
	applier applier
	reads   reads

	lead      *leadership // Leader only
	ballot    ballot      // PreCandidate and Candidate only
	heard     []binding   // first incarnations of members that are not bound
	life      Life
	marks     marks
	announced bool
	fence     *FenceNotice // set: this member has forgotten, and is out

	electionElapsed int // ticks since the timer was reset
	electionTimeout int // campaign when it gets here

	received Message // the message in hand; here so that it isn't allocated
	out      Output
}

// New starts a member from what it found on its disk, as a follower. It fails
// if the configuration is out of bounds or the disk's word contradicts itself.
func New(cfg Config, boot Boot) (*Node, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if boot.First == 0 && boot.Last == 0 {
		boot.Prev = boot.Snapshot.Last
		boot.First, boot.Last = boot.Prev.Index+1, boot.Prev.Index
	}
	if err := boot.check(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, term: boot.HardState.Term, vote: boot.HardState.Vote}
	if cfg.Nonce != 0 {
		n.life = Life{Boot: cfg.Boot, Nonce: cfg.Nonce, Term: boot.HardState.Term, Last: boot.Last}
	}
	n.marks.load(boot.Peers, cfg.ID)
	n.log.load(boot)
	n.configs.load(boot)
	n.writer.start(boot.HardState, boot.Last)
	n.applier = applier{handed: boot.Snapshot.Last.Index, applied: boot.Snapshot.Last.Index}
	n.settle()
	n.resetElectionTimer()
	n.event(EventBecameFollower, ReasonStarted, 0, 0)
	return n, nil
}

func (c *Config) check() error {
	switch {
	case c.ID == 0 || c.Incarnation == 0:
		return errors.New("raft: Config.ID and Incarnation must not be 0")
	case c.Rand == nil:
		return errors.New("raft: Config.Rand is missing")
	case c.HeartbeatTicks < 1 || c.ElectionTicks <= c.HeartbeatTicks:
		return fmt.Errorf("raft: need 0 < HeartbeatTicks (%d) < ElectionTicks (%d)", c.HeartbeatTicks, c.ElectionTicks)
	case c.PeerClosedTicks < 0:
		return errors.New("raft: Config.PeerClosedTicks is negative")
	case min(c.MessageEntriesMax, c.MessageBytesMax, c.InflightMessagesMax, c.InflightBytesMax,
		c.UncommittedBytesMax, c.TailBytesMax, c.TailEntriesMax) <= 0:
		return errors.New("raft: all limits in Config must be positive")
	}
	return nil
}

// check verifies what the disk says before anything rests on it.
func (b *Boot) check() error {
	switch {
	case b.First != b.Prev.Index+1 || b.Last+1 < b.First:
		return fmt.Errorf("raft: boot log [%d, %d] after %s", b.First, b.Last, b.Prev)
	case b.Prev.Index > b.Snapshot.Last.Index || b.Last < b.Snapshot.Last.Index:
		return fmt.Errorf("raft: boot log (%s, %d] does not reach snapshot %s", b.Prev, b.Last, b.Snapshot.Last)
	case b.HardState.Commit > b.Last:
		return fmt.Errorf("raft: boot commit %d above the last entry %d", b.HardState.Commit, b.Last)
	}
	if err := b.Snapshot.Check(); err != nil {
		return err
	}
	return b.checkTerms()
}

func (b *Boot) checkTerms() error {
	if (len(b.Terms) == 0) != (b.Last < b.First) || len(b.Terms) > 0 && b.Terms[0].Index != b.First {
		return fmt.Errorf("raft: boot terms %v for the log [%d, %d]", b.Terms, b.First, b.Last)
	}
	before := b.Prev
	for i, id := range b.Terms {
		if id.Index > b.Last || id.Index <= before.Index || id.Term < before.Term || i > 0 && id.Term == before.Term {
			return fmt.Errorf("raft: boot terms %v are not in order", b.Terms)
		}
		before = id
	}
	if before.Term > b.HardState.Term {
		return fmt.Errorf("raft: boot log of term %d, hard state of term %d", before.Term, b.HardState.Term)
	}
	return b.checkTail()
}

func (b *Boot) checkTail() error {
	var t termTable
	t.load(*b)
	for k, e := range b.Tail {
		if e.Index != b.Last-Index(len(b.Tail)-1-k) || !t.holds(e.ID()) {
			return fmt.Errorf("raft: boot tail has %s at %d of %d", e.ID(), k, len(b.Tail))
		}
	}
	if !t.holds(b.Snapshot.Last) {
		return fmt.Errorf("raft: boot log does not hold the snapshot's %s", b.Snapshot.Last)
	}
	for _, c := range b.Configs {
		if !t.holds(c.At) {
			return fmt.Errorf("raft: boot log does not hold the configuration at %s", c.At)
		}
		if err := c.Config.Check(); err != nil {
			return err
		}
	}
	return nil
}

func (t *termTable) load(b Boot) {
	*t = termTable{prev: b.Prev, last: b.Last, runs: append([]EntryID(nil), b.Terms...)}
}

func (l *entryLog) load(b Boot) {
	l.terms.load(b)
	l.tail.reset(b.Last + 1)
	l.tail.entries = append(l.tail.entries, b.Tail...)
	l.tail.settled = min(l.tail.first()-1, b.Snapshot.Last.Index)
	l.commit = max(b.HardState.Commit, b.Snapshot.Last.Index)
}

// Tick tells that one tick of time has passed.
func (n *Node) Tick() {
	if n.fence != nil {
		return
	}
	if !n.announced {
		n.announced = true
		n.Announce(0)
	}
	n.electionElapsed++
	n.tickReads()
	n.tickCommit()
	if n.role == Leader {
		n.tickLeader()
		return
	}
	if n.electionElapsed >= n.electionTimeout {
		n.electionTimedOut()
	}
}

// resetElectionTimer draws a fresh timeout (Raft §5.2, thesis §3.4).
func (n *Node) resetElectionTimer() {
	n.electionElapsed = 0
	n.electionTimeout = n.cfg.ElectionTicks + n.cfg.Rand.IntN(n.cfg.ElectionTicks)
}

// becomeFollower joins term, which is this one or a later one, under leader (0:
// not known yet).
func (n *Node) becomeFollower(term Term, leader NodeID, why Reason, from NodeID) {
	was := n.role
	n.leaveRole()
	if term > n.term {
		n.term, n.vote = term, 0
		n.writer.dropUnsent()
		n.event(EventTermAdvanced, why, from, 0)
	}
	n.role = Follower
	n.follow(leader)
	n.resetElectionTimer()
	if was != Follower || leader != 0 {
		n.event(EventBecameFollower, why, leader, 0)
	}
}

// leaveRole takes apart what only the present role has.
func (n *Node) leaveRole() {
	n.ballot = ballot{}
	if n.role == Leader {
		n.failLeaderReads()
		if n.lead.transferee != 0 {
			n.abortTransfer(ReasonLeaderChanged)
		}
		n.lead = nil
	}
}

// follow notes who leads this term. Questions to another leader are answered
// with an error, since that one's answer would no longer count.
func (n *Node) follow(leader NodeID) {
	if n.leader == leader {
		return
	}
	if n.leader != 0 {
		n.event(EventLeaderLost, ReasonNone, n.leader, 0)
	}
	n.leader = leader
	n.failAskedReads(ErrLeaderChanged)
}

// advanceCommit notes that entries up to i are committed.
func (n *Node) advanceCommit(i Index) {
	if i <= n.log.commit {
		return
	}
	if i > n.log.last() {
		panic(fmt.Sprintf("raft: commit %d above the last entry %d", i, n.log.last()))
	}
	before := n.log.commit
	n.log.commit = i
	n.configsCommitted(before)
}

// Output returns what the driver must do now, and forgets it. What is not
// covered by credit stays for a later call.
//
// Replication, read rounds and writes are put together here and not in the
// inputs, so whatever came in since the last Output travels together: a
// hundred proposals are one message a follower and one write.
func (n *Node) Output(c Credit) Output {
	n.askReads()
	if n.role == Leader {
		n.startReadRound()
		n.replicate()
	}
	if c.Persist {
		n.out.Persist = n.takePersist()
	}
	n.out.Restore = n.takeRestore()
	if c.ApplyBytes > 0 {
		n.out.Apply = n.takeApply(c.ApplyBytes)
	}
	out := n.out
	n.out = Output{}
	return out
}

// HasReady reports whether Output(c) would return anything.
func (n *Node) HasReady(c Credit) bool {
	o := &n.out
	return len(o.Send) > 0 || o.Fenced != nil || len(o.Reads) > 0 || len(o.Load) > 0 || len(o.SendSnapshot) > 0 || len(o.Events) > 0 ||
		n.readsWaiting() || n.role == Leader && n.lead.dirty ||
		c.Persist && n.needsPersist() ||
		n.applier.restoreReady() ||
		c.ApplyBytes > 0 && n.canApply()
}

// send hands a message out now. Whoever calls it knows that the message rests
// on durable state; else see sendDurable.
func (n *Node) send(m Message) {
	n.out.Send = append(n.out.Send, n.stamp(m))
}

func (n *Node) stamp(m Message) Message {
	m.From, m.Incarnation, m.Life = n.cfg.ID, n.cfg.Incarnation, n.life
	if m.Term == 0 {
		m.Term = n.term
	}
	return m
}
