package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/ordering"
	"go.uber.org/zap"
)

// TestGo runs the packages of client/v3 that build on the plain calls; those
// have tests of their own in internal/e2e.
func TestGo(t *testing.T) {
	endpoint := start(t)
	for _, c := range []struct {
		name string
		run  func(context.Context, *testing.T, *clientv3.Client)
	}{
		{"concurrency", useConcurrency},
		{"leasing", useLeasing},
		{"mirror", useMirror},
		{"namespace", useNamespace},
		{"ordering", useOrdering},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			c.run(ctx, t, connect(t, endpoint))
		})
	}
}

func connect(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

func useConcurrency(ctx context.Context, t *testing.T, cli *clientv3.Client) {
	one, two := session(ctx, t, cli), session(ctx, t, cli)
	first, second := concurrency.NewMutex(one, "/go/lock"), concurrency.NewMutex(two, "/go/lock")
	if err := first.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := second.TryLock(ctx); !errors.Is(err, concurrency.ErrLocked) {
		t.Errorf("a lock that is taken: %v", err)
	}
	if err := errors.Join(first.Unlock(ctx), second.Lock(ctx), second.Unlock(ctx)); err != nil {
		t.Error(err)
	}
	election := concurrency.NewElection(one, "/go/election")
	if err := election.Campaign(ctx, "me"); err != nil {
		t.Fatal(err)
	}
	if leader, err := election.Leader(ctx); err != nil || string(leader.Kvs[0].Value) != "me" {
		t.Errorf("leader %v, %v", leader, err)
	}
	if err := election.Resign(ctx); err != nil {
		t.Error(err)
	}
	_, err := concurrency.NewSTM(cli, func(stm concurrency.STM) error {
		stm.Put("/go/stm", stm.Get("/go/stm")+"x")
		return nil
	})
	if got := value(ctx, t, cli, "/go/stm"); err != nil || got != "x" {
		t.Errorf("stm: %q, %v", got, err)
	}
}

func session(ctx context.Context, t *testing.T, cli *clientv3.Client) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(cli, concurrency.WithTTL(30), concurrency.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func value(ctx context.Context, t *testing.T, kv clientv3.KV, key string) string {
	t.Helper()
	r, err := kv.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Kvs) == 0 {
		return ""
	}
	return string(r.Kvs[0].Value)
}

// useLeasing: a leasing client answers from its cache until somebody else writes.
func useLeasing(ctx context.Context, t *testing.T, cli *clientv3.Client) {
	cached, stop, err := leasing.NewKV(cli, "/go/leasing/")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	other, stopOther, err := leasing.NewKV(cli, "/go/leasing/")
	if err != nil {
		t.Fatal(err)
	}
	defer stopOther()
	if _, err := cached.Put(ctx, "/go/k", "1"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if got := value(ctx, t, cached, "/go/k"); got != "1" {
			t.Errorf("read %d: %q", i, got)
		}
	}
	if _, err := other.Put(ctx, "/go/k", "2"); err != nil { // asks the holder to give the lease up
		t.Fatal(err)
	}
	if got := value(ctx, t, cached, "/go/k"); got != "2" {
		t.Errorf("after another client's write: %q", got)
	}
	txn, err := cached.Txn(ctx).If(clientv3.Compare(clientv3.Value("/go/k"), "=", "2")).Then(clientv3.OpPut("/go/k", "3")).Commit()
	if err != nil || !txn.Succeeded {
		t.Errorf("%v %v", txn, err)
	}
	if _, err := other.Delete(ctx, "/go/k"); err != nil {
		t.Error(err)
	}
	if got := value(ctx, t, cached, "/go/k"); got != "" {
		t.Errorf("after the delete: %q", got)
	}
}

// useMirror copies a prefix as it was, in pages, and then its changes.
func useMirror(ctx context.Context, t *testing.T, cli *clientv3.Client) {
	const keys = 1500 // more than a page
	for i := 0; i < keys; i += 100 {
		var ops []clientv3.Op
		for j := i; j < i+100; j++ {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("/go/mirror/%04d", j), "x"))
		}
		if _, err := cli.Txn(ctx).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	syncer := mirror.NewSyncer(cli, "/go/mirror/", 0)
	got := map[string]string{}
	base, errs := syncer.SyncBase(ctx)
	for page := range base {
		for _, kv := range page.Kvs {
			got[string(kv.Key)] = string(kv.Value)
		}
	}
	if err := <-errs; err != nil || len(got) != keys {
		t.Fatalf("%d keys, %v", len(got), err)
	}
	updates := syncer.SyncUpdates(ctx)
	if _, err := cli.Delete(ctx, "/go/mirror/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	for len(got) > 0 {
		update := <-updates
		if err := update.Err(); err != nil {
			t.Fatal(err)
		}
		for _, ev := range update.Events {
			delete(got, string(ev.Kv.Key))
		}
	}
}

func useNamespace(ctx context.Context, t *testing.T, cli *clientv3.Client) {
	kv := namespace.NewKV(cli.KV, "/go/space/")
	watch := namespace.NewWatcher(cli.Watcher, "/go/space/").Watch(ctx, "k", clientv3.WithPrefix())
	if _, err := kv.Put(ctx, "k1", "v"); err != nil {
		t.Fatal(err)
	}
	if got := value(ctx, t, cli, "/go/space/k1"); got != "v" {
		t.Errorf("outside: %q", got)
	}
	if event := (<-watch).Events[0]; string(event.Kv.Key) != "k1" {
		t.Errorf("watched %s", event.Kv.Key)
	}
	if r, err := kv.Get(ctx, "", clientv3.WithFromKey()); err != nil || len(r.Kvs) != 1 || string(r.Kvs[0].Key) != "k1" {
		t.Errorf("inside: %v %v", r, err)
	}
	lease, err := namespace.NewLease(cli.Lease, "/go/space/").Grant(ctx, 30)
	if err != nil || lease.TTL != 30 {
		t.Errorf("%v %v", lease, err)
	}
}

// useOrdering: its client refuses answers that are older than what it has seen.
func useOrdering(ctx context.Context, t *testing.T, cli *clientv3.Client) {
	kv := ordering.NewKV(cli.KV, func(op clientv3.Op, _ clientv3.OpResponse, prev int64) error {
		return fmt.Errorf("an answer is older than revision %d", prev)
	})
	for i := range 50 {
		if _, err := kv.Put(ctx, "/go/order", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		r, err := kv.Get(ctx, "/go/order", clientv3.WithSerializable())
		if err != nil || string(r.Kvs[0].Value) != fmt.Sprint(i) {
			t.Fatalf("read %d: %v %v", i, r, err)
		}
	}
	_, err := kv.Txn(ctx).Then(clientv3.OpGet("/go/order", clientv3.WithRev(1<<40))).Commit()
	if err == nil || !strings.Contains(err.Error(), "future revision") {
		t.Errorf("an error through it: %v", err)
	}
}
