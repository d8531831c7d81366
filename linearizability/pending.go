package linearizability

import (
	"cmp"
	"math"
	"slices"
)

// pending holds the operations that may have made a revision without anybody
// having been told: ambiguous writes, and ends of leases.
//
// Several of them may explain one revision: two deletes of a key, say, of which
// one names a range. Taking the first that fits can leave a later revision with
// none, although the operations could have been dealt out so that each revision
// has one. Dealing them out is a matching between revisions and operations, and
// where the first choice leads nowhere, earlier choices are undone along an
// augmenting path (Berge 1957). That is sound because the changes of a revision
// do not depend on who made it: an operation takes another's place only if it
// does exactly the same.
type pending struct {
	h      *History
	byKey  map[string][]int // operations on one key, by call
	wide   []int            // on several
	placed map[int]int64    // operation → the revision it explains
	seenAt []sighting       // by revision, strictly rising in time too: when a revision was first known to exist
}

func newPending(h *History) *pending {
	p := &pending{h: h, byKey: map[string][]int{}, placed: map[int]int64{}, seenAt: firstSeen(sightings(h))}
	var open []int
	for i := range h.Operations {
		op := &h.Operations[i]
		revoked := op.Request.Kind == Revoke && op.Response.Outcome == OK
		if op.Response.Outcome == Ambiguous && op.Request.Kind != Range || revoked {
			open = append(open, i)
		}
	}
	slices.SortStableFunc(open, p.earlier)
	for _, i := range open {
		if r := &h.Operations[i].Request; (r.Kind == Put || r.Kind == Delete) && r.End == "" {
			p.byKey[r.Key] = append(p.byKey[r.Key], i)
		} else {
			p.wide = append(p.wide, i)
		}
	}
	return p
}

func (p *pending) earlier(a, b int) int {
	return cmp.Compare(p.h.Operations[a].Call, p.h.Operations[b].Call)
}

// firstSeen keeps, of sightings sorted by time, those that brought news.
func firstSeen(seen []sighting) (news []sighting) {
	for _, s := range seen {
		if len(news) == 0 || s.revision > news[len(news)-1].revision {
			news = append(news, s)
		}
	}
	return news
}

// inTime tells whether an operation had been called when a revision, or one
// after it, was first seen.
func (p *pending) inTime(operation int, revision int64) bool {
	at, _ := slices.BinarySearchFunc(p.seenAt, revision, func(s sighting, r int64) int { return cmp.Compare(s.revision, r) })
	first := int64(math.MaxInt64)
	if at < len(p.seenAt) {
		first = p.seenAt[at].time
	}
	return p.h.Operations[operation].Call <= first
}

// candidates are the operations that might change the key, the earliest call
// first: of those that do the same, it leaves the later ones for revisions that
// came later.
func (p *pending) candidates(key string) []int {
	all := append(slices.Clone(p.byKey[key]), p.wide...)
	slices.SortStableFunc(all, p.earlier)
	return all
}

// possible tells whether an operation may have made a revision at all.
func (p *pending) possible(operation int, revision int64) bool {
	response := &p.h.Operations[operation].Response
	return response.Outcome != OK || response.Revision >= revision // else a revocation that had ended before
}

// explain deals the revision after the state's to one of the operations and
// returns what it changed: to a free one that was called in time, else to one
// that another can stand in for, else to a free one whose being late is then
// told as what it is.
func (p *pending) explain(w *witness, seen []Change) (changes []Change, operation int, ok bool) {
	revision := w.state.Revision + 1
	late, lateChanges := nobody, []Change(nil)
	var taken []int
	for _, i := range p.candidates(seen[0].KV.Key) {
		if !p.possible(i, revision) {
			continue
		}
		changes := w.does(w.state, i)
		if changes == nil {
			continue
		}
		_, used := p.placed[i]
		switch onTime := p.inTime(i, revision); {
		case used && onTime:
			taken = append(taken, i)
		case used:
		case onTime:
			p.placed[i] = revision
			return changes, i, true
		case late == nobody:
			late, lateChanges = i, changes
		}
	}
	tried := map[int64]bool{}
	for _, i := range taken {
		if p.replace(w, i, tried) {
			p.placed[i] = revision
			return w.does(w.state, i), i, true
		}
	}
	if late != nobody {
		p.placed[late] = revision
	}
	return lateChanges, late, late != nobody
}

// replace finds another operation for the revision that one explains: a step of
// the augmenting path. Each revision is tried once.
func (p *pending) replace(w *witness, operation int, tried map[int64]bool) bool {
	revision := p.placed[operation]
	if tried[revision] {
		return false
	}
	tried[revision] = true
	before := w.replay.StateAt(revision - 1)
	made := w.replay.At(revision)
	var taken []int
	move := func(i int) bool {
		p.placed[i] = revision
		w.replay.assign(revision, i)
		return true
	}
	for _, i := range p.candidates(made[0].KV.Key) {
		if i == operation || !p.possible(i, revision) || !p.inTime(i, revision) || !sameChanges(w.does(before, i), made) {
			continue
		}
		if _, used := p.placed[i]; !used {
			return move(i)
		}
		taken = append(taken, i)
	}
	for _, i := range taken {
		if p.replace(w, i, tried) {
			return move(i)
		}
	}
	return false
}

// sameChanges compares what two operations would have done.
func sameChanges(a, b []Change) bool {
	return slices.EqualFunc(a, b, func(x, y Change) bool { return x.Deleted == y.Deleted && x.KV == y.KV })
}
