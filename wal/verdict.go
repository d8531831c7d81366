package wal

import (
	"fmt"
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// unfault takes one index out of fault i and books where the copy lies.
func (s *state) unfault(i int, id raft.EntryID, h *header) {
	f := s.faults[i]
	low, high := f.below(id.Index-1), f
	high.First = id.Index + 1
	high.Terms = f.Terms[min(len(f.Terms), int(id.Index+1-f.First)):]
	high.CRCs = f.CRCs[min(len(f.CRCs), int(id.Index+1-f.First)):]
	var parts []Fault
	for _, p := range []Fault{low, high} {
		if p.First <= p.Last {
			parts = append(parts, p)
		}
	}
	s.faults = slices.Replace(s.faults, i, i+1, parts...)
	s.relocate(id.Index, h)
}

// relocate makes a repaired entry be read from its repair batch.
func (s *state) relocate(i raft.Index, h *header) {
	fresh := span{first: i, last: i, at: h.pos, bytes: h.payloadBytes}
	var spans []span
	placed := false
	for _, p := range s.spans {
		if i < p.first && !placed {
			spans, placed = append(spans, fresh), true
		}
		if i < p.first || i > p.last {
			spans = append(spans, p)
			continue
		}
		below, above := p, p
		below.last, above.first = i-1, i+1
		if below.first <= below.last {
			spans = append(spans, below)
		}
		spans, placed = append(spans, fresh), true
		if above.first <= above.last {
			spans = append(spans, above)
		}
	}
	if !placed {
		spans = append(spans, fresh)
	}
	s.spans = spans
}

// verdict decides what the faults that are left mean. Those that a snapshot
// covers cost nothing: the log then starts behind it.
func (r *replay) verdict() error {
	s := &r.state
	snap := s.snapshot.Last
	if n := len(s.faults); n > 0 && s.faults[n-1].Last <= snap.Index && s.prev.Index < snap.Index && s.coveredBySnapshot() {
		for _, f := range s.faults {
			r.damage = append(r.damage, Damage{File: f.File, Offset: f.Offset,
				What: fmt.Sprintf("entries %d to %d are damaged; the snapshot at %v covers them", f.First, f.Last, snap)})
		}
		s.faults = nil
		s.compact(snap.Index + 1)
		s.prev = snap
	}
	if len(s.faults) > 0 || r.short != "" {
		return r.corrupt(r.short)
	}
	if s.prev.Index > snap.Index {
		return r.corrupt(fmt.Sprintf("the log starts after %v, but the snapshot it depends on ends at %v", s.prev, snap))
	}
	if s.last.Index < snap.Index {
		return r.corrupt(fmt.Sprintf("the log ends at %v, the snapshot it depends on at %v", s.last, snap))
	}
	if s.hard.Commit > s.last.Index {
		return r.corrupt(fmt.Sprintf("entries up to %d were committed, the log ends at %v", s.hard.Commit, s.last))
	}
	s.hard.Commit = max(s.hard.Commit, s.prev.Index, snap.Index)
	return nil
}

// coveredBySnapshot reports whether the snapshot's last entry is the log's.
func (s *state) coveredBySnapshot() bool {
	t, ok := s.term(s.snapshot.Last.Index)
	return ok && t == s.snapshot.Last.Term
}

func (r *replay) corrupt(reason string) error {
	return &CorruptError{Dir: r.dir, Reason: reason, Faults: slices.Clone(r.state.faults), Damage: slices.Clone(r.damage)}
}

// foldPart bounds how much of the newest segment is written again at a start
// rather than linked to: one part in so many. So a process that
// restarts in a circle doesn't fill the disk with nearly empty segments.
const foldPart = 4

// chooseBase decides where the next segment links to: the last proven position,
// or, if the newest segment holds little, the position that it links to itself.
func (r *replay) chooseBase(p *part, items []item) {
	r.base, r.newest = r.proven, true
	if p.missing || p.open == nil || p.seq <= r.super.start {
		return
	}
	var used uint32
	for i, it := range items {
		if it.h == nil && i == len(items)-1 {
			break // free room, or a torn batch
		}
		if !it.whole || it.trailer {
			return
		}
		if it.h.entries() > 0 {
			used += it.to - it.from
		}
	}
	if used*foldPart <= r.segmentBlocks {
		r.base = p.link
	}
}

// crossBase remembers the log as it stands at base, just before the first
// batch behind it. base lies in the newest segment, or just before it.
func (r *replay) crossBase(at Pos) {
	if r.net != nil || !r.newest || at.Before(r.base) {
		return
	}
	r.net = &net{chain: r.chain, last: r.state.last, from: r.state.last.Index + 1}
}

func (r *replay) noteFrom(i raft.Index) {
	if r.net != nil {
		r.net.from = min(r.net.from, i)
	}
}

func (r *replay) noteReset(meta raft.SnapshotMeta) {
	if r.net != nil {
		r.net.reset, r.net.from = &meta, meta.Last.Index+1
	}
}

// openBatch is the effect of all that stands behind base, as one batch without
// its entries: they are those from the one after its prev.
func (r *replay) openBatch() *batch {
	b := &batch{kind: KindMark, hard: r.state.hard, mustSync: true}
	// A damaged part that a snapshot covers is not there to be repeated.
	from := max(r.net.from, r.state.first())
	switch {
	case r.net.reset != nil:
		b.kind, b.config = KindReset, &r.net.reset.Config
	case from <= r.net.last.Index:
		b.kind = KindTruncate
	case from <= r.state.last.Index:
		b.kind = KindAppend
	}
	t, ok := r.state.term(from - 1)
	if !ok {
		panic(fmt.Sprintf("wal: no term for entry %d before the new segment, log (%v, %v]", from-1, r.state.prev, r.state.last))
	}
	b.prev = raft.EntryID{Index: from - 1, Term: t}
	return b
}
