package linearizability

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
)

// plan says what a generated history is like.
type plan struct {
	operations, clients, keys int
	ambiguous, failed         float64 // share of operations
	leases, compactions       bool
	plain                     bool // puts, gets and deletes with prev_kv only
	noLog                     bool
	watchers                  int
	// bug, if set, changes what the store does, at the operations it likes.
	bug func(g *generator, op *Operation) (handled bool)
}

// generator is a correct store under load: requests of concurrent clients take
// effect one after the other, at some time between call and return.
type generator struct {
	plan
	rng       *rand.Rand
	state     *State
	h         *History
	log       []Change
	made      []int64 // [i]: time at which revision 2+i was made
	compacted int64
	session   map[int]int64 // client → revision last seen
	unique    int
	now       int64
}

// generate returns a history that a correct store has produced.
func generate(rng *rand.Rand, p plan) *History {
	g := &generator{plan: p, rng: rng, state: NewState(1, nil), h: &History{}, session: map[int]int64{}}
	type slot struct {
		client                 int
		call, commit, returned int64
		outcome                Outcome
		happens                bool
	}
	slots := make([]slot, p.operations)
	free := make([]int64, p.clients)
	for i := range slots {
		c := rng.IntN(p.clients)
		call := free[c] + rng.Int64N(20)
		commit := call + rng.Int64N(30)
		s := slot{client: c, call: call, commit: commit, returned: commit + rng.Int64N(30), outcome: OK, happens: true}
		free[c] = s.returned + 1
		switch dice := rng.Float64(); {
		case dice < p.ambiguous:
			s.outcome, s.happens = Ambiguous, rng.IntN(2) == 0
			if rng.IntN(4) == 0 {
				s.commit += rng.Int64N(500) // long after the client has gone
			}
		case dice < p.ambiguous+p.failed:
			s.outcome, s.happens = Failed, false
		}
		slots[i] = s
	}
	sort.SliceStable(slots, func(i, j int) bool { return slots[i].commit < slots[j].commit })
	for _, s := range slots {
		g.now = s.commit
		op := Operation{Client: s.client, Session: int64(s.client + 1), Call: s.call, Return: s.returned, Request: g.request()}
		g.run(&op, s.happens)
		if op.Response.Outcome == OK && s.outcome != OK {
			op.Response = Response{Outcome: s.outcome}
		}
		g.h.Operations = append(g.h.Operations, op)
		if p.leases && rng.IntN(40) == 0 {
			g.expire(int64(1 + rng.IntN(3)))
		}
	}
	for range p.watchers {
		g.h.Watches = append(g.h.Watches, g.watch())
	}
	if !p.noLog {
		g.h.Log = slices.Clone(g.log)
		for i := range g.h.Log {
			g.h.Log[i].Prev = nil
		}
	}
	sort.SliceStable(g.h.Operations, func(i, j int) bool { return g.h.Operations[i].Call < g.h.Operations[j].Call })
	return g.h
}

func (g *generator) run(op *Operation, happens bool) {
	if g.bug != nil && g.bug(g, op) {
		return
	}
	if !happens {
		op.Response = Response{Outcome: OK} // becomes ambiguous or failed
		return
	}
	r := &op.Request
	switch {
	case r.Kind == Compact:
		g.compacted = max(g.compacted, r.Revision)
		op.Response = Response{Outcome: OK, Revision: g.state.Revision}
	case r.Kind == Range && r.Serializable:
		at := g.session[op.Client]
		if at == 0 {
			at = 1
		}
		at += g.rng.Int64N(g.state.Revision - at + 1)
		op.Response, _, _ = g.past(at).Try(r)
	case r.Kind == Range && r.Revision > g.state.Revision:
		op.Response = Response{Outcome: Failed, Error: ErrorFuture}
	case r.Kind == Range && r.Revision > 0 && r.Revision < g.compacted:
		op.Response = Response{Outcome: Failed, Error: ErrorCompacted}
	case r.Kind == Range && r.Revision > 0:
		op.Response, _, _ = g.past(r.Revision).Try(r)
		op.Response.Revision = g.state.Revision
	default:
		var changes []Change
		op.Response, changes, _ = g.state.Try(r)
		g.commit(changes)
	}
	if op.Response.Outcome == OK {
		g.session[op.Client] = op.Response.Revision
	}
}

func (g *generator) commit(changes []Change) {
	if len(changes) == 0 {
		return
	}
	g.state.Commit(changes)
	g.log = append(g.log, changes...)
	g.made = append(g.made, g.now)
}

func (g *generator) expire(lease int64) {
	_, changes, _ := g.state.Try(&Request{Kind: Revoke, Lease: lease})
	g.commit(changes)
}

// past is the state at a revision.
func (g *generator) past(revision int64) *State {
	s := NewState(1, nil)
	for i := 0; i < len(g.log) && g.log[i].KV.Mod <= revision; {
		j := i
		for j < len(g.log) && g.log[j].KV.Mod == g.log[i].KV.Mod {
			j++
		}
		s.Commit(g.log[i:j])
		i = j
	}
	return s
}

func (g *generator) key() string { return fmt.Sprintf("k%02d", g.rng.IntN(g.keys)) }

func (g *generator) put() Request {
	g.unique++
	r := Request{Kind: Put, Key: g.key(), Value: fmt.Sprintf("v%d", g.unique), PrevKV: g.rng.IntN(2) == 0}
	if g.leases && g.rng.IntN(3) == 0 {
		r.Lease = int64(1 + g.rng.IntN(3))
	}
	return r
}

func (g *generator) request() Request {
	dice := g.rng.IntN(100)
	if g.plain {
		switch {
		case dice < 50:
			return g.put()
		case dice < 90:
			return Request{Kind: Range, Key: g.key()}
		}
		return Request{Kind: Delete, Key: g.key(), PrevKV: true}
	}
	switch {
	case dice < 35:
		return g.put()
	case dice < 55:
		return Request{Kind: Range, Key: g.key()}
	case dice < 62:
		return Request{Kind: Range, Key: "k", End: "l", Limit: int64(g.rng.IntN(4)), KeysOnly: g.rng.IntN(4) == 0, CountOnly: g.rng.IntN(4) == 0}
	case dice < 64:
		return Request{Kind: Range, Key: g.key(), End: "\x00", Serializable: true}
	case dice < 66:
		return Request{Kind: Range, Key: g.key(), Revision: 1 + g.rng.Int64N(g.state.Revision+2)}
	case dice < 74:
		return Request{Kind: Delete, Key: g.key(), PrevKV: g.rng.IntN(2) == 0}
	case dice < 76:
		k := g.key()
		return Request{Kind: Delete, Key: k, End: k + "~", PrevKV: true}
	case dice < 77 && g.compactions:
		return Request{Kind: Compact, Revision: max(g.compacted, g.state.Revision-g.rng.Int64N(20), 1)}
	case dice < 79 && g.leases:
		return Request{Kind: Revoke, Lease: int64(1 + g.rng.IntN(3))}
	}
	return g.txn()
}

func (g *generator) txn() Request {
	k := g.key()
	now := g.state.kvs[k]
	r := Request{Kind: Txn, Then: []Request{g.put(), {Kind: Range, Key: k}}, Else: []Request{{Kind: Range, Key: k}}}
	if other := g.put(); other.Key != r.Then[0].Key {
		r.Then = append(r.Then, other)
	}
	switch g.rng.IntN(4) {
	case 0:
		r.Compares = []Compare{{Key: k, Target: TargetMod, Number: now.Mod}}
	case 1:
		r.Compares = []Compare{{Key: k, Target: TargetValue, Value: now.Value}}
	case 2:
		r.Compares = []Compare{{Key: k, Target: TargetVersion, Relation: Relation(g.rng.IntN(4)), Number: g.rng.Int64N(3)}}
	case 3:
		r.Compares = []Compare{{Key: k, Target: TargetCreate, Relation: NotEqual}, {Key: g.key(), Target: TargetVersion, Relation: Greater}}
		r.Else = append(r.Else, Request{Kind: Delete, Key: k}, Request{Kind: Txn, Then: []Request{{Kind: Range, Key: g.key()}}})
	}
	return r
}

// watch records a correct watcher of the whole run.
func (g *generator) watch() Watch {
	w := Watch{Client: 1000, Key: g.key(), PrevKV: g.rng.IntN(2) == 0, NoPuts: g.rng.IntN(5) == 0, NoDeletes: g.rng.IntN(5) == 0}
	w.End = []string{"", "\x00", "l"}[g.rng.IntN(3)]
	last := g.state.Revision
	if g.rng.IntN(2) == 0 {
		w.Created = 1 + g.rng.Int64N(last)
	} else {
		w.Start = 1 + g.rng.Int64N(last)
	}
	w.MustReach = last
	c := watchChecker{w: &w}
	for i := 0; i < len(g.log); {
		revision := g.log[i].KV.Mod
		response := WatchResponse{Time: g.made[revision-2], Revision: revision}
		for ; i < len(g.log) && g.log[i].KV.Mod == revision; i++ {
			if e := g.log[i]; revision >= c.start() && c.wants(&e) {
				if !w.PrevKV {
					e.Prev = nil
				}
				response.Events = append(response.Events, e)
			}
		}
		n := len(w.Responses)
		switch {
		case len(response.Events) == 0 && (revision < c.start() || g.rng.IntN(10) > 0):
		case n > 0 && len(response.Events) > 0 && len(w.Responses[n-1].Events) > 0 && g.rng.IntN(3) == 0:
			before := &w.Responses[n-1] // several revisions in one response
			before.Events = append(before.Events, response.Events...)
			before.Time, before.Revision = response.Time, revision
		default:
			w.Responses = append(w.Responses, response)
		}
	}
	return w
}
