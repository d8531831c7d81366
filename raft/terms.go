package raft

import (
	"fmt"
	"sort"
)

// termTable knows the term of every index of the log without holding an
// entry: a log of a million entries written under three leaders is three rows.
//
//	index   4  5  6 │ 7  8 │ 9 10 11
//	term    2  2  2 │ 3  3 │ 6  6  6      prev 3@1, runs 4@2 7@3 9@6, last 11
//
// Invariants:
//  1. Terms never fall along the log; prev.Term ≤ runs[0].Term.
//  2. runs is empty iff the log is; else runs[0].Index = prev.Index+1.
//  3. Indexes and terms of runs rise strictly, and stay ≤ last.
type termTable struct {
	prev EntryID   // the entry before the first
	runs []EntryID // the first entry of each term
	last Index
}

func (t *termTable) first() Index { return t.prev.Index + 1 }

// end identifies the last entry, or prev if the log is empty.
func (t *termTable) end() EntryID {
	if len(t.runs) == 0 {
		return t.prev
	}
	return EntryID{Term: t.runs[len(t.runs)-1].Term, Index: t.last}
}

// at returns the term of index i; false outside [prev.Index, last].
func (t *termTable) at(i Index) (Term, bool) {
	if i < t.prev.Index || i > t.last {
		return 0, false
	}
	if i == t.prev.Index {
		return t.prev.Term, true
	}
	if r := t.runs[len(t.runs)-1]; i >= r.Index {
		return r.Term, true // nearly every question is about the newest term
	}
	k := sort.Search(len(t.runs), func(k int) bool { return t.runs[k].Index > i })
	return t.runs[k-1].Term, true
}

// holds reports whether the log contains this very entry (or starts after it).
func (t *termTable) holds(id EntryID) bool {
	term, ok := t.at(id.Index)
	return ok && term == id.Term
}

// highest returns the last entry at or below i whose term is at most term, and
// prev if there is none: what may still match a log that has term at i.
func (t *termTable) highest(i Index, term Term) EntryID {
	i = min(i, t.last)
	for k := len(t.runs) - 1; k >= 0; k-- {
		r := t.runs[k]
		if r.Index <= i {
			if r.Term <= term {
				return EntryID{Term: r.Term, Index: i}
			}
			i = r.Index - 1
		}
	}
	return t.prev
}

func (t *termTable) append(id EntryID) {
	end := t.end()
	if id.Index != t.last+1 || id.Term < end.Term {
		panic(fmt.Sprintf("raft: append %s after %s", id, end))
	}
	if len(t.runs) == 0 || id.Term > end.Term {
		t.runs = append(t.runs, id)
	}
	t.last = id.Index
}

// truncate drops the entries from index from on.
func (t *termTable) truncate(from Index) {
	if from <= t.prev.Index {
		panic(fmt.Sprintf("raft: truncate at %d, log starts after %s", from, t.prev))
	}
	k := len(t.runs)
	for k > 0 && t.runs[k-1].Index >= from {
		k--
	}
	t.runs, t.last = t.runs[:k], min(t.last, from-1)
}

// compact makes first the first index. first may be last+1.
func (t *termTable) compact(first Index) {
	term, ok := t.at(first - 1)
	if !ok {
		panic(fmt.Sprintf("raft: compact to %d, log is (%s, %d]", first, t.prev, t.last))
	}
	t.prev = EntryID{Term: term, Index: first - 1}
	k := 0
	for k < len(t.runs) && (k+1 < len(t.runs) && t.runs[k+1].Index <= first || t.last < first) {
		k++
	}
	t.runs = append([]EntryID(nil), t.runs[k:]...)
	if len(t.runs) > 0 {
		t.runs[0].Index = max(t.runs[0].Index, first)
	}
}

// reset empties the log; the next entry follows id.
func (t *termTable) reset(id EntryID) {
	*t = termTable{prev: id, last: id.Index}
}
