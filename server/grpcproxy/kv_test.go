package grpcproxy

import (
	"bytes"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/servertest"
)

// TestCachedReads: the second serializable read comes from memory, until a write through the proxy; a linearizable
// one never does.
func TestCachedReads(t *testing.T) {
	p, through, direct := behind(t)
	ctx := soon(t)
	must(through.Put(ctx, "a", "1"))(t)
	read := func(opts ...clientv3.OpOption) string {
		t.Helper()
		r := must(through.Get(ctx, "a", opts...))(t)
		if len(r.Kvs) == 0 {
			return "-"
		}
		return string(r.Kvs[0].Value)
	}
	if got := read(); got != "1" {
		t.Fatal(got)
	}
	must(direct.Put(ctx, "a", "2"))(t)
	if got := read(clientv3.WithSerializable()); got != "1" || value(t, p.meter.hits) != 1 {
		t.Errorf("%s with %v hits: it should come from memory", got, value(t, p.meter.hits))
	}
	if got := read(); got != "2" {
		t.Errorf("a linearizable read gave %s", got)
	}
	for name, write := range map[string]func() error{
		"put":    func() error { _, err := through.Put(ctx, "a", "3"); return err },
		"delete": func() error { _, err := through.Delete(ctx, "", clientv3.WithPrefix()); return err },
		"txn": func() error {
			_, err := through.Txn(ctx).Then(clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut("a", "4")}, nil)).Commit()
			return err
		},
		"a lost comparison": func() error {
			must(direct.Put(ctx, "a", "5"))(t)
			_, err := through.Txn(ctx).If(clientv3.Compare(clientv3.Value("a"), "=", "x")).Commit()
			return err
		},
	} {
		read(clientv3.WithSerializable())
		if err := write(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := "-"
		if r := must(direct.Get(ctx, "a"))(t); len(r.Kvs) > 0 {
			want = string(r.Kvs[0].Value)
		}
		if got := read(clientv3.WithSerializable()); got != want {
			t.Errorf("after a %s: %s, want %s", name, got, want)
		}
	}
	lease := must(through.Grant(ctx, 60))(t).ID
	must(through.Put(ctx, "a", "leased", clientv3.WithLease(lease)))(t)
	read(clientv3.WithSerializable())
	must(through.Revoke(ctx, lease))(t)
	if got := read(clientv3.WithSerializable()); got != "-" {
		t.Errorf("the lease was revoked, and the key is still %s", got)
	}
}

// TestCachedTxn: what a transaction that only reads has found is known afterwards.
func TestCachedTxn(t *testing.T) {
	p, through, _ := behind(t)
	ctx := soon(t)
	must(through.Put(ctx, "a", "1"))(t)
	must(through.Txn(ctx).Then(clientv3.OpGet("a"), clientv3.OpGet("b")).Commit())(t)
	r := must(through.Get(ctx, "a", clientv3.WithSerializable()))(t)
	if value(t, p.meter.hits) != 1 || len(r.Kvs) != 1 || r.Header.Revision != 2 || r.Count != 1 {
		t.Errorf("%v after %v hits", r, value(t, p.meter.hits))
	}
	must(through.Txn(ctx).Then(clientv3.OpPut("c", "1"), clientv3.OpGet("c")).Commit())(t)
	must(through.Get(ctx, "c", clientv3.WithSerializable()))(t)
	if value(t, p.meter.hits) != 1 {
		t.Error("a read among writes was kept")
	}
}

// TestNamespace: clients see a part of the keys as if it were all, and nothing else.
func TestNamespace(t *testing.T) {
	member, _ := servertest.Start(t)
	direct := connect(t, member)
	a := connect(t, startProxy(t, member, func(c *Config) { c.Namespace = "a/" }).Addr())
	b := connect(t, startProxy(t, member, func(c *Config) { c.Namespace = "b/" }).Addr())
	ctx := soon(t)
	must(direct.Put(ctx, "outside", "x"))(t)
	must(a.Put(ctx, "k", "of a"))(t)
	must(b.Put(ctx, "k", "of b"))(t)
	for c, want := range map[*clientv3.Client]string{a: "of a", b: "of b"} {
		all := must(c.Get(ctx, "", clientv3.WithPrefix()))(t)
		if len(all.Kvs) != 1 || string(all.Kvs[0].Key) != "k" || string(all.Kvs[0].Value) != want {
			t.Errorf("%v, want k %s alone", all.Kvs, want)
		}
	}
	if got := must(direct.Get(ctx, "a/k"))(t); len(got.Kvs) != 1 {
		t.Error("the key isn't where it belongs")
	}
	txn := must(a.Txn(ctx).If(clientv3.Compare(clientv3.Value("k"), "=", "of a")).
		Then(clientv3.OpGet("k"), clientv3.OpPut("k", "again", clientv3.WithPrevKV()), clientv3.OpDelete("x", clientv3.WithFromKey(), clientv3.WithPrevKV())).Commit())(t)
	if !txn.Succeeded || string(txn.Responses[0].GetResponseRange().Kvs[0].Key) != "k" || string(txn.Responses[1].GetResponsePut().PrevKv.Key) != "k" {
		t.Errorf("%v", txn)
	}
	if n := must(a.Delete(ctx, "", clientv3.WithPrefix()))(t).Deleted; n != 1 {
		t.Errorf("%d keys of a", n)
	}
	if left := must(direct.Get(ctx, "", clientv3.WithPrefix()))(t); len(left.Kvs) != 2 {
		t.Errorf("%v", left.Kvs)
	}
	if _, err := pb.NewKVClient(a.ActiveConnection()).Range(ctx, &pb.RangeRequest{}); rpctypes.Error(err) != rpctypes.ErrEmptyKey {
		t.Errorf("no key: %v", err)
	}
}

// TestNamespaceOfLeases: a lease shows the keys in the space.
func TestNamespaceOfLeases(t *testing.T) {
	_, through, direct := behind(t, func(c *Config) { c.Namespace = "a/" })
	ctx := soon(t)
	lease := must(through.Grant(ctx, 60))(t).ID
	must(through.Put(ctx, "k", "", clientv3.WithLease(lease)))(t)
	must(direct.Put(ctx, "outside", "", clientv3.WithLease(lease)))(t)
	if keys := must(through.TimeToLive(ctx, lease, clientv3.WithAttachedKeys()))(t).Keys; len(keys) != 1 || string(keys[0]) != "k" {
		t.Errorf("%q", keys)
	}
	if n := len(must(through.Leases(ctx))(t).Leases); n != 1 {
		t.Errorf("%d leases", n)
	}
}

// TestRangeStream: in parts, in the space.
func TestRangeStream(t *testing.T) {
	_, through, direct := behind(t, func(c *Config) { c.Namespace, c.Ordering = "a/", true })
	ctx := soon(t)
	large := string(bytes.Repeat([]byte("v"), 100<<10))
	for i := range 50 {
		must(direct.Put(ctx, fmt.Sprintf("a/%02d", i), large))(t)
	}
	stream := must(through.GetStream(ctx, "", clientv3.WithPrefix()))(t)
	keys, parts := 0, 0
	for part := range stream {
		if err := part.Err(); err != nil {
			t.Fatal(err)
		}
		for _, kv := range part.RangeResponse.Kvs {
			if string(kv.Key) != fmt.Sprintf("%02d", keys) {
				t.Fatalf("key %d is %q", keys, kv.Key)
			}
			keys++
		}
		parts++
	}
	if keys != 50 || parts < 2 {
		t.Errorf("%d keys in %d parts", keys, parts)
	}
}

// TestErrorsKeepTheirCode: what a member refuses looks as if the member had said it.
func TestErrorsKeepTheirCode(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"plain": func(*Config) {}, "in a space": func(c *Config) { c.Namespace = "a/" }, "leased": func(c *Config) { c.LeasingPrefix = "leases/" },
	} {
		_, through, direct := behind(t, change)
		ctx := soon(t)
		for what, f := range map[string]func(pb.KVClient) error{
			"future revision": func(c pb.KVClient) error {
				_, err := c.Range(ctx, &pb.RangeRequest{Key: []byte("a"), Revision: 1 << 40})
				return err
			},
			"no such lease": func(c pb.KVClient) error {
				_, err := c.Put(ctx, &pb.PutRequest{Key: []byte("a"), Lease: 99})
				return err
			},
			"the same key twice": func(c pb.KVClient) error {
				put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("a")}}}
				_, err := c.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{put, put}})
				return err
			},
			"nothing to compact": func(c pb.KVClient) error {
				_, err := c.Compact(ctx, &pb.CompactionRequest{Revision: 1 << 40})
				return err
			},
		} {
			want, got := f(pb.NewKVClient(direct.ActiveConnection())), f(pb.NewKVClient(through.ActiveConnection()))
			if want == nil || got == nil || want.Error() != got.Error() {
				t.Errorf("%s, %s: %v, a member says %v", name, what, got, want)
			}
		}
	}
}
