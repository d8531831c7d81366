package e2e

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// txnCompare runs one compare each on a key {value "v", version 2} and on a missing one.
func txnCompare(u *user) {
	ctx, k, missing := timeout(u.T, 30*time.Second), u.key("k"), u.key("missing")
	create := must(u.client.Put(ctx, k, "u"))(u).Header.Revision
	mod := must(u.client.Put(ctx, k, "v"))(u).Header.Revision
	cases := []struct {
		name string
		cmp  clientv3.Cmp
		want bool
	}{
		{"value =", clientv3.Compare(clientv3.Value(k), "=", "v"), true},
		{"value !=", clientv3.Compare(clientv3.Value(k), "!=", "v"), false},
		{"value <", clientv3.Compare(clientv3.Value(k), "<", "w"), true},
		{"value >", clientv3.Compare(clientv3.Value(k), ">", "u"), true},
		{"version =", clientv3.Compare(clientv3.Version(k), "=", 2), true},
		{"version >", clientv3.Compare(clientv3.Version(k), ">", 2), false},
		{"create =", clientv3.Compare(clientv3.CreateRevision(k), "=", create), true},
		{"mod =", clientv3.Compare(clientv3.ModRevision(k), "=", mod), true},
		{"mod <", clientv3.Compare(clientv3.ModRevision(k), "<", mod), false},
		{"lease =", clientv3.Compare(clientv3.LeaseValue(k), "=", 0), true},
		{"missing: version 0", clientv3.Compare(clientv3.Version(missing), "=", 0), true},
		{"missing: create 0", clientv3.Compare(clientv3.CreateRevision(missing), "=", 0), true},
		{"missing: value = is false", clientv3.Compare(clientv3.Value(missing), "=", ""), false},
		{"missing: value != is false too", clientv3.Compare(clientv3.Value(missing), "!=", "v"), false},
		{"range: all", clientv3.Compare(clientv3.Version(u.prefix), ">", 1).WithPrefix(), true},
		{"range: not all", clientv3.Compare(clientv3.Version(u.prefix), ">", 2).WithPrefix(), false},
		{"range: empty is one missing key", clientv3.Compare(clientv3.Version(missing), "=", 0).WithPrefix(), true},
	}
	for _, c := range cases {
		got := must(u.client.Txn(ctx).If(c.cmp).Then(clientv3.OpGet(k)).Else().Commit())(u)
		if got.Succeeded != c.want {
			u.Errorf("%s: %t, want %t", c.name, got.Succeeded, c.want)
		}
		if n := len(got.Responses); (n == 1) != c.want {
			u.Errorf("%s: %d responses", c.name, n)
		}
	}
	both := must(u.client.Txn(ctx).If(cases[0].cmp, cases[1].cmp).Commit())(u)
	if both.Succeeded {
		u.Error("one of two compares failed, the transaction succeeded")
	}
}

// txnAtomic: all writes of a transaction have one revision; what is read inside sees what was written before it.
func txnAtomic(u *user) {
	ctx := timeout(u.T, 30*time.Second)
	must(u.client.Put(ctx, u.key("old"), "o"))(u)
	got := must(u.client.Txn(ctx).Then(
		clientv3.OpPut(u.key("a"), "1"),
		clientv3.OpGet(u.key("a")),
		clientv3.OpDelete(u.key("old"), clientv3.WithPrevKV()),
		clientv3.OpGet(u.prefix, clientv3.WithPrefix()),
		clientv3.OpPut(u.key("b"), "2"),
	).Commit())(u)
	rev := got.Header.Revision
	if inner := got.Responses[1].GetResponseRange(); len(inner.Kvs) != 1 || inner.Kvs[0].ModRevision != rev {
		u.Errorf("the get after the put, inside: %v", inner)
	}
	if del := got.Responses[2].GetResponseDeleteRange(); del.Deleted != 1 || string(del.PrevKvs[0].Value) != "o" {
		u.Errorf("the delete inside: %v", del)
	}
	if inner := got.Responses[3].GetResponseRange(); u.names(inner.Kvs) != "a" {
		u.Errorf("the range inside: %v", inner)
	}
	for _, kv := range must(u.client.Get(ctx, u.prefix, clientv3.WithPrefix()))(u).Kvs {
		if kv.ModRevision != rev {
			u.Errorf("%s has revision %d, its transaction %d", kv.Key, kv.ModRevision, rev)
		}
	}
	// A transaction that fails leaves nothing, not even of its first operations.
	_, err := u.client.Txn(ctx).Then(
		clientv3.OpPut(u.key("c"), "3"),
		clientv3.OpPut(u.key("d"), "4", clientv3.WithLease(0x7eadbeef)),
	).Commit()
	if err == nil {
		u.Fatal("a put with an unknown lease was accepted inside a transaction")
	}
	if left := must(u.client.Get(ctx, u.key("c")))(u); left.Count != 0 {
		u.Errorf("a transaction failed and left %v", left.Kvs)
	}
}

// txnNested: every compare, also an inner one, is decided on the state before the transaction.
func txnNested(u *user) {
	ctx, k := timeout(u.T, 30*time.Second), u.key("k")
	must(u.client.Put(ctx, k, "before"))(u)
	inner := clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.Value(k), "=", "before")},
		[]clientv3.Op{clientv3.OpPut(u.key("chosen"), "then"), clientv3.OpGet(k)},
		[]clientv3.Op{clientv3.OpPut(u.key("chosen"), "else")},
	)
	got := must(u.client.Txn(ctx).Then(clientv3.OpPut(k, "after"), inner).Commit())(u)
	nested := got.Responses[1].GetResponseTxn()
	if !nested.Succeeded {
		u.Fatal("the inner compare saw the outer put")
	}
	if kv := nested.Responses[1].GetResponseRange().Kvs[0]; string(kv.Value) != "after" {
		u.Errorf("the inner get read %q, want what the outer put wrote", kv.Value)
	}
	chosen := must(u.client.Get(ctx, u.key("chosen")))(u).Kvs[0]
	if string(chosen.Value) != "then" || chosen.ModRevision != got.Header.Revision {
		u.Errorf("the inner put: %v", chosen)
	}
}

// casCounter has eight clients add 25 each to one counter by compare-and-swap; none may get lost.
func casCounter(u *user) {
	const clients, additions = 8, 25
	ctx, k := timeout(u.T, 60*time.Second), u.key("n")
	must(u.client.Put(ctx, k, "0"))(u)
	var wg sync.WaitGroup
	for i := range clients {
		endpoint := u.cluster.Endpoints()[i%len(u.cluster.Members)]
		client := connect(u.T, endpoint)
		wg.Go(func() {
			for range additions {
				for !addOne(u, client, k) {
				}
			}
		})
	}
	wg.Wait()
	kv := must(u.client.Get(ctx, k))(u).Kvs[0]
	if want := fmt.Sprint(clients * additions); string(kv.Value) != want || kv.Version != clients*additions+1 {
		u.Fatalf("the counter is %s at version %d, want %s", kv.Value, kv.Version, want)
	}
}

// addOne is one round of read, compare and swap; it reports whether it won. A failure ends the loop as if it had.
func addOne(u *user, client *clientv3.Client, k string) bool {
	ctx := timeout(u.T, 30*time.Second)
	got, err := client.Get(ctx, k)
	if err != nil {
		u.Error(err)
		return true
	}
	n, err := strconv.Atoi(string(got.Kvs[0].Value))
	if err != nil {
		u.Error(err)
		return true
	}
	swap, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(k), "=", got.Kvs[0].ModRevision)).
		Then(clientv3.OpPut(k, fmt.Sprint(n+1))).Commit()
	if err != nil {
		u.Error(err)
		return true
	}
	return swap.Succeeded
}
