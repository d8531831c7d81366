package linearizability

import (
	"cmp"
	"slices"
)

// State is the sequential specification: a store that runs one request after
// the other. It is naive on purpose, a map and a sorted list of its keys, and
// shares no code with the server.
type State struct {
	Revision int64
	kvs      map[string]KeyValue
	keys     []string // sorted; those of kvs
}

// NewState returns a store at a revision that holds kvs.
func NewState(revision int64, kvs []KeyValue) *State {
	s := &State{Revision: revision, kvs: make(map[string]KeyValue, len(kvs))}
	for _, kv := range kvs {
		s.set(kv)
	}
	return s
}

// Clone returns an independent copy.
func (s *State) Clone() *State {
	c := &State{Revision: s.Revision, kvs: make(map[string]KeyValue, len(s.kvs)), keys: slices.Clone(s.keys)}
	for k, v := range s.kvs {
		c.kvs[k] = v
	}
	return c
}

// KVs returns all keys in order.
func (s *State) KVs() []KeyValue {
	all := make([]KeyValue, len(s.keys))
	for i, key := range s.keys {
		all[i] = s.kvs[key]
	}
	return all
}

func (s *State) set(kv KeyValue) {
	if _, ok := s.kvs[kv.Key]; !ok {
		i, _ := slices.BinarySearch(s.keys, kv.Key)
		s.keys = slices.Insert(s.keys, i, kv.Key)
	}
	s.kvs[kv.Key] = kv
}

func (s *State) remove(key string) {
	if _, ok := s.kvs[key]; ok {
		i, _ := slices.BinarySearch(s.keys, key)
		s.keys = slices.Delete(s.keys, i, i+1)
		delete(s.kvs, key)
	}
}

// Try runs a request without changing the store. It returns the response that
// a client must get and the changes; all of them stand at Revision+1, and with
// none the revision stays. possible is false if the request can only fail
// (IgnoreValue or IgnoreLease without a key).
func (s *State) Try(r *Request) (response Response, changes []Change, possible bool) {
	a := attempt{state: s, possible: true}
	response = a.run(r)
	if !a.possible {
		return Response{}, nil, false
	}
	response.Outcome = OK
	response.Revision = s.Revision
	if len(a.changes) > 0 {
		response.Revision++
	}
	return response, a.changes, true
}

// Commit applies what Try returned.
func (s *State) Commit(changes []Change) {
	if len(changes) == 0 {
		return
	}
	s.Revision++
	for i := range changes {
		if changes[i].Deleted {
			s.remove(changes[i].KV.Key)
		} else {
			s.set(changes[i].KV)
		}
	}
}

// attempt is one request under way. What it has changed so far hides the
// state, since requests of a transaction see those before them.
type attempt struct {
	state    *State
	overlay  map[string]*KeyValue // nil: deleted
	changes  []Change
	possible bool
}

func (a *attempt) run(r *Request) Response {
	switch r.Kind {
	case Put:
		return a.put(r)
	case Range:
		return a.read(r)
	case Delete:
		return a.deleteRange(r)
	case Txn:
		return a.txn(r)
	case Revoke:
		return a.revoke(r)
	}
	return Response{} // Compact changes nothing that a model of the present sees
}

func (a *attempt) get(key string) (KeyValue, bool) {
	if kv, ok := a.overlay[key]; ok {
		if kv == nil {
			return KeyValue{}, false
		}
		return *kv, true
	}
	kv, ok := a.state.kvs[key]
	return kv, ok
}

func (a *attempt) change(c Change) {
	if a.overlay == nil {
		a.overlay = map[string]*KeyValue{}
	}
	a.changes = append(a.changes, c)
	if c.Deleted {
		a.overlay[c.KV.Key] = nil
		return
	}
	kv := c.KV
	a.overlay[c.KV.Key] = &kv
}

// scan returns the keys in [key, end), sorted.
func (a *attempt) scan(key, end string) []KeyValue {
	if end == "" {
		if kv, ok := a.get(key); ok {
			return []KeyValue{kv}
		}
		return nil
	}
	var found []KeyValue
	from, _ := slices.BinarySearch(a.state.keys, key)
	for _, k := range a.state.keys[from:] {
		if !inRange(k, key, end) {
			break
		}
		if _, hidden := a.overlay[k]; !hidden {
			found = append(found, a.state.kvs[k])
		}
	}
	for k, kv := range a.overlay {
		if kv != nil && inRange(k, key, end) {
			found = append(found, *kv)
		}
	}
	if len(a.overlay) > 0 {
		slices.SortFunc(found, func(x, y KeyValue) int { return cmp.Compare(x.Key, y.Key) })
	}
	return found
}

// inRange has etcd's rules: no end means the one key, "\x00" no upper bound.
func inRange(k, key, end string) bool {
	switch end {
	case "":
		return k == key
	case "\x00":
		return k >= key
	}
	return k >= key && k < end
}

func (a *attempt) put(r *Request) Response {
	old, existed := a.get(r.Key)
	if !existed && (r.IgnoreValue || r.IgnoreLease) {
		a.possible = false
		return Response{}
	}
	kv := KeyValue{Key: r.Key, Value: r.Value, Lease: r.Lease, Mod: a.state.Revision + 1, Version: old.Version + 1, Create: old.Create}
	if !existed {
		kv.Create = kv.Mod
	}
	if r.IgnoreValue {
		kv.Value = old.Value
	}
	if r.IgnoreLease {
		kv.Lease = old.Lease
	}
	c := Change{KV: kv}
	var response Response
	if existed {
		c.Prev = &old
		if r.PrevKV {
			response.Prev = []KeyValue{old}
		}
	}
	a.change(c)
	return response
}

func (a *attempt) read(r *Request) Response {
	kvs := a.scan(r.Key, r.End)
	response := Response{Count: int64(len(kvs))}
	if r.CountOnly {
		return response
	}
	if r.Limit > 0 && int64(len(kvs)) > r.Limit {
		kvs, response.More = kvs[:r.Limit], true
	}
	if r.KeysOnly {
		for i := range kvs {
			kvs[i].Value = ""
		}
	}
	response.KVs = kvs
	return response
}

func (a *attempt) deleteRange(r *Request) Response {
	kvs := a.scan(r.Key, r.End)
	for i := range kvs {
		a.delete(&kvs[i])
	}
	response := Response{Deleted: int64(len(kvs))}
	if r.PrevKV {
		response.Prev = kvs
	}
	return response
}

func (a *attempt) delete(old *KeyValue) {
	a.change(Change{KV: KeyValue{Key: old.Key, Mod: a.state.Revision + 1}, Deleted: true, Prev: old})
}

func (a *attempt) revoke(r *Request) Response {
	for _, kv := range a.scan("", "\x00") {
		if kv.Lease == r.Lease && r.Lease != 0 {
			a.delete(&kv)
		}
	}
	return Response{}
}

func (a *attempt) txn(r *Request) Response {
	before := attempt{state: a.state, possible: true}
	return a.branch(r, &before)
}

// branch runs the branch that holds in before. etcd decides every compare of
// a transaction, nested ones included, before it changes anything.
func (a *attempt) branch(r *Request, before *attempt) Response {
	response := Response{Succeeded: true}
	for i := range r.Compares {
		response.Succeeded = response.Succeeded && before.holds(&r.Compares[i])
	}
	requests := r.Then
	if !response.Succeeded {
		requests = r.Else
	}
	for i := range requests {
		if requests[i].Kind == Txn {
			response.Responses = append(response.Responses, a.branch(&requests[i], before))
		} else {
			response.Responses = append(response.Responses, a.run(&requests[i]))
		}
	}
	return response
}

func (a *attempt) holds(c *Compare) bool {
	kvs := a.scan(c.Key, c.End)
	if len(kvs) == 0 {
		return c.Target != TargetValue && relate(cmp.Compare(0, c.Number), c.Relation)
	}
	for i := range kvs {
		if !compareKV(c, &kvs[i]) {
			return false
		}
	}
	return true
}

func compareKV(c *Compare, kv *KeyValue) bool {
	var order int
	switch c.Target {
	case TargetVersion:
		order = cmp.Compare(kv.Version, c.Number)
	case TargetCreate:
		order = cmp.Compare(kv.Create, c.Number)
	case TargetMod:
		order = cmp.Compare(kv.Mod, c.Number)
	case TargetValue:
		order = cmp.Compare(kv.Value, c.Value)
	case TargetLease:
		order = cmp.Compare(kv.Lease, c.Number)
	}
	return relate(order, c.Relation)
}

func relate(order int, r Relation) bool {
	switch r {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	}
	return order > 0
}
