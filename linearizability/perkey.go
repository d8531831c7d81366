package linearizability

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"
)

const perKeyCheck = "per-key"

// keysPerRangeMax bounds the keys that one range or ranged delete is checked
// on, so that reading everything all the time stays affordable. Which keys
// differs from operation to operation.
const keysPerRangeMax = 64

// checkPerKey splits the history by key and lets Porcupine search for an order
// of each, knowing values only: it does not look at a single revision, so it
// shares no assumption with the witness. A store that is linearizable is so on
// each key (the property is local; Herlihy and Wing, 1990), hence a failure
// here is always one. The reverse does not hold for operations on several
// keys: those are the witness's and the windows' to judge.
//
// Operations without an answer may be left out: perhaps they never happened. So
// each key is first searched without those whose effect nobody saw for certain
// (bound.go), which is quick, and only a key that needs them is searched with all.
func checkPerKey(h *History, options *Options) (*keyedHistory, Verdict) {
	k := projectKeys(h)
	undecided := ""
	for _, key := range k.keys {
		if len(k.lean[key]) < len(k.byKey[key]) &&
			porcupine.CheckOperationsTimeout(k.model(), k.lean[key], options.PerKeyTimeout) == porcupine.Ok {
			continue
		}
		switch porcupine.CheckOperationsTimeout(k.model(), k.byKey[key], options.PerKeyTimeout) {
		case porcupine.Illegal:
			v := violated(perKeyCheck, k.operations(key), "no order of the %d operations on %q explains their replies", len(k.byKey[key]), key)
			v.Key = key
			return k, v
		case porcupine.Unknown:
			undecided = key
		}
	}
	if undecided != "" {
		return k, unknown(perKeyCheck, nil, "no answer within %v for the %d operations on %q", options.PerKeyTimeout, len(k.byKey[undecided]), undecided)
	}
	return k, holds(perKeyCheck)
}

// cell is the value of one key.
type cell struct {
	present bool
	value   string
}

func (c cell) String() string {
	if !c.present {
		return "absent"
	}
	return fmt.Sprintf("%q", c.value)
}

// step is an operation as one key sees it.
type step struct {
	key       string
	operation int    // index into History.Operations
	guards    []test // comparisons whose outcome is known
	before    *cell  // what it read; nil: nothing
	presence  *bool  // whether it found the key, if that is all it says
	write     bool
	after     cell
}

// test is a comparison that held, or did not.
type test struct {
	compare Compare
	want    bool
}

func (s *step) apply(c cell) (bool, cell) {
	for i := range s.guards {
		if s.guards[i].holds(c) != s.guards[i].want {
			return false, c
		}
	}
	if s.before != nil && *s.before != c || s.presence != nil && *s.presence != c.present {
		return false, c
	}
	if s.write {
		return true, s.after
	}
	return true, c
}

// holds knows a version only as zero or not: see guardOf.
func (t *test) holds(c cell) bool {
	if !c.present {
		return t.compare.Target != TargetValue && relate(cmp.Compare(0, t.compare.Number), t.compare.Relation)
	}
	return compareKV(&t.compare, &KeyValue{Value: c.value, Version: 1})
}

// keyedHistory is a history by key.
type keyedHistory struct {
	h     *History
	keys  []string // sorted
	byKey map[string][]porcupine.Operation
	// lean is byKey without what may never have happened and need not have.
	lean map[string][]porcupine.Operation
}

func (k *keyedHistory) operations(key string) []int {
	var list []int
	for _, op := range k.byKey[key] {
		list = append(list, op.Input.(*step).operation)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// model is the sequential specification of one key.
func (k *keyedHistory) model() porcupine.Model {
	base := map[string]cell{}
	for _, kv := range k.h.Base {
		base[kv.Key] = cell{true, kv.Value}
	}
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			parts := map[string][]porcupine.Operation{}
			for _, op := range all {
				key := op.Input.(*step).key
				parts[key] = append(parts[key], op)
			}
			var list [][]porcupine.Operation
			for _, key := range slices.Sorted(maps.Keys(parts)) {
				list = append(list, parts[key])
			}
			return list
		},
		// nil stands for the cell before the history, which depends on the key.
		Init: func() any { return (*cell)(nil) },
		Step: func(state, input, _ any) (bool, any) {
			s := input.(*step)
			now := base[s.key]
			if c := state.(*cell); c != nil {
				now = *c
			}
			ok, next := s.apply(now)
			return ok, &next
		},
		Equal: func(a, b any) bool {
			x, y := a.(*cell), b.(*cell)
			return x == y || x != nil && y != nil && *x == *y
		},
		DescribeOperation: func(input, _ any) string {
			return k.h.Operations[input.(*step).operation].describeShort()
		},
		DescribeState: func(state any) string {
			if c := state.(*cell); c != nil {
				return c.String()
			}
			return "initial"
		},
	}
}

// describeShort leaves out client and times, which the picture shows.
func (op *Operation) describeShort() string {
	return op.Request.String() + " → " + op.Response.Describe(&op.Request)
}
