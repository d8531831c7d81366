package raft

import "fmt"

// tail holds the newest entries of the log in memory.
//
// Slices of it are handed out (to the log, the peers, the state machine) and
// used after the call returned, so a slot is written once: truncation moves to
// another array, and so does trimming.
//
// Invariants:
//  1. entries are contiguous and end at next-1.
//  2. Every entry that is not applied or not durable is here, unless it was
//     left on disk at start.
//  3. settledBytes is the payload of the entries here at or below settled.
type tail struct {
	entries []Entry
	next    Index // the index after the last
	dropped int   // slots in front of entries that the array still holds

	settled      Index // applied and durable up to here: may leave memory
	settledBytes int
}

// first is the lowest index held; next if nothing is.
func (t *tail) first() Index { return t.next - Index(len(t.entries)) }

func (t *tail) append(e Entry) {
	if e.Index != t.next {
		panic(fmt.Sprintf("raft: tail append %s, next is %d", e.ID(), t.next))
	}
	t.entries = append(t.entries, e)
	t.next++
}

// slice returns [from, to]; both must be held.
func (t *tail) slice(from, to Index) []Entry {
	f := t.first()
	return t.entries[from-f : to-f+1 : to-f+1]
}

// upTo returns a prefix of [from, to] of at most bytesMax payload and
// entriesMax entries, but at least one.
func (t *tail) upTo(from, to Index, entriesMax, bytesMax int) []Entry {
	return prefix(t.slice(from, to), entriesMax, bytesMax)
}

// prefix cuts es to the limits but keeps at least one entry.
func prefix(es []Entry, entriesMax, bytesMax int) []Entry {
	n, bytes := 0, 0
	for n < len(es) && n < entriesMax {
		bytes += len(es[n].Data)
		if n > 0 && bytes > bytesMax {
			break
		}
		n++
	}
	return es[:n:n]
}

// truncate drops the entries from index from on.
func (t *tail) truncate(from Index) {
	keep := 0
	if f := t.first(); from > f {
		keep = int(from - f)
	}
	t.entries = append(make([]Entry, 0, keep+16), t.entries[:keep]...)
	t.dropped, t.next = 0, from
}

func (t *tail) reset(next Index) {
	*t = tail{next: next, settled: next - 1}
}

// settle notes that everything up to i is applied and durable, and drops from
// the front what exceeds the limits.
func (t *tail) settle(i Index, entriesMax, bytesMax int) {
	for ; t.settled < i; t.settled++ {
		if k := t.settled + 1; k >= t.first() && k < t.next {
			t.settledBytes += len(t.entries[k-t.first()].Data)
		}
	}
	n := 0
	for f := t.first(); f+Index(n) <= t.settled && n < len(t.entries); n++ {
		if int(t.settled-f)+1-n <= entriesMax && t.settledBytes <= bytesMax {
			break
		}
		t.settledBytes -= len(t.entries[n].Data)
	}
	t.drop(n)
}

// trimTo drops what lies below first (the log was compacted).
func (t *tail) trimTo(first Index) {
	n := 0
	for f := t.first(); f+Index(n) < first && n < len(t.entries); n++ {
		if f+Index(n) <= t.settled {
			t.settledBytes -= len(t.entries[n].Data)
		}
	}
	t.drop(n)
}

func (t *tail) drop(n int) {
	t.entries = t.entries[n:]
	t.dropped += n
	if t.dropped > len(t.entries)+256 {
		t.entries, t.dropped = append(make([]Entry, 0, 2*len(t.entries)), t.entries...), 0
	}
}

func payloadBytes(es []Entry) int {
	n := 0
	for i := range es {
		n += len(es[i].Data)
	}
	return n
}
