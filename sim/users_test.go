package sim

import (
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// The model of users and roles and the real table answer alike, whatever the
// administrator does and whoever asks for what: two programs that share nothing.
func TestAuthModelAgrees(t *testing.T) {
	w := newWorld(Options{Seed: 5})
	w.plan.Load.Keys = 12
	a := &administrator{w: w}
	table, m, d := auth.NewTable(), w.oracle.model, w.loadDraw
	denied, allowed := 0, 0
	for i := range 4000 {
		change := a.change()
		if i >= len(a.beginning()) {
			a.step = i
		}
		if i < len(a.beginning()) {
			change, a.step = a.beginning()[i], i+1
		}
		got, want := table.Apply(change.(auth.Change)), m.changeAuth(change.(auth.Change))
		if got != want {
			t.Fatalf("%T %+v: %v, the model says %v", change, change, got, want)
		}
		now := m.auth.now()
		if now.revision != table.Revision() || now.enabledAt != table.EnabledAt() {
			t.Fatalf("after %T: revision %d enabled at %d, the model has %d and %d", change, table.Revision(), table.EnabledAt(), now.revision, now.enabledAt)
		}
		for range 5 {
			key, end := watchSpan(d, w.plan.Load.Keys)
			c := auth.Caller{Name: pick(d, "u1", "u2", "u3", "root", "nobody", ""), Revision: pick(d, table.Revision(), table.Revision(), table.Revision(), 0, 3)}
			access := auth.Access(d.IntN(2))
			got, want := table.Keys(c, access, key, end), now.may(c, access, key, end)
			if got != want {
				t.Fatalf("%+v access %d to [%q, %q): %v, the model says %v", c, access, key, end, got, want)
			}
			switch {
			case got == auth.ErrDenied:
				denied++
			case got == nil && now.enabled() && c.Name != auth.Root:
				allowed++
			}
		}
	}
	if denied < 1000 || allowed < 1000 {
		t.Errorf("%d denied, %d allowed: the test says little", denied, allowed)
	}
}

// A key in an answer, and an event on a stream, that its reader may not read, is seen.
func TestSecretsAreSeen(t *testing.T) {
	kv := mvcc.KeyValue{Key: []byte("k001"), ModRevision: 1}
	w := newWorld(Options{Seed: 1})
	m := w.oracle.model
	for _, c := range []auth.Change{&auth.UserAdd{Name: auth.Root}, &auth.UserGrant{User: auth.Root, Role: auth.Root}, &auth.UserAdd{Name: "u1"}, &auth.Enable{}} {
		if err := m.changeAuth(c); err != nil {
			t.Fatal(err)
		}
	}
	for what, r := range map[string]*state.Result{
		"previous value of a put":    {Put: &mvcc.PutResult{Prev: &kv}},
		"previous value of a delete": {Delete: &mvcc.DeleteRangeResult{Prev: []mvcc.KeyValue{kv}}},
		"range in an inner txn": {Txn: &mvcc.TxnResult{Ops: []mvcc.OpResult{{Txn: &mvcc.TxnResult{
			Ops: []mvcc.OpResult{{Range: &mvcc.RangeResult{KVs: []mvcc.KeyValue{kv}}}}}}}}},
	} {
		func() {
			defer func() {
				_, ours := recover().(stopRun)
				if !ours || w.failure == nil || !strings.HasPrefix(w.failure.Check, "A1") {
					t.Errorf("%s: not seen (%+v)", what, w.failure)
				}
				w.failure = nil
			}()
			w.checkSecrets(auth.Caller{Name: "u1"}, r)
		}()
		w.checkSecrets(auth.Caller{Name: auth.Root}, r)
	}
}
