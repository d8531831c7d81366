package raft

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// naiveLog is the oracle of entryLog: all entries in a slice.
type naiveLog struct {
	prev    EntryID
	entries []Entry
}

func (l *naiveLog) last() Index { return l.prev.Index + Index(len(l.entries)) }

func (l *naiveLog) id(i Index) (EntryID, bool) {
	switch {
	case i == l.prev.Index:
		return l.prev, true
	case i < l.prev.Index || i > l.last():
		return EntryID{}, false
	}
	return l.entries[i-l.prev.Index-1].ID(), true
}

// highest looks at every entry.
func (l *naiveLog) highest(i Index, term Term) EntryID {
	best := l.prev
	for _, e := range l.entries {
		if e.Index <= i && e.Term <= term {
			best = e.ID()
		}
	}
	return best
}

// TestLogModel compares the log with a plain slice under random appends,
// truncations, compactions, resets and trims.
func TestLogModel(t *testing.T) { rapid.Check(t, logModel) }

func FuzzLogModel(f *testing.F) { fuzz.Model(f, logModel) }

func logModel(t *rapid.T) {
	var l entryLog
	var o naiveLog
	l.reset(EntryID{})
	term := Term(1)
	handed := map[EntryID][]Entry{}
	grow := func(t *rapid.T) {
		term += Term(rapid.IntRange(0, 1).Draw(t, "term"))
		e := Entry{Index: l.last() + 1, Term: term, Data: make([]byte, rapid.IntRange(0, 9).Draw(t, "size"))}
		e.CRC = EntryCRC(e)
		l.append(e)
		o.entries = append(o.entries, e)
		handed[e.ID()] = l.tail.slice(e.Index, e.Index)
	}
	t.Repeat(map[string]func(*rapid.T){
		"append": grow, "append more": grow,
		"commit": func(t *rapid.T) {
			l.commit = Index(rapid.Uint64Range(uint64(l.commit), uint64(l.last())).Draw(t, "commit"))
		},
		"truncate": func(t *rapid.T) {
			if l.commit == l.last() {
				return // all is committed
			}
			from := Index(rapid.Uint64Range(uint64(l.commit)+1, uint64(l.last())).Draw(t, "from"))
			l.truncate(from)
			o.entries = slices.Clone(o.entries[:from-o.prev.Index-1])
			term++ // whoever truncates brings a later term
		},
		"compact": func(t *rapid.T) {
			first := Index(rapid.Uint64Range(uint64(o.prev.Index)+1, uint64(l.commit)+1).Draw(t, "first"))
			prev, _ := o.id(first - 1)
			l.compact(first)
			o.entries = slices.Clone(o.entries[first-o.prev.Index-1:])
			o.prev = prev
		},
		"settle": func(t *rapid.T) {
			i := Index(rapid.Uint64Range(0, uint64(l.commit)).Draw(t, "settled"))
			l.tail.settle(i, rapid.IntRange(1, 5).Draw(t, "entries"), rapid.IntRange(1, 30).Draw(t, "bytes"))
		},
		"reset": func(t *rapid.T) {
			if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
				return
			}
			id := EntryID{Term: term, Index: l.last() + Index(rapid.IntRange(1, 5).Draw(t, "gap"))}
			l.reset(id)
			o.prev, o.entries = id, nil
		},
		"": func(t *rapid.T) { compareLogs(t, &l, &o, handed) },
	})
}

func compareLogs(t *rapid.T, l *entryLog, o *naiveLog, handed map[EntryID][]Entry) {
	if end, _ := o.id(o.last()); l.end() != end || l.first() != o.prev.Index+1 {
		t.Fatalf("log is [%d, %s], want [%d, %s]", l.first(), l.end(), o.prev.Index+1, end)
	}
	for i := o.prev.Index; i <= o.last(); i++ {
		want, _ := o.id(i)
		if got := l.id(i); got != want {
			t.Fatalf("id(%d) = %s, want %s", i, got, want)
		}
		for term := want.Term - min(want.Term, 1); term <= want.Term+1; term++ {
			if got, want := l.terms.highest(i, term), o.highest(i, term); got != want {
				t.Fatalf("highest(%d, %d) = %s, want %s", i, term, got, want)
			}
		}
	}
	if _, ok := l.terms.at(o.last() + 1); ok {
		t.Fatalf("knows the term above the last entry")
	}
	first := l.tail.first()
	if first < l.first() || first > l.last()+1 || l.last() > l.commit && first > l.commit+1 {
		t.Fatalf("tail begins at %d, log is [%d, %d], commit %d", first, l.first(), l.last(), l.commit)
	}
	settled := 0
	for i := first; i <= l.last(); i++ {
		e := l.tail.slice(i, i)[0]
		if want, _ := o.id(i); e.ID() != want {
			t.Fatalf("tail holds %s, want %s", e.ID(), want)
		}
		if i <= l.tail.settled {
			settled += len(e.Data)
		}
	}
	if settled != l.tail.settledBytes {
		t.Fatalf("settled bytes %d, want %d", l.tail.settledBytes, settled)
	}
	for id, es := range handed {
		if es[0].ID() != id || es[0].CRC != EntryCRC(es[0]) {
			t.Fatalf("entry %s was changed to %s after it was handed out", id, es[0].ID())
		}
	}
}

// TestTailLimits: what is settled stays within the limits, what isn't stays.
func TestTailLimits(t *testing.T) {
	for _, c := range []struct {
		name          string
		settled       Index
		entries, size int
		want          Index
	}{
		{"nothing settled", 0, 1, 1, 1},
		{"within limits", 5, 5, 500, 1},
		{"entries", 5, 2, 500, 4},
		{"bytes", 5, 5, 30, 3},
		{"the last settled one alone is too large", 5, 5, 5, 6},
		{"all settled", 10, 1, 500, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tl tail
			tl.reset(1)
			for i := Index(1); i <= 10; i++ {
				tl.append(Entry{Index: i, Data: make([]byte, 10)})
			}
			tl.settle(c.settled, c.entries, c.size)
			if tl.first() != c.want {
				t.Errorf("first = %d, want %d", tl.first(), c.want)
			}
		})
	}
}

func TestPrefix(t *testing.T) {
	es := []Entry{{Data: make([]byte, 5)}, {Data: make([]byte, 5)}, {Data: make([]byte, 5)}}
	for _, c := range []struct{ entries, bytes, want int }{
		{9, 100, 3}, {2, 100, 2}, {9, 10, 2}, {9, 9, 1}, {9, 0, 1}, {1, 100, 1},
	} {
		if got := len(prefix(es, c.entries, c.bytes)); got != c.want {
			t.Errorf("prefix(%d entries, %d bytes) = %d entries, want %d", c.entries, c.bytes, got, c.want)
		}
	}
}
