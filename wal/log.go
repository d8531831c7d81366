package wal

import (
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Log is an open log. All methods are for one goroutine; none waits for
// anything but the disk. Work that takes long is handed out as jobs.
//
// Invariants:
//  1. segments is not empty; its last one is written to, at block.
//  2. What Append has acknowledged lies before floor.At, except under SyncNone.
//  3. super, as written, is never ahead of floor.
//  4. Once failed is set nothing is written any more.
type Log struct {
	o     Options
	maker maker
	lock  io.Closer

	state    state
	segments []segment
	block    uint32
	chain    uint32
	// link is what the current segment's open links to.
	link Pos
	// floor is the last synced position and the log there.
	floor Floor
	// marked is the position that the last mark on disk proves to be synced.
	marked Pos
	enc    encoder
	// head is the memory that batches are read into.
	head []byte

	super     super // as last written, with what is to be written next
	superFile disk.File
	peers     []PeerMark

	// ready is the next segment, prepared ahead; spares are names of files to
	// make segments from; retired are numbers of segments that no one needs.
	ready   *segment
	spares  []string
	retired []uint64
	seqMax  uint64

	due     struct{ super, prepare bool }
	running struct{ super, prepare, recycle bool }
	full    bool
	failed  error
	closed  bool
	stats   Stats
}

// usable gates every method.
func (l *Log) usable() error {
	if l.closed {
		return ErrClosed
	}
	return l.failed
}

// fail poisons the log: what the files hold is unknown from here on.
func (l *Log) fail(err error) error {
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return l.failed
}

// Append writes one group commit as one batch, with one write and one sync; a new
// term or vote takes a second of each (witness). When it returns nil, all of p is durable (SyncNone: only term and vote).
// A change of the commit index alone is not written; it rides in the next batch.
// The entries' data must come to less than 512 MiB: recovery takes a larger
// batch for a damaged one.
//
// Errors: ErrFailed, after which the process must end; ErrNoSpace, after which
// nothing was written and the call may be repeated.
func (l *Log) Append(p *raft.Persist) error {
	if err := l.usable(); err != nil {
		return err
	}
	b := l.plan(p)
	if b == nil {
		l.state.hard = p.HardState
		return nil
	}
	promise := l.promises(p)
	if err := l.write(b); err != nil || !promise {
		return err
	}
	return l.witness()
}

// promises reports whether a request brings a new term or vote.
func (l *Log) promises(p *raft.Persist) bool {
	return p.HardState.Term != l.state.hard.Term || p.HardState.Vote != l.state.hard.Vote
}

// witness writes a new term or vote a second time before anybody hears of it, as
// the mark that proves the first. So no single write that the disk acknowledges
// and loses makes a member vote twice: of entries the others have copies, of a
// vote nobody. Without room for it the one copy will do.
func (l *Log) witness() error {
	err := l.Idle()
	if errors.Is(err, ErrNoSpace) && !errors.Is(err, ErrFailed) {
		return nil
	}
	return err
}

// plan decides what a persistence request means; nil if it needs no batch.
func (l *Log) plan(p *raft.Persist) *batch {
	b := &batch{kind: KindMark, prev: l.state.last, hard: p.HardState, entries: p.Entries}
	b.mustSync = p.Reset != nil || l.promises(p)
	switch {
	case p.Reset != nil:
		b.kind, b.prev, b.config = KindReset, p.Reset.Last, &p.Reset.Config
	case p.Truncate != 0 && p.Truncate <= l.state.last.Index:
		b.kind, b.prev = KindTruncate, l.idAt(p.Truncate-1)
	case len(p.Entries) > 0:
		b.kind = KindAppend
	case !b.mustSync:
		return nil
	}
	b.check()
	return b
}

// check asserts what raft promises about a request.
func (b *batch) check() {
	prev, bytes := b.prev, 0
	for _, e := range b.entries {
		if bytes += len(e.Data) + rowBytes; bytes > batchBytesMax/2 {
			panic(fmt.Sprintf("wal: batch of more than %d bytes at %v", batchBytesMax/2, e.ID()))
		}
		if e.Index != prev.Index+1 || e.Term < prev.Term || e.Type == rowConfig {
			panic(fmt.Sprintf("wal: entry %v (type %d) after %v", e.ID(), e.Type, prev))
		}
		prev = e.ID()
	}
}

// idAt names the entry at an index in [First-1, Last].
func (l *Log) idAt(i raft.Index) raft.EntryID {
	t, ok := l.state.term(i)
	if !ok {
		panic(fmt.Sprintf("wal: entry %d is outside of the log (%v, %v]", i, l.state.prev, l.state.last))
	}
	return raft.EntryID{Index: i, Term: t}
}

func (l *Log) current() *segment { return &l.segments[len(l.segments)-1] }

// write appends a batch to the current segment, or begins the next with it.
func (l *Log) write(b *batch) error {
	rows := l.enc.rowsOf(b)
	if n := batchBlocks(payloadBytes(rows)); l.block+n > l.current().blocks {
		return l.begin(b)
	}
	h := header{kind: b.kind, synced: l.floor.At}
	return l.put(&h, b, rows)
}

// begin opens the next segment with a batch. The old segment is synced before:
// the link vouches for all of it.
func (l *Log) begin(b *batch) error {
	rows := l.enc.rowsOf(b)
	s, err := l.takeSegment(1 + batchBlocks(payloadBytes(rows)))
	if errors.Is(err, ErrNoSpace) {
		return err
	}
	if err == nil && len(l.segments) > 0 && l.block > 0 {
		err = l.syncCurrent()
	}
	if err != nil {
		return l.fail(err)
	}
	s.base = b.prev.Index
	l.segments = append(l.segments, s)
	l.block, l.link = 1, l.floor.At
	b.mustSync = true
	h := header{kind: KindOpen, carried: b.kind, synced: l.link}
	if err := l.put(&h, b, rows); err != nil {
		return err
	}
	l.dropStale()
	l.due.super, l.due.prepare = true, l.ready == nil
	return nil
}

// syncCurrent syncs what SyncNone left un-synced.
func (l *Log) syncCurrent() error {
	end := Pos{l.current().seq, l.block}
	if l.floor.At == end {
		return nil
	}
	if err := l.current().file.SyncData(); err != nil {
		return err
	}
	l.stats.Syncs++
	l.raiseFloor(end)
	return nil
}

func (l *Log) raiseFloor(at Pos) {
	hard := l.state.hard
	hard.Commit = min(hard.Commit, l.state.last.Index)
	l.floor = Floor{At: at, Link: l.link, Last: l.state.last, Hard: hard}
}

// put writes a batch at the current position, syncs it as the policy says and
// enters it in the books.
func (l *Log) put(h *header, b *batch, rows []raft.Entry) error {
	s := l.current()
	h.pos = Pos{s.seq, l.block}
	h.prev, h.last, h.hard, h.chain = b.prev, b.last(), b.hard, l.chain
	h.hard.Commit = min(h.hard.Commit, h.last.Index)
	blocks := l.enc.encode(h, rows, s.salt)
	if _, err := s.file.WriteAt(blocks, h.pos.Offset()); err != nil {
		return l.fail(err)
	}
	sync := b.mustSync || l.o.Policy.Safe()
	if sync {
		if err := s.file.SyncData(); err != nil {
			return l.fail(err)
		}
		l.stats.Syncs++
	}
	l.book(h, b)
	l.stats.count(h, len(blocks))
	if sync {
		l.raiseFloor(h.end())
	}
	return nil
}

// book brings the state up to a written batch.
func (l *Log) book(h *header, b *batch) {
	l.block = h.end().Block
	l.chain = h.nextChain()
	switch {
	case b.kind == KindReset:
		l.bookReset(raft.SnapshotMeta{Last: b.prev, Config: *b.config})
	case b.prev.Index < l.state.last.Index:
		l.state.truncate(b.prev.Index)
		l.due.super = l.due.super || l.super.active.At.Index > b.prev.Index
	}
	if len(b.entries) > 0 {
		l.state.spans = append(l.state.spans, span{first: h.first(), last: h.last.Index, at: h.pos, bytes: h.payloadBytes})
	}
	for i := range b.entries {
		l.bookEntry(&b.entries[i])
	}
	l.state.hard = b.hard
}

func (l *Log) bookEntry(e *raft.Entry) {
	if err := l.state.push(e.ID()); err != nil {
		panic("wal: " + err.Error())
	}
	if e.Type != raft.EntryConfig {
		return
	}
	config, err := raft.DecodeConfiguration(e.Data)
	if err != nil {
		panic(fmt.Sprintf("wal: configuration entry %v: %v", e.ID(), err))
	}
	l.state.configs = append(l.state.configs, raft.ConfigAt{At: e.ID(), Config: config})
	l.due.super = true
}

// bookReset makes the log start anew in the current segment: what lies before
// can go as soon as super says so.
func (l *Log) bookReset(meta raft.SnapshotMeta) {
	l.state.reset(meta)
	s := l.current()
	s.base = min(s.base, meta.Last.Index)
	l.super.start = s.seq
	l.stats.BytesSinceSnapshot = 0
	l.due.super = true
}

// activeConfig is the newest configuration in the log, or the snapshot's.
func (l *Log) activeConfig() raft.ConfigAt {
	if n := len(l.state.configs); n > 0 {
		return l.state.configs[n-1]
	}
	return l.state.snapshot.Config
}

// Idle tells the log that nothing came for a while (at most 20 ms). It writes a
// mark, which proves the batch before it to have been synced: without a proof a
// later damage of that batch would pass for a torn tail. Nothing is written if
// the last batch is proven already.
//
// The mark is synced at once. A batch that comes meanwhile waits for that one
// sync. The rejected way is to sync it on a worker beside an Append: of two
// syncs of one file only one may be told that a write failed.
func (l *Log) Idle() error {
	if err := l.usable(); err != nil {
		return err
	}
	if !l.o.Policy.Safe() || l.floor.At == later(l.marked, l.super.floor.At) {
		return nil
	}
	proves := l.floor.At
	if err := l.write(&batch{kind: KindMark, prev: l.state.last, hard: l.state.hard, mustSync: true}); err != nil {
		return err
	}
	l.marked = later(proves, l.floor.At)
	return nil
}

// Close stops cleanly: a mark, then super, so that everything is proven. Jobs
// must have been finished. After a failure it only gives up the files and
// returns the failure.
func (l *Log) Close() error {
	if l.closed {
		return ErrClosed
	}
	if l.running.super || l.running.prepare || l.running.recycle {
		return errors.New("wal: close while a job is running")
	}
	err := l.failed
	if err == nil {
		err = l.seal()
	}
	l.closed = true
	return errors.Join(err, l.release())
}

// seal makes everything durable and proven.
func (l *Log) seal() error {
	if err := l.syncCurrent(); err != nil {
		return l.fail(err)
	}
	if l.block < l.current().blocks { // else super alone is proof enough
		if err := l.Idle(); err != nil {
			return err
		}
	}
	l.raiseFloor(l.floor.At) // the commit index may have moved alone
	s := l.nextSuper()
	if err := writeSuper(l.superFile, s); err != nil {
		return l.fail(err)
	}
	return nil
}

// release closes all files and the lock.
func (l *Log) release() error {
	var errs []error
	for _, s := range l.segments {
		errs = append(errs, s.file.Close())
	}
	if l.ready != nil {
		errs = append(errs, l.ready.file.Close())
	}
	if l.superFile != nil {
		errs = append(errs, l.superFile.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}
