package linearizability

import (
	"cmp"
	"slices"
)

const witnessCheck = "witness"

// witness orders a history by the revisions that the store itself named, and
// replays it: revision R is what the one operation acknowledged at R did, or
// else an ambiguous one, or the end of a lease. There is no search, so it is
// O(n log n). What it trusts are the revisions; what it proves is that this
// order explains every reply. Whether the order also fits real time is
// realtime.go's part.
type witness struct {
	h        *History
	options  *Options
	writes   map[int64]int // revision → operation acknowledged at it
	reads    []readAt      // sorted by revision
	evidence evidence
	pending  *pending
	state    *State
	replay   *Replay
}

// readAt is an operation whose reply is the state's at a revision.
type readAt struct {
	revision  int64
	operation int
}

// checkWitness returns the replay even of a history that fails, as far as it got.
func checkWitness(h *History, options *Options) (*Replay, Verdict) {
	w := &witness{h: h, options: options, writes: map[int64]int{}, state: NewState(h.baseRevision(), h.Base)}
	w.replay = newReplay(h)
	last, verdict := w.sort()
	if verdict.Failed() {
		return w.replay, verdict
	}
	w.evidence = gatherEvidence(h)
	w.pending = newPending(h)
	last = max(last, w.evidence.last)
	for {
		if verdict := w.checkReads(); verdict.Failed() {
			return w.replay, verdict
		}
		if w.state.Revision == last {
			return w.replay, holds(witnessCheck)
		}
		if verdict := w.advance(); verdict.Failed() {
			return w.replay, verdict
		}
	}
}

// sort splits acknowledged operations into writes by revision and reads.
func (w *witness) sort() (last int64, verdict Verdict) {
	base := w.h.baseRevision()
	last = base
	for i := range w.h.Operations {
		op := &w.h.Operations[i]
		if op.Response.Outcome != OK {
			continue
		}
		revision := op.Response.Revision
		last = max(last, revision)
		switch {
		case revision < base:
			return 0, violated(witnessCheck, []int{i}, "%v: the store was at revision %d before it began", op, base)
		case !mutated(&op.Request, &op.Response):
			at := revision
			if op.Request.Kind == Range && op.Request.Revision > 0 {
				at = op.Request.Revision
			}
			if at > revision {
				return 0, violated(witnessCheck, []int{i}, "%v: it read a revision above the store's own", op)
			}
			if at >= base {
				w.reads = append(w.reads, readAt{at, i})
			}
		case revision == base:
			return 0, violated(witnessCheck, []int{i}, "%v: revision %d is older than the history", op, base)
		default:
			if other, taken := w.writes[revision]; taken {
				return 0, violated(witnessCheck, []int{other, i}, "one revision for two writes:\n%v\n%v", &w.h.Operations[other], op)
			}
			w.writes[revision] = i
		}
	}
	slices.SortStableFunc(w.reads, func(a, b readAt) int { return cmp.Compare(a.revision, b.revision) })
	return last, holds(witnessCheck)
}

// mutated tells from a reply whether the operation made a revision. A lease's
// end does if it had keys, which its reply does not say: its revision is found
// like that of an ambiguous operation.
func mutated(r *Request, response *Response) bool {
	switch r.Kind {
	case Put:
		return true
	case Delete:
		return response.Deleted > 0
	case Txn:
		branch := r.Then
		if !response.Succeeded {
			branch = r.Else
		}
		for i := range min(len(branch), len(response.Responses)) {
			if mutated(&branch[i], &response.Responses[i]) {
				return true
			}
		}
	}
	return false
}

// checkReads compares all replies at the present revision. To revoke a lease a
// second time there must change nothing, so a revocation is such a read too.
func (w *witness) checkReads() Verdict {
	for len(w.reads) > 0 && w.reads[0].revision == w.state.Revision {
		i := w.reads[0].operation
		w.reads = w.reads[1:]
		op := &w.h.Operations[i]
		if op.Request.Kind == Compact {
			continue
		}
		expected, changes, possible := w.state.Try(&op.Request)
		if !possible || len(changes) > 0 || !sameReply(&expected, &op.Response) {
			return violated(witnessCheck, []int{i}, "%v\nbut at revision %d the answer is %s",
				op, w.state.Revision, expected.Describe(&op.Request))
		}
	}
	return holds(witnessCheck)
}

// advance makes the next revision.
func (w *witness) advance() Verdict {
	revision := w.state.Revision + 1
	i, acknowledged := w.writes[revision]
	if !acknowledged {
		return w.resolve(revision)
	}
	op := &w.h.Operations[i]
	expected, changes, possible := w.state.Try(&op.Request)
	if !possible || len(changes) == 0 || !sameReply(&expected, &op.Response) {
		return violated(witnessCheck, []int{i}, "%v\nbut after revision %d the answer is %s",
			op, w.state.Revision, expected.Describe(&op.Request))
	}
	if w.evidence.complete && !w.evidence.fits(revision, changes) {
		return violated(witnessCheck, []int{i}, "%v\nwas acknowledged, but revision %d did this: %v",
			op, revision, w.evidence.at(revision))
	}
	w.commit(changes, i)
	return holds(witnessCheck)
}

// resolve finds out who made a revision that nobody was told of.
func (w *witness) resolve(revision int64) Verdict {
	seen := w.evidence.at(revision)
	if len(seen) == 0 {
		if w.h.Log != nil {
			return violated(witnessCheck, nil, "revision %d is missing in the log, and no write was acknowledged at it", revision)
		}
		return unknown(witnessCheck, nil, "nobody saw revision %d: record a watch of all keys as History.Log", revision)
	}
	// A lease may have ended by itself even if somebody revoked it too: before
	// the operations, for it sets them no time.
	if w.options.LeasesExpire {
		if changes := w.expiry(seen); changes != nil && w.evidence.fits(revision, changes) {
			w.commit(changes, nobody)
			return holds(witnessCheck)
		}
	}
	if changes, i, ok := w.pending.explain(w, seen); ok {
		w.commit(changes, i)
		return holds(witnessCheck)
	}
	return w.unexplained(revision, seen)
}

// does is what an operation changes in a state, nil if that is nothing, or not
// what was seen of the state's next revision.
func (w *witness) does(s *State, operation int) []Change {
	_, changes, possible := s.Try(&w.h.Operations[operation].Request)
	if !possible || len(changes) == 0 || !w.evidence.fits(s.Revision+1, changes) {
		return nil
	}
	return changes
}

// expiry is what the end of the lease of the first deleted key does.
func (w *witness) expiry(seen []Change) []Change {
	lease := w.state.kvs[seen[0].KV.Key].Lease
	if !seen[0].Deleted || lease == 0 {
		return nil
	}
	_, changes, _ := w.state.Try(&Request{Kind: Revoke, Lease: lease})
	return changes
}

// unexplained looks for an operation that was refused, or already counted, and
// happened all the same.
func (w *witness) unexplained(revision int64, seen []Change) Verdict {
	for i := range w.h.Operations {
		op := &w.h.Operations[i]
		if op.Response.Outcome == Ambiguous && w.pending.placed[i] == 0 || op.Response.Outcome == OK && op.Response.Revision >= revision {
			continue
		}
		_, changes, possible := w.state.Try(&op.Request)
		if !possible || len(changes) == 0 || !w.evidence.fits(revision, changes) {
			continue
		}
		if op.Response.Outcome == Failed {
			return violated(witnessCheck, []int{i}, "%v\nwas refused, and happened at revision %d: %v", op, revision, seen)
		}
		return violated(witnessCheck, []int{i}, "%v\nhappened a second time at revision %d: %v", op, revision, seen)
	}
	return violated(witnessCheck, nil, "nobody asked for what revision %d did: %v", revision, seen)
}

func (w *witness) commit(changes []Change, operation int) {
	w.state.Commit(changes)
	w.replay.add(changes, operation)
}

// sameReply compares all that a client sees, header revision included.
func sameReply(a, b *Response) bool {
	return a.Revision == b.Revision && sameResult(a, b) || historicReply(a, b)
}

// historicReply: a read of an old revision has the present one in its header.
func historicReply(expected, got *Response) bool {
	return len(got.Responses) == 0 && got.Revision > expected.Revision && sameResult(expected, got)
}

func sameResult(a, b *Response) bool {
	return a.Count == b.Count && a.More == b.More && a.Deleted == b.Deleted && a.Succeeded == b.Succeeded &&
		slices.Equal(a.KVs, b.KVs) && slices.Equal(a.Prev, b.Prev) &&
		slices.EqualFunc(a.Responses, b.Responses, func(x, y Response) bool { return sameResult(&x, &y) })
}
