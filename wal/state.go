package wal

import (
	"fmt"
	"slices"
	"sort"

	"github.com/holdfast-db/holdfast/raft"
)

// span is a run of entries in one batch.
type span struct {
	first, last raft.Index
	at          Pos
	// bytes of the batch's data, all entries together.
	bytes uint32
}

// state is the log as the batches tell it, without the entries' data: what
// recovery builds by replay and what the live log keeps up.
//
// Invariants:
//  1. The log holds the entries first() to last.Index; prev is the one before.
//  2. spans are contiguous, in order, and cover exactly these entries, save
//     those in faults.
//  3. terms lists the first entry of each term in the log, in order.
//  4. configs lists the configuration entries in the log, in order.
type state struct {
	prev, last raft.EntryID
	hard       raft.HardState
	// snapshot is the oldest that the log depends on.
	snapshot raft.SnapshotMeta
	terms    []raft.EntryID
	configs  []raft.ConfigAt
	spans    []span
	faults   []Fault
}

func (s *state) first() raft.Index { return s.prev.Index + 1 }

// start empties the log at a position.
func (s *state) start(prev raft.EntryID) {
	s.prev, s.last = prev, prev
	s.terms, s.configs, s.spans, s.faults = nil, nil, nil, nil
}

// reset replaces the log by a snapshot.
func (s *state) reset(meta raft.SnapshotMeta) {
	s.start(meta.Last)
	s.snapshot = meta
}

// term returns the term of an index in [prev, last]; false outside.
func (s *state) term(i raft.Index) (raft.Term, bool) {
	if i == s.prev.Index {
		return s.prev.Term, true
	}
	if i < s.prev.Index || i > s.last.Index {
		return 0, false
	}
	n := sort.Search(len(s.terms), func(k int) bool { return s.terms[k].Index > i })
	if n == 0 {
		return 0, false
	}
	return s.terms[n-1].Term, true
}

// holds reports whether the log contains that very entry, or starts after it.
// An entry that is damaged but known by identity counts.
func (s *state) holds(id raft.EntryID) bool {
	t, ok := s.term(id.Index)
	return ok && t == id.Term
}

// truncate drops the entries above index to; to must be in [prev, last].
func (s *state) truncate(to raft.Index) {
	t, ok := s.term(to)
	if !ok {
		panic(fmt.Sprintf("wal: truncate to %d outside of (%v, %v]", to, s.prev, s.last))
	}
	s.last = raft.EntryID{Index: to, Term: t}
	s.terms = cutAbove(s.terms, func(id raft.EntryID) raft.Index { return id.Index }, to)
	s.configs = cutAbove(s.configs, func(c raft.ConfigAt) raft.Index { return c.At.Index }, to)
	s.spans = cutAbove(s.spans, func(p span) raft.Index { return p.first }, to)
	if n := len(s.spans); n > 0 {
		s.spans[n-1].last = min(s.spans[n-1].last, to)
	}
	s.faults = cutAbove(s.faults, func(f Fault) raft.Index { return f.First }, to)
	for i := range s.faults {
		s.faults[i] = s.faults[i].below(to)
	}
}

// below cuts a fault's range off above an index.
func (f Fault) below(to raft.Index) Fault {
	if f.Last > to {
		keep := int(to + 1 - f.First)
		f.Last = to
		f.Terms = f.Terms[:min(keep, len(f.Terms))]
		f.CRCs = f.CRCs[:min(keep, len(f.CRCs))]
	}
	return f
}

// cutAbove drops from a list in order of index what lies above to.
func cutAbove[T any](list []T, index func(T) raft.Index, to raft.Index) []T {
	n := sort.Search(len(list), func(i int) bool { return index(list[i]) > to })
	clear(list[n:])
	return list[:n]
}

// push adds the identity of the next entry.
func (s *state) push(id raft.EntryID) error {
	if id.Index != s.last.Index+1 || id.Term < s.last.Term {
		return fmt.Errorf("entry %v can't follow %v", id, s.last)
	}
	if len(s.terms) == 0 || s.terms[len(s.terms)-1].Term != id.Term {
		s.terms = append(s.terms, id)
	}
	s.last = id
	return nil
}

// skip moves the end of the log over damaged entries of which only the last
// one's identity is known. The terms between are guesses from then on, so a log
// that was skipped in is never served, only reported.
func (s *state) skip(to raft.EntryID) {
	if to.Index <= s.prev.Index {
		faults := s.faults
		s.start(to)
		s.faults = faults
		return
	}
	if len(s.terms) == 0 || to.Term > s.terms[len(s.terms)-1].Term {
		s.terms = append(s.terms, to)
	}
	s.last = to
}

// compact drops the entries below first from the books; prev's term must be
// known, so first must be in (prev, last+1].
func (s *state) compact(first raft.Index) {
	if first <= s.first() {
		return
	}
	t, ok := s.term(first - 1)
	if !ok {
		panic(fmt.Sprintf("wal: compact to %d outside of (%v, %v]", first, s.prev, s.last))
	}
	s.prev = raft.EntryID{Index: first - 1, Term: t}
	s.spans = slices.Clone(s.spans[sort.Search(len(s.spans), func(i int) bool { return s.spans[i].last >= first }):])
	if len(s.spans) > 0 {
		s.spans[0].first = max(s.spans[0].first, first)
	}
	n := sort.Search(len(s.terms), func(i int) bool { return s.terms[i].Index > first })
	if s.terms = slices.Clone(s.terms[max(0, n-1):]); len(s.terms) > 0 && s.terms[0].Index < first {
		s.terms[0].Index = first
	}
	if first > s.last.Index {
		s.terms = nil
	}
	s.configs = slices.Clone(s.configs[sort.Search(len(s.configs), func(i int) bool { return s.configs[i].At.Index >= first }):])
}

// mergeHard takes the newer of two hard states: the higher term; within a term
// a vote, once given, stays; the commit index only grows.
func mergeHard(a, b raft.HardState) raft.HardState {
	switch {
	case b.Term > a.Term:
		a.Term, a.Vote = b.Term, b.Vote
	case b.Term == a.Term && a.Vote == 0:
		a.Vote = b.Vote
	}
	a.Commit = max(a.Commit, b.Commit)
	return a
}
