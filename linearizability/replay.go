package linearizability

import "sort"

// nobody made a revision: a lease expired.
const nobody = -1

// Replay is what happened, by revision, as the witness found it. Watches are
// checked against it.
type Replay struct {
	h         *History
	Base      int64
	changes   [][]Change // [i] made revision Base+1+i, in the order of its sub-revisions
	operation []int      // likewise: who made it, or nobody
	flat      []Change   // all, in order
}

func newReplay(h *History) *Replay { return &Replay{h: h, Base: h.baseRevision()} }

func (p *Replay) add(changes []Change, operation int) {
	p.changes = append(p.changes, changes)
	p.operation = append(p.operation, operation)
	p.flat = append(p.flat, changes...)
}

// assign changes who made a revision, not what it did.
func (p *Replay) assign(revision int64, operation int) { p.operation[revision-p.Base-1] = operation }

// Last is the newest revision.
func (p *Replay) Last() int64 { return p.Base + int64(len(p.changes)) }

// At returns what a revision changed, nil outside (Base, Last].
func (p *Replay) At(revision int64) []Change {
	if revision <= p.Base || revision > p.Last() {
		return nil
	}
	return p.changes[revision-p.Base-1]
}

// Operation returns which operation made a revision, or -1.
func (p *Replay) Operation(revision int64) int {
	if p.At(revision) == nil {
		return nobody
	}
	return p.operation[revision-p.Base-1]
}

// From returns all changes at revision and above, in order.
func (p *Replay) From(revision int64) []Change {
	i := sort.Search(len(p.flat), func(i int) bool { return p.flat[i].KV.Mod >= revision })
	return p.flat[i:]
}

// StateAt replays up to a revision.
func (p *Replay) StateAt(revision int64) *State {
	s := NewState(p.Base, p.h.Base)
	for s.Revision < min(revision, p.Last()) {
		s.Commit(p.At(s.Revision + 1))
	}
	return s
}
