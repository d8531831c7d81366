package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestHashKVEqualsEtcd sends one random history to the server under test and to etcd 3.7.1 and compares HashKV at
// 100 random revisions, some while the history grows and is compacted, the rest at its end. The hash covers every
// version of every key with its revisions, lease and tombstones, so a difference of one byte anywhere shows.
func TestHashKVEqualsEtcd(t *testing.T) {
	t.Parallel()
	const seed, steps, compareEvery, comparesAtEnd = 42, 1500, 25, 60
	ctx := timeout(t, 120*time.Second)
	ours, etcd := newStore(t, serverBinary), newStore(t, etcdBinary)
	h := &history{random: rand.New(rand.NewPCG(seed, 0)), leases: map[int64]bool{}}
	compared := 0
	for step := range steps {
		a := h.next()
		one, err := a.do(ctx, ours.client)
		two, errEtcd := a.do(ctx, etcd.client)
		if one != two || !sameError(err, errEtcd) {
			t.Fatalf("seed %d step %d, %s: revision %d, %v; etcd %d, %v", seed, step, a, one, err, two, errEtcd)
		}
		h.done(a, one, err)
		if step%compareEvery == compareEvery-1 {
			compareHashes(ctx, t, ours, etcd, h.randomRevision())
			compared++
		}
	}
	for range comparesAtEnd {
		compareHashes(ctx, t, ours, etcd, h.randomRevision())
		compared++
	}
	compareHashes(ctx, t, ours, etcd, h.revision)
	if h.compactions < 5 || h.revision < steps/2 || compared < 100 {
		t.Errorf("a thin history: %d compactions, revision %d, %d comparisons", h.compactions, h.revision, compared)
	}
	t.Logf("%d steps, %d compactions, revision %d, %d hashes equal", steps, h.compactions, h.revision, compared)
}

type store struct {
	client *clientv3.Client
	url    string
}

func newStore(t *testing.T, binary string) store {
	url := startBinary(t, binary, 1).Endpoints()[0]
	return store{connect(t, url), url}
}

func compareHashes(ctx context.Context, t *testing.T, ours, etcd store, revision int64) {
	t.Helper()
	got, err := ours.client.HashKV(ctx, ours.url, revision)
	want, errEtcd := etcd.client.HashKV(ctx, etcd.url, revision)
	if !sameError(err, errEtcd) {
		t.Fatalf("HashKV at %d: %v; etcd %v", revision, err, errEtcd)
	}
	if err == nil && (got.Hash != want.Hash || got.CompactRevision != want.CompactRevision || got.HashRevision != want.HashRevision) {
		t.Fatalf("HashKV at %d: hash %d compacted %d; etcd %d compacted %d", revision, got.Hash, got.CompactRevision, want.Hash, want.CompactRevision)
	}
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

// history draws actions and keeps what it needs to draw sensible ones.
type history struct {
	random      *rand.Rand
	leases      map[int64]bool
	lastLease   int64
	revision    int64 // the newest that a reply named
	compacted   int64
	compactions int
}

// action is one request; do sends it to a store and returns the revision in the reply's header.
type action struct {
	name    string
	do      func(context.Context, *clientv3.Client) (int64, error)
	granted int64 // lease granted by it, 0 if none
	revoked int64
	compact int64
}

func (a action) String() string { return a.name }

func (h *history) key() string   { return fmt.Sprintf("key%02d", h.random.IntN(40)) }
func (h *history) value() string { return fmt.Sprintf("%0*d", h.random.IntN(60), h.random.IntN(1000)) }

// randomRevision is one that was not compacted, rarely one that was (an error must be the same, too).
func (h *history) randomRevision() int64 {
	if h.random.IntN(20) == 0 {
		return 1 + h.random.Int64N(h.revision)
	}
	return h.compacted + h.random.Int64N(h.revision-h.compacted) + 1
}

func (h *history) done(a action, revision int64, err error) {
	h.revision = max(h.revision, revision, 1)
	if err != nil {
		return
	}
	if a.granted != 0 {
		h.leases[a.granted] = true
	}
	delete(h.leases, a.revoked)
	if a.compact != 0 {
		h.compacted = a.compact
		h.compactions++
	}
}

// next draws an action.
func (h *history) next() action {
	switch n := h.random.IntN(100); {
	case n < 50:
		return h.put()
	case n < 62:
		return h.del()
	case n < 84:
		return h.txn()
	case n < 92:
		return h.grant()
	case n < 96:
		return h.revoke()
	default:
		return h.compaction()
	}
}

// lease draws one that lives, or none.
func (h *history) lease() clientv3.LeaseID {
	if len(h.leases) == 0 || h.random.IntN(3) > 0 {
		return 0
	}
	for id := h.lastLease; id > 0; id-- { // not by map order: the same seed gives the same history
		if h.leases[id] && h.random.IntN(2) == 0 {
			return clientv3.LeaseID(id)
		}
	}
	return 0
}

func (h *history) putOp() clientv3.Op {
	opts := []clientv3.OpOption{clientv3.WithLease(h.lease())}
	return clientv3.OpPut(h.key(), h.value(), opts...)
}

func (h *history) delOp() clientv3.Op {
	if h.random.IntN(3) > 0 {
		return clientv3.OpDelete(h.key())
	}
	return clientv3.OpDelete(h.key(), clientv3.WithRange(h.key())) // often an empty range: deletes nothing
}

func (h *history) put() action { return single("put", h.putOp()) }
func (h *history) del() action { return single("delete", h.delOp()) }

func single(name string, op clientv3.Op) action {
	return action{name: name, do: func(ctx context.Context, c *clientv3.Client) (int64, error) {
		r, err := c.Do(ctx, op)
		if err != nil {
			return 0, err
		}
		if op.IsPut() {
			return r.Put().Header.Revision, nil
		}
		return r.Del().Header.Revision, nil
	}}
}

// txn draws one with a compare that is as often true as not, and branches that may clash (an error, the same).
func (h *history) txn() action {
	compare := clientv3.Compare(clientv3.Version(h.key()), ">", 1)
	branch := func() (ops []clientv3.Op) {
		for range h.random.IntN(5) {
			switch h.random.IntN(4) {
			case 0:
				ops = append(ops, h.delOp())
			case 1:
				ops = append(ops, clientv3.OpGet(h.key()))
			case 2:
				ops = append(ops, clientv3.OpTxn([]clientv3.Cmp{compare}, []clientv3.Op{h.putOp()}, []clientv3.Op{h.delOp()}))
			default:
				ops = append(ops, h.putOp())
			}
		}
		return ops
	}
	then, otherwise := branch(), branch()
	return action{name: "txn", do: func(ctx context.Context, c *clientv3.Client) (int64, error) {
		r, err := c.Txn(ctx).If(compare).Then(then...).Else(otherwise...).Commit()
		if err != nil {
			return 0, err
		}
		return r.Header.Revision, nil
	}}
}

func (h *history) grant() action {
	h.lastLease++
	id := h.lastLease
	return action{name: "grant", granted: id, do: func(ctx context.Context, c *clientv3.Client) (int64, error) {
		// The client library has no way to choose the id, so the request is sent as it is on the wire.
		return grantLease(ctx, c, id)
	}}
}

func (h *history) revoke() action {
	id := int64(h.lease())
	return action{name: fmt.Sprintf("revoke %d", id), revoked: id, do: func(ctx context.Context, c *clientv3.Client) (int64, error) {
		r, err := c.Revoke(ctx, clientv3.LeaseID(id))
		if err != nil {
			return 0, err
		}
		return r.Header.Revision, nil
	}}
}

func (h *history) compaction() action {
	to := h.compacted + h.random.Int64N(max(1, h.revision-h.compacted+1))
	return action{name: fmt.Sprintf("compact %d", to), compact: to, do: func(ctx context.Context, c *clientv3.Client) (int64, error) {
		r, err := c.Compact(ctx, to, clientv3.WithCompactPhysical())
		if err != nil {
			return 0, err
		}
		return r.Header.Revision, nil
	}}
}

func grantLease(ctx context.Context, c *clientv3.Client, id int64) (int64, error) {
	r, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: id, TTL: 3600})
	if err != nil {
		return 0, err
	}
	return r.Header.Revision, nil
}
