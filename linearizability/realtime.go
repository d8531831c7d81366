package linearizability

import (
	"cmp"
	"math"
	"slices"
)

const realTimeCheck = "real-time"

// sighting is a moment at which somebody knew that a revision exists.
type sighting struct {
	time, revision int64
	operation      int // or -1: a watch
}

// checkRealTime verifies that the order of the revisions fits real time:
//
//  1. Whatever was known to exist before an operation was called is in what it
//     returns: its revision is not below it, and above it if it wrote.
//  2. Nothing is seen before it was asked for: if revision R was seen at time t,
//     all writes up to R were called by t.
//  3. Within a session revisions never fall, not even for serializable reads.
//  4. What was compacted stays compacted, and no claim of a compacted or future
//     revision is false.
//
// Rule 1 exempts serializable reads, which may be stale by contract.
func checkRealTime(h *History, replay *Replay) Verdict {
	seen := sightings(h)
	// The future comes first: a reply from it would make others look stale.
	for _, check := range [...]func(*History, *Replay, []sighting) Verdict{
		checkNotEarly, checkNotStale, checkSessions, checkRevisionErrors,
	} {
		if v := check(h, replay, seen); v.Failed() {
			return v
		}
	}
	return holds(realTimeCheck)
}

// sightings are sorted by time.
func sightings(h *History) []sighting {
	var seen []sighting
	for i := range h.Operations {
		if op := &h.Operations[i]; op.Response.Outcome == OK {
			seen = append(seen, sighting{op.Return, op.Response.Revision, i})
		}
	}
	for i := range h.Watches {
		for j := range h.Watches[i].Responses {
			r := &h.Watches[i].Responses[j]
			if !r.Canceled {
				seen = append(seen, sighting{r.Time, r.last(), -1})
			}
		}
	}
	slices.SortStableFunc(seen, func(a, b sighting) int { return cmp.Compare(a.time, b.time) })
	return seen
}

// known answers what the largest revision is that was seen before a time, if
// asked in the order of time.
type known struct {
	rest []sighting
	top  sighting
}

func (k *known) before(time int64) sighting {
	for len(k.rest) > 0 && k.rest[0].time < time {
		if k.rest[0].revision > k.top.revision {
			k.top = k.rest[0]
		}
		k.rest = k.rest[1:]
	}
	return k.top
}

// byCall returns the indexes of the operations in the order of their calls.
func byCall(h *History) []int {
	order := make([]int, len(h.Operations))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h.Operations[a].Call, h.Operations[b].Call) })
	return order
}

func checkNotStale(h *History, _ *Replay, seen []sighting) Verdict {
	k := known{rest: seen, top: sighting{operation: -1}}
	for _, i := range byCall(h) {
		op := &h.Operations[i]
		if op.Response.Outcome != OK || op.Request.Serializable {
			continue
		}
		before := k.before(op.Call)
		lowest := before.revision
		if mutated(&op.Request, &op.Response) {
			lowest++
		}
		if op.Response.Revision < lowest {
			return violated(realTimeCheck, withOperation(i, before.operation),
				"%v\nis stale: revision %d was known at %d, before it was called%s",
				op, before.revision, before.time, by(h, before.operation))
		}
	}
	return holds(realTimeCheck)
}

// checkNotEarly walks the revisions with the latest call of any write so far.
func checkNotEarly(h *History, replay *Replay, seen []sighting) Verdict {
	latest := make([]sighting, replay.Last()-replay.Base+1) // [r-Base]: latest call up to r
	latest[0] = sighting{time: math.MinInt64}
	for r := replay.Base + 1; r <= replay.Last(); r++ {
		at := r - replay.Base
		latest[at] = latest[at-1]
		if i := replay.Operation(r); i != nobody && h.Operations[i].Call > latest[at].time {
			latest[at] = sighting{h.Operations[i].Call, r, i}
		}
	}
	for _, s := range seen {
		if s.revision < replay.Base || s.revision > replay.Last() {
			continue
		}
		if cause := latest[s.revision-replay.Base]; cause.time > s.time {
			return violated(realTimeCheck, withOperation(cause.operation, s.operation),
				"revision %d was seen at %d%s\nbut revision %d had not been asked for by then:\n%v",
				s.revision, s.time, by(h, s.operation), cause.revision, &h.Operations[cause.operation])
		}
	}
	return holds(realTimeCheck)
}

func checkSessions(h *History, _ *Replay, _ []sighting) Verdict {
	type session struct {
		k       known
		returns []sighting
	}
	sessions := map[int64]*session{}
	for i := range h.Operations {
		if op := &h.Operations[i]; op.Session != 0 && op.Response.Outcome == OK {
			s := sessions[op.Session]
			if s == nil {
				s = &session{}
				sessions[op.Session] = s
			}
			s.returns = append(s.returns, sighting{op.Return, op.Response.Revision, i})
		}
	}
	for _, s := range sessions {
		slices.SortStableFunc(s.returns, func(a, b sighting) int { return cmp.Compare(a.time, b.time) })
		s.k = known{rest: s.returns}
	}
	for _, i := range byCall(h) {
		op := &h.Operations[i]
		if op.Session == 0 || op.Response.Outcome != OK {
			continue
		}
		if before := sessions[op.Session].k.before(op.Call); op.Response.Revision < before.revision {
			return violated(realTimeCheck, []int{i, before.operation},
				"session %d went back in time: first\n%v\nthen\n%v", op.Session, &h.Operations[before.operation], op)
		}
	}
	return holds(realTimeCheck)
}

func withOperation(i, other int) []int {
	if other < 0 {
		return []int{i}
	}
	return []int{i, other}
}

func by(h *History, operation int) string {
	if operation < 0 {
		return ", by a watcher"
	}
	return ", by\n" + h.Operations[operation].String()
}
