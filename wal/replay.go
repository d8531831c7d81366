package wal

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// replay reads the walk's batches in order and judges what can't be read
// (log-format, recovery steps 3 to 6 and 8).
type replay struct {
	*survey
	state state
	// proven is the highest position known to have been durable.
	proven Pos
	// chain is what the next batch must carry, if chained.
	chain   uint32
	chained bool
	// gap is a proven place that can't be read and isn't judged yet.
	gap *gap
	// base is where the next segment will link to; net gathers the effect of
	// what is valid behind it.
	base   Pos
	newest bool
	net    *net
	// commit is the highest commit index in a header read so far; the floor's
	// may be of a later time.
	commit        raft.Index
	segmentBlocks uint32
	batches       int
	// short tells that the newest segment has lost its end. Nothing proves what
	// came behind the floor in it, votes too.
	short string
}

// gap is a proven place of unknown content, up to end.
type gap struct {
	file   string
	offset int64
	end    Pos
}

// net is the effect of the batches behind base, as one batch.
type net struct {
	// chain and last describe the log at base.
	chain uint32
	last  raft.EntryID
	// reset is the newest reset, from the lowest index that was rewritten.
	reset *raft.SnapshotMeta
	from  raft.Index
}

// run reads everything. It changes no file. The error is a *CorruptError where
// durable data is missing.
func (r *replay) run() error {
	s := r.super
	r.state.snapshot = s.snapshot
	r.state.start(s.snapshot.Last)
	r.state.hard = s.floor.Hard
	r.proven = s.floor.At
	for i, p := range r.walk {
		if err := r.part(p, i == 0, i == len(r.walk)-1); err != nil {
			return err
		}
	}
	r.newest = true // also where there is no segment at all
	r.crossBase(Pos{^uint64(0), 0})
	if g := r.gap; g != nil {
		if s.floor.At.Before(r.proven) {
			return r.corrupt(fmt.Sprintf("%s at byte %d was durable and can't be read; the floor in super is older and no whole batch behind tells what it held", g.file, g.offset))
		}
		r.settleGap(s.floor.Last)
	}
	return r.verdict()
}

// part reads one segment.
func (r *replay) part(p *part, oldest, newest bool) error {
	im := &image{name: segmentName(p.seq), seq: p.seq}
	if !p.missing {
		var err error
		if im, err = r.read(p.seq); errors.Is(err, disk.ErrNotExist) {
			return fmt.Errorf("wal: %s vanished during recovery: %w", segmentName(p.seq), err)
		} else if err != nil {
			return fmt.Errorf("wal: %w", err)
		}
	}
	end := im.blocks()
	if p.end > 0 {
		end = p.end
	}
	items := im.scan(p.salt, end)
	if newest {
		if !p.missing && im.short() {
			r.short = fmt.Sprintf("%s ends at byte %d, before it was made to end; what it held behind that is not known", im.name, im.size)
		}
		r.proven = later(r.proven, synced(items))
		r.chooseBase(p, items)
	}
	if p.end > 0 {
		r.proven = later(r.proven, Pos{p.seq, p.end})
	}
	if oldest {
		r.startAt(items)
	}
	return r.items(im, p, items)
}

// startAt begins the log where the oldest segment begins.
func (r *replay) startAt(items []item) {
	if len(items) > 0 && items[0].h != nil {
		h := items[0].h
		r.state.start(h.prev)
		r.chain, r.chained = h.chain, true
	}
}

// items applies a segment's batches. It stops at a torn tail.
func (r *replay) items(im *image, p *part, items []item) error {
	at := uint32(1)
	for i, it := range items {
		here := Pos{p.seq, it.from}
		r.crossBase(here)
		if it.whole && r.fits(it.h) {
			if it.trailer {
				r.note(im, it)
			}
			if err := r.apply(im, it); err != nil {
				return err
			}
			at = it.to
			continue
		}
		if !here.Before(r.proven) && !r.vouches(it) {
			return r.tornAt(im, it, wholes(items[i:]))
		}
		if err := r.damaged(im, it); err != nil {
			return err
		}
		at = it.to
	}
	end := p.end
	if r.proven.Seq == p.seq {
		end = max(end, r.proven.Block)
	}
	if at < end {
		// The file ends before a position that was durable.
		r.crossBase(Pos{p.seq, at})
		if p.end == 0 {
			r.short = fmt.Sprintf("%s ends before byte %d, which was durable; what it held behind that is not known", im.name, int64(end)*blockBytes)
		}
		return r.damaged(im, item{from: at, to: end, problem: "the file ends before a position that was durable"})
	}
	return nil
}

// fits reports whether a batch follows what was read before it.
func (r *replay) fits(h *header) bool {
	if r.gap != nil || r.chained && h.chain != r.chain {
		return false
	}
	return h.effect() == KindReset || h.effect() == KindRepair || r.state.holds(h.prev)
}

// vouches reports whether a whole batch, itself proven by nothing, is the one
// that proves the gap before it: it was begun when all of the gap was synced, so
// it is the log's next batch, and only it still tells what the gap led to.
func (r *replay) vouches(it item) bool {
	return r.gap != nil && it.whole && !it.h.synced.Before(r.gap.end)
}

// tornAt ends the log before a batch that nothing proves to have been durable.
func (r *replay) tornAt(im *image, it item, batches int) error {
	if im.unreadable[it.from] {
		// Not torn: the disk refuses to read it, and it may have been acknowledged.
		r.note(im, it)
		return r.corrupt(fmt.Sprintf("%s at byte %d can't be read", im.name, int64(it.from)*blockBytes))
	}
	if it.h != nil || batches > 0 {
		r.torn = &Torn{File: im.name, Offset: int64(it.from) * blockBytes, Batches: batches}
	}
	return nil
}

func (r *replay) note(im *image, it item) {
	r.damage = append(r.damage, Damage{
		File: im.name, Offset: int64(it.from) * blockBytes, Bytes: int64(it.to-it.from) * blockBytes, What: it.problem,
	})
}

// apply carries a whole batch over to the state.
func (r *replay) apply(im *image, it item) error {
	if err := r.adopt(im, it); err != nil {
		return err
	}
	r.batches++
	if floor := r.super.floor; it.h.end() == floor.At && r.state.last != floor.Last {
		return r.corrupt(fmt.Sprintf("%s at byte %d: the log ends at %v there, super says %v",
			im.name, floor.At.Offset(), r.state.last, floor.Last))
	}
	return nil
}

// adopt brings the state to a batch's start and adds what the batch tells.
func (r *replay) adopt(im *image, it item) error {
	h, rows := it.h, it.rows
	r.state.hard = mergeHard(r.state.hard, h.hard)
	r.commit = max(r.commit, h.hard.Commit)
	r.chain, r.chained = h.nextChain(), true
	switch h.effect() {
	case KindRepair:
		r.repair(it)
		return nil
	case KindReset:
		meta, err := resetMeta(h, it)
		if err != nil {
			return r.corrupt(fmt.Sprintf("%s at byte %d: reset: %v", im.name, h.pos.Offset(), err))
		}
		r.state.reset(meta)
		r.noteReset(meta)
		if rows != nil {
			rows = rows[1:]
		}
	default:
		r.dropAbove(h.prev.Index)
	}
	return r.addEntries(im, it, rows)
}

// dropAbove truncates the log, if it is longer.
func (r *replay) dropAbove(to raft.Index) {
	if to < r.state.last.Index {
		r.noteFrom(to + 1)
		r.state.truncate(to)
	}
}

// resetMeta rebuilds the snapshot's description from a reset batch. Without a
// readable table only the position is known; the snapshot file has the rest.
func resetMeta(h *header, it item) (raft.SnapshotMeta, error) {
	meta := raft.SnapshotMeta{Last: h.prev}
	if len(it.rows) == 0 {
		return meta, nil
	}
	e, ok := it.rows[0].entry(it.payload)
	if !ok {
		return meta, nil
	}
	config, err := raft.DecodeConfiguration(e.Data)
	meta.Config = raft.ConfigAt{At: e.ID(), Config: config}
	return meta, err
}

// addEntries books a batch's entries, the damaged ones as faults.
func (r *replay) addEntries(im *image, it item, rows []row) error {
	h := it.h
	if h.entries() == 0 {
		return nil
	}
	if rows == nil {
		r.faultRange(im, it)
		return nil
	}
	r.state.spans = append(r.state.spans, span{first: h.first(), last: h.last.Index, at: h.pos, bytes: h.payloadBytes})
	for _, row := range rows {
		if err := r.state.push(row.id); err != nil {
			return r.corrupt(fmt.Sprintf("%s at byte %d: %v", im.name, h.pos.Offset(), err))
		}
		e, ok := row.entry(it.payload)
		if !ok {
			r.fault(im, it, row)
			continue
		}
		if e.Type != raft.EntryConfig {
			continue
		}
		config, err := raft.DecodeConfiguration(e.Data)
		if err != nil {
			return r.corrupt(fmt.Sprintf("%s at byte %d: entry %v: %v", im.name, h.pos.Offset(), e.ID(), err))
		}
		r.state.configs = append(r.state.configs, raft.ConfigAt{At: e.ID(), Config: config})
	}
	return nil
}

// fault books one damaged entry of known identity.
func (r *replay) fault(im *image, it item, row row) {
	faults := r.state.faults
	if n := len(faults); n > 0 {
		f := &faults[n-1]
		if f.Offset == it.h.pos.Offset() && f.File == im.name && f.Last+1 == row.id.Index && f.Known() {
			f.Last = row.id.Index
			f.Terms, f.CRCs = append(f.Terms, row.id.Term), append(f.CRCs, row.crc)
			return
		}
	}
	r.state.faults = append(faults, Fault{
		File: im.name, Offset: it.h.pos.Offset(), First: row.id.Index, Last: row.id.Index,
		Terms: []raft.Term{row.id.Term}, CRCs: []uint32{row.crc},
	})
}

// faultRange books all entries of a batch whose table is lost. Terms never
// fall, so if the last entry's is that of the one before the first, all are
// known.
func (r *replay) faultRange(im *image, it item) {
	h := it.h
	f := Fault{File: im.name, Offset: h.pos.Offset(), First: h.first(), Last: h.last.Index}
	if h.prev.Term == h.last.Term || h.entries() == 1 {
		for range h.entries() {
			f.Terms = append(f.Terms, h.last.Term)
		}
	}
	r.state.faults = append(r.state.faults, f)
	r.state.skip(h.last)
}

// repair takes entries put back: they replace damaged ones of that identity.
func (r *replay) repair(it item) {
	for _, row := range it.rows {
		for i, f := range r.state.faults {
			if f.First <= row.id.Index && row.id.Index <= f.Last {
				r.state.unfault(i, row.id, it.h)
				break
			}
		}
	}
}

// damaged takes a proven batch that can't be used as it is: what can be known
// of it is kept, the rest becomes faults.
func (r *replay) damaged(im *image, it item) error {
	if it.problem == "" {
		it.problem = "batch doesn't continue the log before it"
	}
	if !it.whole || r.gap == nil {
		r.note(im, it)
	}
	if r.gap == nil {
		r.gap = &gap{file: im.name, offset: int64(it.from) * blockBytes}
	}
	r.gap.end = Pos{im.seq, it.to}
	if it.h == nil {
		r.chained = false
		return nil
	}
	switch it.h.effect() {
	case KindReset:
		r.gap = nil // superseded
	case KindRepair:
		// Supersedes nothing, so it tells nothing about the place before it.
	default:
		r.settleGap(it.h.prev)
	}
	return r.adopt(im, it)
}

// settleGap judges an unreadable place by the entry that the next readable
// header has before its own. If the log read so far holds that entry, all up to
// it is right (Raft §5.3, log matching), and what the place may have held
// behind it was dropped again. Otherwise every entry above the highest commit
// known so far may have been rewritten there, and those above the log's end so
// far are gone: also those that a snapshot covers, of which the verdict is to know.
func (r *replay) settleGap(prev raft.EntryID) {
	g := r.gap
	r.gap = nil
	switch {
	case r.state.holds(prev):
		r.dropAbove(prev.Index)
	case prev.Index <= r.super.snapshot.Last.Index:
		r.noteFrom(prev.Index + 1)
		r.state.start(prev) // all before is in the snapshot
	default:
		first := min(max(r.commit, r.super.snapshot.Last.Index, r.state.prev.Index)+1, prev.Index)
		first = min(first, r.state.last.Index+1) // from here on they are missing, rewritten or not
		if _, ok := r.state.term(first - 1); ok {
			r.dropAbove(first - 1)
		}
		r.state.faults = append(r.state.faults, Fault{File: g.file, Offset: g.offset, First: first, Last: prev.Index})
		r.state.skip(prev)
	}
}
