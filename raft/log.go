package raft

// entryLog is the log as raft sees it: the identity of every entry, the newest
// entries themselves, and how far it is committed. Older entries are with the
// driver (Output.Load).
//
// Invariants (Raft Figure 3 where named):
//  1. tail.next = terms.last+1.
//  2. terms.prev.Index ≤ commit ≤ terms.last; commit never falls.
//  3. Entries up to commit are never truncated (State Machine Safety).
//  4. Two members' logs that hold the same EntryID are equal up to it (Log
//     Matching); nothing here can check that, everything relies on it.
type entryLog struct {
	terms  termTable
	tail   tail
	commit Index
}

func (l *entryLog) last() Index  { return l.terms.last }
func (l *entryLog) end() EntryID { return l.terms.end() }
func (l *entryLog) first() Index { return l.terms.first() }

// term returns the term of an index that must be known.
func (l *entryLog) term(i Index) Term {
	t, ok := l.terms.at(i)
	if !ok {
		panic("raft: term of an index outside the log")
	}
	return t
}

func (l *entryLog) id(i Index) EntryID { return EntryID{Term: l.term(i), Index: i} }

func (l *entryLog) append(e Entry) {
	l.terms.append(e.ID())
	l.tail.append(e)
}

// truncate drops the entries from index from on, all above commit.
func (l *entryLog) truncate(from Index) {
	if from <= l.commit {
		panic("raft: truncation at or below the commit index")
	}
	l.terms.truncate(from)
	l.tail.truncate(from)
}

// reset replaces the log by a snapshot's position.
func (l *entryLog) reset(id EntryID) {
	l.terms.reset(id)
	l.tail.reset(id.Index + 1)
	l.commit = id.Index
}

func (l *entryLog) compact(first Index) {
	if first > l.first() {
		l.terms.compact(first)
		l.tail.trimTo(first)
	}
}

// upToDate reports whether a log that ends at other is at least as up to date
// as this one: later last term, or the same and at least as long (Raft §5.4.1).
func (l *entryLog) upToDate(other EntryID) bool {
	end := l.end()
	return other.Term > end.Term || other.Term == end.Term && other.Index >= end.Index
}

// firstConflict returns the position in es (which follow a matching entry) of
// the first entry that this log lacks or has with another term; len(es) if it
// has them all.
func (l *entryLog) firstConflict(es []Entry) int {
	for k := range es {
		if !l.terms.holds(es[k].ID()) {
			return k
		}
	}
	return len(es)
}

// matches verifies entries that the driver read from its log: they are the
// ones this log has at their places. An EntryID determines the content, so an
// answer that was overtaken by a truncation is found here.
func (l *entryLog) matches(from Index, es []Entry) bool {
	for k := range es {
		if es[k].Index != from+Index(k) || !l.terms.holds(es[k].ID()) {
			return false
		}
	}
	return len(es) > 0
}
