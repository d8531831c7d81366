package state_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/snapshot"
)

// An Exporter is a source of snapshots without either package knowing the other.
var _ snapshot.Source = (*state.Exporter)(nil)

// author applies random commands.
type author struct {
	*state.State
	rng *rand.Rand
}

func newAuthor(seed uint64) *author {
	s := state.New(state.Options{Members: []state.ConfigMember{{ID: 1}, {ID: 2}}})
	return &author{State: s, rng: rand.New(rand.NewPCG(seed, seed))}
}

func (a *author) body(keys int) state.Body {
	key := fmt.Appendf(nil, "/registry/pods/default/%08d", a.rng.IntN(keys))
	switch a.rng.IntN(20) {
	case 0:
		return &mvcc.DeleteRangeRequest{Key: key}
	case 1:
		return &state.LeaseGrantRequest{ID: 1 + a.rng.Int64N(50), TTL: 60}
	case 2:
		return &state.LeaseRevokeRequest{ID: 1 + a.rng.Int64N(50)}
	case 3:
		return &state.CompactRequest{Revision: a.Revision() - 5}
	default:
		return &mvcc.PutRequest{Key: key, Value: value(a.rng, 100), Lease: a.rng.Int64N(50) * int64(a.rng.IntN(2))}
	}
}

// value is JSON-like text of about that size.
func value(rng *rand.Rand, size int) []byte {
	b := fmt.Appendf(nil, `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"pod-%d","uid":"%016x","labels":{"app":"web"}},"status":"`, rng.IntN(1e6), rng.Uint64())
	for len(b) < size-2 {
		b = append(b, "Running "...)
	}
	return append(b, `"}`...)
}

// entries makes the data of the next n entries, for applying to many states.
func (a *author) entries(n, keys int, seq *uint64) (list [][]byte) {
	for range n {
		var batch []state.Encoded
		for range 1 + a.rng.IntN(10) {
			*seq++
			id := state.RequestID{Member: 1 + uint64(a.rng.IntN(2)), Incarnation: 7, Boot: 1, Seq: *seq - uint64(a.rng.IntN(3))}
			batch = append(batch, state.Encoded{ID: id, Term: 1, Body: state.AppendBody(nil, a.body(keys))})
		}
		list = append(list, state.AppendBatch(nil, batch))
	}
	return list
}

func applyAll(t testing.TB, s *state.State, entries [][]byte) (answers []string) {
	t.Helper()
	for _, data := range entries {
		if err := s.Apply(s.AppliedIndex()+1, 1, data, func(id state.RequestID, r *state.Result) {
			answers = append(answers, fmt.Sprint(id, r.Revision, r.Err))
		}); err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

func meta(s *state.State) raft.SnapshotMeta {
	m := raft.SnapshotMeta{Last: raft.EntryID{Index: raft.Index(s.AppliedIndex()), Term: raft.Term(s.AppliedTerm())}}
	m.Config.Config.Members = []raft.Member{{ID: 1, Voter: true}, {ID: 2, Voter: true}}
	return m
}

// load reads a snapshot file into a State.
func load(dir *snapshot.Dir, last raft.EntryID, run snapshot.Runner) (*state.State, error) {
	r, err := dir.Open(last)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	l := state.NewLoader(state.Options{})
	if err := r.Load(run, l.Add); err != nil {
		return nil, err
	}
	s, err := l.Finish()
	if err == nil && s.Hash() != r.StateHash() {
		err = fmt.Errorf("state hash %x, the file says %x", s.Hash(), r.StateHash())
	}
	return s, err
}

func goRunner(task func()) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(task)
	return wg.Wait
}

// State → file → state, while writes go on between the steps; then both go on
// alike (mutants 48, 49, 72).
func TestSnapshotFileHoldsTheState(t *testing.T) {
	for seed := range uint64(6) {
		a := newAuthor(seed)
		var seq uint64
		applyAll(t, a.State, a.entries(150, 200, &seq))
		dir, err := snapshot.OpenDir(snapshot.Options{FS: disk.NewMem(), Path: "snap", Cluster: 1})
		if err != nil {
			t.Fatal(err)
		}
		m, e := meta(a.State), a.Export()
		w := dir.Create(snapshot.Content{Meta: m, StateHash: e.Hash(), Source: e})
		var since [][]byte
		var answers []string
		for done := false; !done; {
			if done, err = w.Step(); err != nil {
				t.Fatal(err)
			}
			next := a.entries(3, 200, &seq)
			since = append(since, next...)
			answers = append(answers, applyAll(t, a.State, next)...)
			a.CompactStep(10)
		}
		for _, run := range []snapshot.Runner{nil, goRunner} {
			copied, err := load(dir, m.Last, run)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if copied.AppliedIndex() != uint64(m.Last.Index) || copied.AppliedTerm() != uint64(m.Last.Term) {
				t.Errorf("seed %d: loaded at %d@%d", seed, copied.AppliedIndex(), copied.AppliedTerm())
			}
			if got := applyAll(t, copied, since); fmt.Sprint(got) != fmt.Sprint(answers) {
				t.Errorf("seed %d: the copy answers otherwise", seed)
			}
			if copied.Hash() != a.Hash() {
				t.Errorf("seed %d: hashes %x, %x", seed, copied.Hash(), a.Hash())
			}
		}
	}
}

// BenchmarkSnapshot writes and loads a store of JSON-like values; ratio is the
// file's size to keys and values.
func BenchmarkSnapshot(b *testing.B) {
	for _, keys := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) { benchmarkSnapshot(b, keys) })
	}
}

func benchmarkSnapshot(b *testing.B, keys int) {
	a := newAuthor(1)
	raw := 0
	for i := 0; i < keys; {
		var batch []state.Encoded
		for ; i < keys && len(batch) < 100; i++ {
			p := &mvcc.PutRequest{Key: fmt.Appendf(nil, "/registry/pods/default/%09d", i), Value: value(a.rng, 256)}
			raw += len(p.Key) + len(p.Value)
			batch = append(batch, state.Encoded{Term: 1, Body: state.AppendBody(nil, p)})
		}
		applyAll(b, a.State, [][]byte{state.AppendBatch(nil, batch)})
	}
	fs := disk.NewMem()
	dir, err := snapshot.OpenDir(snapshot.Options{FS: fs, Path: "snap"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		for range b.N {
			e := a.Export()
			w := dir.Create(snapshot.Content{Meta: meta(a.State), StateHash: e.Hash(), Source: e})
			for done := false; !done; {
				if done, err = w.Step(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.Info().Size)/float64(raw), "ratio")
		}
	})
	for name, run := range map[string]snapshot.Runner{"inplace": nil, "goroutines": goRunner} {
		b.Run("load/run="+name, func(b *testing.B) {
			for range b.N {
				if _, err := load(dir, meta(a.State).Last, run); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
