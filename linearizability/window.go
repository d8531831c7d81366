package linearizability

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"
)

const windowCheck = "window"

// window is a stretch of the history between two revisions: the writes
// (from, to] and the reads [from, to]. If the whole is linearizable, its order
// is that of the revisions, so a window stands in it as one block, and must be
// linearizable on its own from the state at its begin. Here Porcupine searches
// for the order, with all keys and revisions in the state: transactions over
// several keys are checked as what they are, and the witness's idea of real
// time by somebody else's code. Only which ambiguous operation made a revision
// is taken from the witness: every open end would double the search.
type window struct {
	from, to   int64
	operations []int
	made       []int64 // [i]: the revision that operations[i] made, if it could not be told itself
}

// checkWindows checks a few windows, spread evenly.
func checkWindows(h *History, replay *Replay, options *Options, report *Report) Verdict {
	byRevision := operationsByRevision(h, replay)
	for n := range max(0, options.Windows) {
		from := replay.Base + int64(n)*(replay.Last()-replay.Base)/int64(options.Windows)
		w := newWindow(h, replay, byRevision, from, options.WindowOperations)
		if w == nil {
			report.Skipped++
			continue
		}
		report.Windows++
		switch porcupine.CheckOperationsTimeout(windowModel(replay.StateAt(w.from)), w.history(h), options.WindowTimeout) {
		case porcupine.Illegal:
			return violated(windowCheck, w.operations, "no order of the %d operations between revisions %d and %d explains their replies",
				len(w.operations), w.from, w.to)
		case porcupine.Unknown:
			return unknown(windowCheck, w.operations, "no answer within %v for the %d operations between revisions %d and %d",
				options.WindowTimeout, len(w.operations), w.from, w.to)
		}
	}
	return holds(windowCheck)
}

// atRevision is an operation and where it stands in the order of revisions.
type atRevision struct {
	revision  int64
	operation int
}

// operationsByRevision lists what a window can judge: acknowledged operations
// on the present, and ambiguous ones that made a revision.
func operationsByRevision(h *History, replay *Replay) []atRevision {
	var list []atRevision
	for i := range h.Operations {
		op := &h.Operations[i]
		r := &op.Request
		present := r.Kind == Put || r.Kind == Delete || r.Kind == Txn || r.Kind == Range && r.Revision <= 0 && !r.Serializable
		if op.Response.Outcome == OK && present {
			list = append(list, atRevision{op.Response.Revision, i})
		}
	}
	for r := replay.Base + 1; r <= replay.Last(); r++ {
		if i := replay.Operation(r); i != nobody && (h.Operations[i].Response.Outcome != OK || h.Operations[i].Request.Kind == Revoke) {
			list = append(list, atRevision{r, i})
		}
	}
	slices.SortStableFunc(list, func(a, b atRevision) int { return cmp.Compare(a.revision, b.revision) })
	return list
}

// newWindow takes revisions from from on, whole ones, while there is room. It
// returns nil if not even one fits.
func newWindow(h *History, replay *Replay, list []atRevision, from int64, operationsMax int) *window {
	w := &window{from: from, to: from}
	i, _ := slices.BinarySearchFunc(list, from, func(a atRevision, r int64) int { return cmp.Compare(a.revision, r) })
	for revision := from; revision <= replay.Last(); revision++ {
		if revision > from && replay.Operation(revision) == nobody {
			break // the end of a lease is nobody's operation
		}
		next := i
		for next < len(list) && list[next].revision == revision {
			next++
		}
		if len(w.operations)+next-i > operationsMax {
			break
		}
		for ; i < next; i++ {
			op := &h.Operations[list[i].operation]
			made := replay.Operation(revision) == list[i].operation
			if revision == from && made {
				continue // it is what made the first state
			}
			w.add(list[i], op, made)
		}
		w.to = revision
	}
	if len(w.operations) == 0 {
		return nil
	}
	return w
}

func (w *window) add(a atRevision, op *Operation, made bool) {
	var revision int64
	if made && (op.Response.Outcome != OK || op.Request.Kind == Revoke) {
		revision = a.revision
	}
	w.operations = append(w.operations, a.operation)
	w.made = append(w.made, revision)
}

// windowStep is an operation for the model: made as in window.
type windowStep struct {
	op   *Operation
	made int64
}

func (w *window) history(h *History) []porcupine.Operation {
	ops := make([]porcupine.Operation, 0, len(w.operations))
	for n, i := range w.operations {
		op := &h.Operations[i]
		returned := op.Return
		if op.Response.Outcome == Ambiguous {
			returned = Never
		}
		ops = append(ops, porcupine.Operation{ClientId: op.Client, Input: &windowStep{op, w.made[n]}, Call: op.Call, Return: returned})
	}
	return ops
}

// windowModel is the whole store. States are never changed, only copied.
func windowModel(initial *State) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, _ any) (bool, any) {
			return input.(*windowStep).apply(state.(*State))
		},
		Equal: func(a, b any) bool {
			x, y := a.(*State), b.(*State)
			return x == y || x.Revision == y.Revision && slices.Equal(x.KVs(), y.KVs())
		},
		DescribeOperation: func(input, _ any) string { return input.(*windowStep).op.describeShort() },
		DescribeState:     func(state any) string { return state.(*State).String() },
	}
}

func (w *windowStep) apply(s *State) (bool, any) {
	reply := &w.op.Response
	told := reply.Outcome == OK && w.op.Request.Kind != Revoke
	switch {
	case w.made != 0 && w.made != s.Revision+1:
		return false, s
	case told && reply.Revision != s.Revision && reply.Revision != s.Revision+1:
		return false, s // before anything is copied
	}
	expected, changes, possible := s.Try(&w.op.Request)
	switch {
	case told && (!possible || expected.Revision != reply.Revision || !sameResult(&expected, reply)):
		return false, s
	case w.made != 0 && len(changes) == 0:
		return false, s
	case len(changes) == 0:
		return true, s
	}
	next := s.Clone()
	next.Commit(changes)
	return true, next
}
