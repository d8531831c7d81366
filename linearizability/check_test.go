package linearizability

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// TestCorrectHistoriesHold: whatever a correct store does passes every check.
func TestCorrectHistoriesHold(t *testing.T) {
	for name, p := range map[string]plan{
		"one client":  {operations: 300, clients: 1, keys: 3},
		"concurrent":  {operations: 600, clients: 8, keys: 5, watchers: 5},
		"ambiguous":   {operations: 600, clients: 8, keys: 20, ambiguous: 0.05, failed: 0.05, watchers: 5},
		"leases":      {operations: 600, clients: 5, keys: 10, leases: true, ambiguous: 0.02, watchers: 5},
		"compactions": {operations: 600, clients: 5, keys: 10, compactions: true, watchers: 5},
		"no log":      {operations: 600, clients: 8, keys: 10, noLog: true},
		"plain":       {operations: 2000, clients: 16, keys: 10, plain: true, ambiguous: 0.02, failed: 0.02, watchers: 3},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(6) {
				h := generate(seeded(seed), p)
				report := Check(h, Options{LeasesExpire: p.leases})
				if err := report.Err(); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if report.Windows == 0 && !p.leases {
					t.Fatalf("seed %d: no window was checked", seed)
				}
			}
		})
	}
}

// TestCorrectHistoriesHoldRapid draws the plan, too.
func TestCorrectHistoriesHoldRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plan{
			operations: rapid.IntRange(1, 120).Draw(t, "operations"), clients: rapid.IntRange(1, 10).Draw(t, "clients"),
			keys: rapid.IntRange(1, 8).Draw(t, "keys"), leases: rapid.Bool().Draw(t, "leases"),
			compactions: rapid.Bool().Draw(t, "compactions"), watchers: rapid.IntRange(0, 4).Draw(t, "watchers"),
			ambiguous: rapid.Float64Range(0, 0.1).Draw(t, "ambiguous"), failed: rapid.Float64Range(0, 0.1).Draw(t, "failed"),
		}
		h := generate(seeded(rapid.Uint64().Draw(t, "seed")), p)
		if err := Check(h, Options{LeasesExpire: p.leases}).Err(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBuggyStores runs stores with a bug, each at random places, and wants
// most runs to be caught, each by one of the named checks; what is not caught
// was not visible to any client.
func TestBuggyStores(t *testing.T) {
	sometimes := func(g *generator, one int) bool { return g.rng.IntN(one) == 0 && g.state.Revision > 20 }
	for name, bug := range map[string]func(*generator, *Operation) bool{
		"stale read": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Range || op.Request.Revision > 0 || op.Request.Serializable || !sometimes(g, 10) {
				return false
			}
			op.Response, _, _ = g.past(g.state.Revision - 15).Try(&op.Request)
			return true
		},
		"stale read under a fresh revision": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Range || op.Request.Revision > 0 || op.Request.Serializable || !sometimes(g, 5) {
				return false
			}
			op.Response, _, _ = g.past(g.state.Revision - 15).Try(&op.Request)
			op.Response.Revision = g.state.Revision
			return true
		},
		"lost write": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Put || !sometimes(g, 10) {
				return false
			}
			op.Response, _, _ = g.state.Try(&op.Request)
			return true
		},
		"write applied twice": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Put || !sometimes(g, 10) {
				return false
			}
			g.run2(op)
			_, changes, _ := g.state.Try(&op.Request)
			g.commit(changes)
			return true
		},
		"split transaction": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Txn || !sometimes(g, 5) {
				return false
			}
			response, changes, _ := g.state.Try(&op.Request)
			if len(changes) < 2 {
				return false
			}
			for _, c := range changes {
				c.KV.Mod = g.state.Revision + 1
				g.commit([]Change{c})
			}
			op.Response = response
			return true
		},
		"version not raised": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Put || g.state.kvs[op.Request.Key].Version == 0 || !sometimes(g, 10) {
				return false
			}
			response, changes, _ := g.state.Try(&op.Request)
			changes[0].KV.Version--
			g.commit(changes)
			op.Response = response
			return true
		},
		"tombstone for a missing key": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Delete || op.Request.End != "" || g.state.kvs[op.Request.Key].Version != 0 || !sometimes(g, 3) {
				return false
			}
			g.commit([]Change{{KV: KeyValue{Key: op.Request.Key, Mod: g.state.Revision + 1}, Deleted: true}})
			op.Response = Response{Outcome: OK, Revision: g.state.Revision}
			return true
		},
		"refused and done": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Put || !sometimes(g, 10) {
				return false
			}
			_, changes, _ := g.state.Try(&op.Request)
			g.commit(changes)
			op.Response = Response{Outcome: Failed}
			return true
		},
		"comparison ignored": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Txn || !sometimes(g, 5) {
				return false
			}
			forced := op.Request
			forced.Compares = nil
			response, changes, _ := g.state.Try(&forced)
			if honest, _, _ := g.state.Try(&op.Request); honest.Succeeded {
				return false
			}
			g.commit(changes)
			op.Response = response
			return true
		},
		"failed transaction makes a revision": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Txn || !sometimes(g, 3) {
				return false
			}
			response, changes, _ := g.state.Try(&op.Request)
			if len(changes) > 0 {
				return false
			}
			g.state.Revision++
			g.made = append(g.made, g.now)
			response.Revision++
			op.Response = response
			return true
		},
		"delete leaves a key of the range": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Delete || !sometimes(g, 2) {
				return false
			}
			response, changes, _ := g.state.Try(&op.Request)
			if len(changes) == 0 {
				return false
			}
			g.state.Revision++
			g.made = append(g.made, g.now)
			op.Response = response
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			hits := 0
			defer func() {
				if hits < 4 {
					t.Errorf("the bug showed in %d runs only", hits)
				}
			}()
			for seed := range uint64(6) {
				fired := false
				h := generate(seeded(seed), plan{operations: 500, clients: 6, keys: 5, ambiguous: 0.02, bug: func(g *generator, op *Operation) bool {
					hit := bug(g, op)
					fired = fired || hit
					return hit
				}})
				if !fired {
					continue
				}
				hits++
				switch first := Check(h, Options{}).First(); {
				case first == nil:
					t.Errorf("seed %d: not found", seed)
				case first.Result == Unknown:
					t.Errorf("seed %d: not decided: %v", seed, first)
				}
			}
		})
	}
}

// run2 applies an operation properly, from within a bug.
func (g *generator) run2(op *Operation) {
	bug := g.bug
	g.bug = nil
	g.run(op, true)
	g.bug = bug
}

// TestPerKeyAlone: the values-only search finds bugs without a revision's help.
func TestPerKeyAlone(t *testing.T) {
	bugs := map[string]func(*generator, *Operation) bool{
		"stale read": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Range || g.rng.IntN(10) > 0 || g.state.Revision < 200 {
				return false
			}
			op.Response, _, _ = g.past(g.state.Revision - 150).Try(&op.Request)
			return true
		},
		"lost write": func(g *generator, op *Operation) bool {
			if op.Request.Kind != Put || g.rng.IntN(20) > 0 {
				return false
			}
			op.Response, _, _ = g.state.Try(&op.Request)
			return true
		},
	}
	for name, bug := range bugs {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				h := generate(seeded(seed), plan{operations: 1500, clients: 6, keys: 5, plain: true, ambiguous: 0.01, bug: bug})
				options := Options{}
				options.setDefaults()
				if _, v := checkPerKey(h, &options); v.Result != Violated || v.Key == "" || len(v.Operations) == 0 {
					t.Errorf("seed %d: %v", seed, v)
				}
			}
		})
	}
}

// TestScale holds the checks to their cost.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("slow with -race")
	}
	for _, keys := range []int{10, 1000} {
		h := generate(seeded(1), plan{operations: 50000, clients: 16, keys: keys, plain: true, ambiguous: 0.02, watchers: 3})
		options := Options{}
		options.setDefaults()
		began := time.Now()
		replay, v := checkWitness(h, &options)
		if v.Failed() {
			t.Fatal(v)
		}
		if v := checkRealTime(h, replay); v.Failed() {
			t.Fatal(v)
		}
		witnessTook := time.Since(began)
		began = time.Now()
		if _, v := checkPerKey(h, &options); v.Failed() {
			t.Fatal(v)
		}
		perKeyTook := time.Since(began)
		t.Logf("50,000 operations on %d keys: witness %v, per key %v", keys, witnessTook, perKeyTook)
		// Far above what they take, far below what a quadratic one would.
		if witnessTook > 15*time.Second || perKeyTook > 15*time.Second {
			t.Errorf("too slow: witness %v, per key %v", witnessTook, perKeyTook)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, keys := range []int{10, 1000} {
		b.Run(fmt.Sprintf("keys=%d/operations=10000", keys), func(b *testing.B) {
			h := generate(seeded(1), plan{operations: 10000, clients: 8, keys: keys, plain: true, ambiguous: 0.02})
			for b.Loop() {
				if err := Check(h, Options{}).Err(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
