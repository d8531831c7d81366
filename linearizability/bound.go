package linearizability

import (
	"math"

	"github.com/anishathalye/porcupine"
)

// bound turns the steps of a key into Porcupine's operations. An operation
// without an answer stays open to the end of time, and the search has to
// consider it everywhere, so what the values tell is used first:
//
//   - a write whose value nobody else writes, and somebody read, was made before
//     that read returned;
//   - one whose value nobody read explains nothing, and is left out;
//   - likewise a deletion, if nobody found the key missing after its call.
//
// The last two hold for certain only if all that is known of the key are values:
// that a key was merely there might be due to a write that nobody read. Where more
// is known, such writes are among all and not in lean.
func bound(h *History, steps []*step) (all, lean []porcupine.Operation) {
	seen := observe(h, steps)
	all = make([]porcupine.Operation, 0, len(steps))
	for _, s := range steps {
		op := &h.Operations[s.operation]
		returned, needed := op.Return, true
		if op.Response.Outcome == Ambiguous {
			if returned, needed = seen.deadline(s, op.Call); !needed && seen.valuesOnly {
				continue
			}
		}
		o := porcupine.Operation{ClientId: op.Client, Input: s, Call: op.Call, Return: returned}
		all = append(all, o)
		if needed {
			lean = append(lean, o)
		}
	}
	return all, lean
}

// observations of one key.
type observations struct {
	first      map[cell]int64 // when a value was first known to have been there
	writers    map[cell]int
	absent     int64 // the last return of an observation that the key is missing
	valuesOnly bool
}

func observe(h *History, steps []*step) observations {
	seen := observations{first: map[cell]int64{}, writers: map[cell]int{}, absent: math.MinInt64, valuesOnly: true}
	for _, kv := range h.Base {
		if kv.Key == steps[0].key {
			seen.writers[cell{true, kv.Value}]++
		}
	}
	for _, s := range steps {
		if s.write {
			seen.writers[s.after]++
		}
		op := &h.Operations[s.operation]
		if op.Response.Outcome == OK {
			seen.note(s, op.Return)
		}
	}
	return seen
}

func (o *observations) note(s *step, returned int64) {
	o.valuesOnly = o.valuesOnly && s.presence == nil && len(s.guards) == 0
	if s.before == nil {
		return
	}
	if at, ok := o.first[*s.before]; !ok || returned < at {
		o.first[*s.before] = returned
	}
	if !s.before.present {
		o.absent = max(o.absent, returned)
	}
}

// deadline tells by when an ambiguous write was made, if it was, and whether
// anything observed may be due to it.
func (o *observations) deadline(s *step, call int64) (returned int64, needed bool) {
	if !s.after.present {
		return math.MaxInt64, o.absent >= call
	}
	if o.writers[s.after] > 1 {
		return math.MaxInt64, true
	}
	if at, read := o.first[s.after]; read {
		return max(at, call), true
	}
	return math.MaxInt64, false
}
