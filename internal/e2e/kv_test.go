package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func putGetDelete(u *user) {
	ctx, k := timeout(u.T, 20*time.Second), u.key("k")
	first := must(u.client.Put(ctx, k, "one"))(u).Header.Revision
	second := must(u.client.Put(ctx, k, "two"))(u).Header.Revision
	if second <= first {
		u.Fatalf("revisions %d, %d do not grow", first, second)
	}
	got := must(u.client.Get(ctx, k))(u)
	want := &mvccpb.KeyValue{Key: []byte(k), Value: []byte("two"), CreateRevision: first, ModRevision: second, Version: 2}
	if got.Count != 1 || got.More || len(got.Kvs) != 1 || got.Kvs[0].String() != want.String() {
		u.Fatalf("get: %v, want %v", got, want)
	}
	del := must(u.client.Delete(ctx, k, clientv3.WithPrevKV()))(u)
	if del.Deleted != 1 || len(del.PrevKvs) != 1 || del.PrevKvs[0].String() != want.String() {
		u.Fatalf("delete: %v", del)
	}
	if got := must(u.client.Get(ctx, k))(u); got.Count != 0 || len(got.Kvs) != 0 {
		u.Fatalf("after the delete: %v", got)
	}
	if again := must(u.client.Delete(ctx, k))(u); again.Deleted != 0 {
		u.Fatalf("a second delete deleted %d keys", again.Deleted)
	}
	reborn := must(u.client.Put(ctx, k, "three"))(u).Header.Revision
	kv := must(u.client.Get(ctx, k))(u).Kvs[0]
	if kv.Version != 1 || kv.CreateRevision != reborn {
		u.Fatalf("a key that was deleted begins anew, got %v", kv)
	}
}

// rangeOptions puts a, b, c, d with values that sort the other way round, then asks for them in every way.
func rangeOptions(u *user) {
	ctx := timeout(u.T, 20*time.Second)
	mods := map[string]int64{}
	for i, k := range []string{"a", "b", "c", "d"} {
		mods[k] = must(u.client.Put(ctx, u.key(k), fmt.Sprint(9-i)))(u).Header.Revision
	}
	must(u.client.Put(ctx, u.key("b"), "7"))(u)
	cases := []struct {
		name  string
		opts  []clientv3.OpOption
		keys  string
		count int64
		more  bool
	}{
		{"prefix", nil, "a b c d", 4, false},
		{"limit", []clientv3.OpOption{clientv3.WithLimit(2)}, "a b", 4, true},
		{"limit of all", []clientv3.OpOption{clientv3.WithLimit(4)}, "a b c d", 4, false},
		{"descending", []clientv3.OpOption{clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)}, "d c b a", 4, false},
		{"by value", []clientv3.OpOption{clientv3.WithSort(clientv3.SortByValue, clientv3.SortAscend)}, "d b c a", 4, false},
		{"last modified", clientv3.WithLastRev(), "b", 4, true},
		{"first created", clientv3.WithFirstCreate(), "a", 4, true},
		{"by version", []clientv3.OpOption{clientv3.WithSort(clientv3.SortByVersion, clientv3.SortDescend), clientv3.WithLimit(1)}, "b", 4, true},
		{"keys only", []clientv3.OpOption{clientv3.WithKeysOnly()}, "a b c d", 4, false},
		{"count only", []clientv3.OpOption{clientv3.WithCountOnly()}, "", 4, false},
		{"min mod", []clientv3.OpOption{clientv3.WithMinModRev(mods["c"])}, "b c d", 4, false},
		{"max create", []clientv3.OpOption{clientv3.WithMaxCreateRev(mods["b"])}, "a b", 4, false},
		{"serializable", []clientv3.OpOption{clientv3.WithSerializable()}, "a b c d", 4, false},
	}
	single := connect(u.T, u.cluster.Endpoints()[0]) // so that the serializable read meets a member that has it all
	must(single.Get(ctx, u.key("")))(u)
	for _, c := range cases {
		got := must(single.Get(ctx, u.prefix, append([]clientv3.OpOption{clientv3.WithPrefix()}, c.opts...)...))(u)
		if keys := u.names(got.Kvs); keys != c.keys || got.Count != c.count || got.More != c.more {
			u.Errorf("%s: keys %q count %d more %t, want %q %d %t", c.name, keys, got.Count, got.More, c.keys, c.count, c.more)
		}
	}
	if got := must(single.Get(ctx, u.key("b"), clientv3.WithRange(u.key("d"))))(u); u.names(got.Kvs) != "b c" {
		u.Errorf("[b,d) = %v", got.Kvs)
	}
	if got := must(single.Get(ctx, u.key("d"), clientv3.WithRange(u.key("b"))))(u); got.Count != 0 {
		u.Errorf("[d,b) = %v", got.Kvs)
	}
	for _, kv := range must(single.Get(ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly()))(u).Kvs {
		if len(kv.Value) != 0 {
			u.Errorf("keys only, and %s has a value", kv.Key)
		}
	}
}

// names joins keys without the scenario's prefix.
func (u *user) names(kvs []*mvccpb.KeyValue) string {
	var names []string
	for _, kv := range kvs {
		names = append(names, strings.TrimPrefix(string(kv.Key), u.prefix))
	}
	return strings.Join(names, " ")
}

func oldRevisions(u *user) {
	ctx, k := timeout(u.T, 20*time.Second), u.key("k")
	var revisions []int64
	for i := range 10 {
		revisions = append(revisions, must(u.client.Put(ctx, k, fmt.Sprint(i)))(u).Header.Revision)
	}
	deleted := must(u.client.Delete(ctx, k))(u).Header.Revision
	for i, rev := range revisions {
		got := must(u.client.Get(ctx, k, clientv3.WithRev(rev)))(u)
		if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != fmt.Sprint(i) || got.Kvs[0].Version != int64(i+1) {
			u.Fatalf("at revision %d: %v", rev, got.Kvs)
		}
		if got.Header.Revision < deleted {
			u.Fatalf("the header says %d, which is not the current revision (≥ %d)", got.Header.Revision, deleted)
		}
	}
	if got := must(u.client.Get(ctx, k, clientv3.WithRev(deleted)))(u); len(got.Kvs) != 0 {
		u.Fatalf("at the revision of the delete: %v", got.Kvs)
	}
	if _, err := u.client.Get(ctx, k, clientv3.WithRev(deleted+1_000_000)); !errors.Is(err, rpctypes.ErrFutureRev) {
		u.Fatalf("future revision: %v", err)
	}
}

func putOptions(u *user) {
	ctx, k := timeout(u.T, 20*time.Second), u.key("k")
	lease := must(u.client.Grant(ctx, 300))(u).ID
	must(u.client.Put(ctx, k, "one", clientv3.WithLease(lease)))(u)
	prev := must(u.client.Put(ctx, k, "two", clientv3.WithIgnoreLease(), clientv3.WithPrevKV()))(u).PrevKv
	if string(prev.Value) != "one" || prev.Lease != int64(lease) {
		u.Fatalf("prev_kv = %v", prev)
	}
	must(u.client.Put(ctx, k, "", clientv3.WithIgnoreValue(), clientv3.WithLease(lease)))(u)
	kv := must(u.client.Get(ctx, k))(u).Kvs[0]
	if string(kv.Value) != "two" || kv.Lease != int64(lease) || kv.Version != 3 {
		u.Fatalf("after ignore_lease and ignore_value: %v", kv)
	}
	must(u.client.Put(ctx, k, "three"))(u)
	if kv := must(u.client.Get(ctx, k))(u).Kvs[0]; kv.Lease != 0 {
		u.Fatalf("a put without lease detaches the key, got %v", kv)
	}
}

func clientErrors(u *user) {
	ctx := timeout(u.T, 20*time.Second)
	duplicate := []clientv3.Op{clientv3.OpPut(u.key("x"), "1"), clientv3.OpPut(u.key("x"), "2")}
	overlap := []clientv3.Op{clientv3.OpDelete(u.prefix, clientv3.WithPrefix()), clientv3.OpPut(u.key("x"), "2")}
	many := slices.Repeat([]clientv3.Op{clientv3.OpGet("k")}, 129)
	last := func(_ any, err error) error { return err }
	cases := []struct {
		name string
		err  error
		want error
	}{
		{"put with empty key", last(u.client.Put(ctx, "", "v")), rpctypes.ErrEmptyKey},
		{"get with empty key", last(u.client.Get(ctx, "")), rpctypes.ErrEmptyKey},
		{"delete with empty key", last(u.client.Delete(ctx, "")), rpctypes.ErrEmptyKey},
		{"duplicate put in txn", last(u.client.Txn(ctx).Then(duplicate...).Commit()), rpctypes.ErrDuplicateKey},
		{"put under delete in txn", last(u.client.Txn(ctx).Then(overlap...).Commit()), rpctypes.ErrDuplicateKey},
		{"129 operations", last(u.client.Txn(ctx).Then(many...).Commit()), rpctypes.ErrTooManyOps},
		{"unknown lease", last(u.client.Put(ctx, u.key("x"), "v", clientv3.WithLease(0x7eadbeef))), rpctypes.ErrLeaseNotFound},
		{"ignore value of nothing", last(u.client.Put(ctx, u.key("x"), "", clientv3.WithIgnoreValue())), rpctypes.ErrKeyNotFound},
		{"compact the future", last(u.client.Compact(ctx, 1<<40)), rpctypes.ErrFutureRev},
		{"too large", last(u.client.Put(ctx, u.key("x"), strings.Repeat("v", 1_700_000))), rpctypes.ErrRequestTooLarge},
	}
	for _, c := range cases {
		if !errors.Is(c.err, c.want) {
			u.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	if got := must(u.client.Get(ctx, u.prefix, clientv3.WithPrefix()))(u); got.Count != 0 {
		u.Errorf("refused requests left %v", got.Kvs)
	}
}

// everyMemberServes writes through one member and reads at once through each other: linearizable reads see it.
func everyMemberServes(u *user) {
	ctx := timeout(u.T, 30*time.Second)
	var clients []*clientv3.Client
	for _, url := range u.cluster.Endpoints() {
		clients = append(clients, connect(u.T, url))
	}
	for i := range 12 {
		writer := clients[i%len(clients)]
		rev := must(writer.Put(ctx, u.key("k"), fmt.Sprint(i)))(u).Header.Revision
		for j, reader := range clients {
			got := must(reader.Get(ctx, u.key("k")))(u)
			if len(got.Kvs) != 1 || got.Kvs[0].ModRevision != rev || string(got.Kvs[0].Value) != fmt.Sprint(i) {
				u.Fatalf("written by member %d at revision %d, read by member %d: %v", i%len(clients)+1, rev, j+1, got)
			}
		}
	}
}

// compaction is run alone: it takes the history of every scenario.
func compaction(u *user) {
	ctx, k := timeout(u.T, 30*time.Second), u.key("k")
	first := must(u.client.Put(ctx, k, "one"))(u).Header.Revision
	second := must(u.client.Put(ctx, k, "two"))(u).Header.Revision
	gone := must(u.client.Delete(ctx, k))(u).Header.Revision
	must(u.client.Compact(ctx, second, clientv3.WithCompactPhysical()))(u)
	if _, err := u.client.Get(ctx, k, clientv3.WithRev(first)); !errors.Is(err, rpctypes.ErrCompacted) {
		u.Errorf("a read below the compaction: %v", err)
	}
	if got := must(u.client.Get(ctx, k, clientv3.WithRev(second)))(u); u.names(got.Kvs) != "k" {
		u.Errorf("a read at the compacted revision: %v", got.Kvs)
	}
	if _, err := u.client.Compact(ctx, second); !errors.Is(err, rpctypes.ErrCompacted) {
		u.Errorf("the same compaction again: %v", err)
	}
	response := <-u.client.Watch(ctx, k, clientv3.WithRev(first))
	if response.CompactRevision != second || !errors.Is(response.Err(), rpctypes.ErrCompacted) {
		u.Errorf("a watch from below: %+v", response)
	}
	must(u.client.Compact(ctx, gone, clientv3.WithCompactPhysical()))(u)
	events := (<-u.client.Watch(ctx, k, clientv3.WithRev(gone))).Events
	if len(events) != 1 || events[0].Type != mvccpb.DELETE || events[0].Kv.ModRevision != gone {
		u.Errorf("a watch on exactly the compacted delete (etcd #19179): %v", events)
	}
	must(u.client.Put(ctx, k, "three"))(u)
	sameHashes(u, 0)
}
