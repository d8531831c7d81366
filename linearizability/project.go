package linearizability

import (
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"
)

// projector splits operations into steps of single keys. Every step says less
// than, or just what, the operation says about its key, so a projection of a
// linearizable history is linearizable.
type projector struct {
	h        *History
	universe []string // every key that is named anywhere, sorted
	steps    map[string][]*step
}

func projectKeys(h *History) *keyedHistory {
	p := &projector{h: h, universe: universeOf(h), steps: map[string][]*step{}}
	for i := range h.Operations {
		op := &h.Operations[i]
		switch {
		case op.Response.Outcome == OK:
			p.known(i, &op.Request, &op.Response)
		case op.Response.Outcome == Ambiguous:
			p.perhaps(i, &op.Request)
		}
	}
	for key := range leasedKeys(h) {
		delete(p.steps, key)
	}
	k := &keyedHistory{h: h, keys: slices.Sorted(maps.Keys(p.steps)), byKey: map[string][]porcupine.Operation{}, lean: map[string][]porcupine.Operation{}}
	for key, steps := range p.steps {
		k.byKey[key], k.lean[key] = bound(h, steps)
	}
	return k
}

// universeOf lists the keys of puts and base. Others are absent for ever, and
// a reply that says otherwise is the witness's to find.
func universeOf(h *History) []string {
	keys := map[string]bool{}
	for _, kv := range h.Base {
		keys[kv.Key] = true
	}
	eachPut(h, func(r *Request) { keys[r.Key] = true })
	return slices.Sorted(maps.Keys(keys))
}

// leasedKeys may vanish without an operation, at any time; the witness sees
// when, by revisions, but values alone would allow anything.
func leasedKeys(h *History) map[string]bool {
	keys := map[string]bool{}
	for _, kv := range h.Base {
		if kv.Lease != 0 {
			keys[kv.Key] = true
		}
	}
	eachPut(h, func(r *Request) {
		if r.Lease != 0 {
			keys[r.Key] = true
		}
	})
	return keys
}

// eachPut visits every put of a history, also those inside transactions.
func eachPut(h *History, visit func(*Request)) {
	var walk func(r *Request)
	walk = func(r *Request) {
		if r.Kind == Put {
			visit(r)
		}
		for i := range r.Then {
			walk(&r.Then[i])
		}
		for i := range r.Else {
			walk(&r.Else[i])
		}
	}
	for i := range h.Operations {
		walk(&h.Operations[i].Request)
	}
}

// within lists keys of the universe in [key, end), at most keysPerRangeMax,
// spread, starting elsewhere for each operation.
func (p *projector) within(operation int, key, end string) []string {
	if end == "" {
		return []string{key}
	}
	from, _ := slices.BinarySearch(p.universe, key)
	to := len(p.universe)
	if end != "\x00" {
		to, _ = slices.BinarySearch(p.universe, end)
	}
	if to <= from {
		return nil
	}
	all := p.universe[from:to]
	if len(all) <= keysPerRangeMax {
		return all
	}
	some := make([]string, 0, keysPerRangeMax)
	for i := range keysPerRangeMax {
		some = append(some, all[(operation+i*len(all)/keysPerRangeMax)%len(all)])
	}
	return some
}

func (p *projector) add(s *step) { p.steps[s.key] = append(p.steps[s.key], s) }

// known projects an operation whose reply we have.
func (p *projector) known(i int, r *Request, response *Response) {
	switch r.Kind {
	case Put:
		s := &step{key: r.Key, operation: i, write: true, after: cell{true, r.Value}}
		if r.PrevKV {
			s.saw(response.Prev, r.Key)
		}
		if r.IgnoreValue { // the value stays, and there was one
			found := true
			s.write, s.presence = false, &found
		}
		p.add(s)
	case Range:
		p.knownRange(i, r, response)
	case Delete:
		p.knownDelete(i, r, response)
	case Txn:
		p.knownTxn(i, r, response)
	}
}

// saw records the value that a reply shows, or that it shows none.
func (s *step) saw(kvs []KeyValue, key string) {
	s.before = &cell{}
	for _, kv := range kvs {
		if kv.Key == key {
			s.before = &cell{true, kv.Value}
		}
	}
}

// knownRange can't place reads that need not be fresh, and reads of the past.
func (p *projector) knownRange(i int, r *Request, response *Response) {
	if r.Serializable || r.Revision > 0 || r.CountOnly && r.End != "" {
		return
	}
	shown := map[string]*KeyValue{}
	for j := range response.KVs {
		shown[response.KVs[j].Key] = &response.KVs[j]
	}
	last := ""
	if response.More && len(response.KVs) > 0 {
		last = response.KVs[len(response.KVs)-1].Key
	}
	for _, key := range p.within(i, r.Key, r.End) {
		if response.More && key > last {
			continue // beyond the limit nothing is said
		}
		s := &step{key: key, operation: i}
		kv := shown[key]
		present := kv != nil || r.CountOnly && response.Count > 0
		switch {
		case r.KeysOnly || r.CountOnly:
			s.presence = &present
		case present:
			s.before = &cell{true, kv.Value}
		default:
			s.before = &cell{}
		}
		p.add(s)
	}
}

func (p *projector) knownDelete(i int, r *Request, response *Response) {
	if r.End == "" {
		present := response.Deleted > 0
		s := &step{key: r.Key, operation: i, write: true}
		if r.PrevKV {
			s.saw(response.Prev, r.Key)
		} else {
			s.presence = &present
		}
		p.add(s)
		return
	}
	// Here every key matters: one that is left out would stay present.
	from, _ := slices.BinarySearch(p.universe, r.Key)
	for _, key := range p.universe[from:] {
		if !inRange(key, r.Key, r.End) {
			break
		}
		s := &step{key: key, operation: i, write: true}
		if r.PrevKV {
			s.saw(response.Prev, key)
		}
		p.add(s)
	}
}

// knownTxn makes one step of all that a transaction says about a key: nothing
// may come between its comparison and its write.
func (p *projector) knownTxn(i int, r *Request, response *Response) {
	branch := r.Then
	if !response.Succeeded {
		branch = r.Else
	}
	part := &projector{h: p.h, universe: p.universe, steps: map[string][]*step{}}
	for _, c := range r.Compares {
		// Of several comparisons that did not all hold we don't know which.
		if g, ok := guardOf(c); ok && (response.Succeeded || len(r.Compares) == 1) {
			part.add(&step{key: c.Key, operation: i, guards: []test{{g, response.Succeeded}}})
		}
	}
	for j := range min(len(branch), len(response.Responses)) {
		part.known(i, &branch[j], &response.Responses[j])
	}
	for _, key := range slices.Sorted(maps.Keys(part.steps)) {
		p.add(merge(part.steps[key]))
	}
}

// merge runs the steps of one key one after the other as one. What is read
// after a write of the same transaction is the witness's to check.
func merge(steps []*step) *step {
	whole := *steps[0]
	for _, s := range steps[1:] {
		if !whole.write {
			whole.guards = append(slices.Clone(whole.guards), s.guards...)
			if whole.before == nil {
				whole.before = s.before
			}
			if whole.presence == nil {
				whole.presence = s.presence
			}
		}
		if s.write {
			whole.write, whole.after = true, s.after
		}
	}
	return &whole
}

// guardOf keeps the comparisons that values decide: of values, and of versions
// or revisions with zero, which ask whether the key is there.
func guardOf(c Compare) (Compare, bool) {
	if c.End != "" {
		return c, false
	}
	if c.Target == TargetValue {
		return c, true
	}
	presence := c.Number == 0 && (c.Relation == Equal || c.Relation == NotEqual || c.Relation == Greater)
	if c.Target == TargetLease || !presence {
		return c, false
	}
	c.Target = TargetVersion
	return c, true
}

// perhaps projects an operation of which nothing is known: every write that it
// might have made becomes one that may come at any time, or, which is the same,
// after all that was observed. That allows more than the store does, never less.
func (p *projector) perhaps(i int, r *Request) {
	switch r.Kind {
	case Put:
		if !r.IgnoreValue {
			p.add(&step{key: r.Key, operation: i, write: true, after: cell{true, r.Value}})
		}
	case Delete:
		keys := []string{r.Key}
		if r.End != "" {
			keys = slices.DeleteFunc(slices.Clone(p.universe), func(key string) bool { return !inRange(key, r.Key, r.End) })
		}
		for _, key := range keys {
			p.add(&step{key: key, operation: i, write: true})
		}
	case Txn:
		for j := range r.Then {
			p.perhaps(i, &r.Then[j])
		}
		for j := range r.Else {
			p.perhaps(i, &r.Else[j])
		}
	}
}
