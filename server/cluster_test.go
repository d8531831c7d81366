package server

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// TestOneMember drives a lone member with the Go client.
func TestOneMember(t *testing.T) {
	c := newCluster(t, 1)
	scenarios(t, c)
}

// TestThreeMembers does the same through a cluster, then compares the members.
func TestThreeMembers(t *testing.T) {
	c := newCluster(t, 3)
	scenarios(t, c)
	ctx := within(t, 10*time.Second)
	cli := c.client()
	put, err := cli.Put(ctx, "last", "write")
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[uint32]int{}
	for i, cfg := range c.configs {
		waitRevision(t, c.client(i), put.Header.Revision)
		h, err := cli.HashKV(ctx, cfg.AdvertiseClientURLs, put.Header.Revision)
		if err != nil {
			t.Fatal(err)
		}
		hashes[h.Hash]++
	}
	if len(hashes) != 1 {
		t.Errorf("members hash the same history to %v", hashes)
	}
}

func waitRevision(t *testing.T, cli *clientv3.Client, revision int64) {
	t.Helper()
	ctx := within(t, 10*time.Second)
	for {
		resp, err := cli.Get(ctx, "x", clientv3.WithSerializable())
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Revision >= revision {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func scenarios(t *testing.T, c *cluster) {
	for name, f := range map[string]func(*testing.T, *cluster){
		"put, get, delete": putGetDelete,
		"transactions":     transactions,
		"watch":            watches,
		"watch compaction": watchCompaction,
		"lease expiry":     leaseExpiry,
		"lease keep-alive": leaseKeepAlive,
		"mutex":            mutex,
		"election":         election,
		"STM":              stm,
		"many clients":     manyClients,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); f(t, c) })
	}
}

func putGetDelete(t *testing.T, c *cluster) {
	ctx := within(t, 10*time.Second)
	for i := range c.members {
		cli := c.client(i)
		key := fmt.Sprintf("pgd/%d", i)
		put, err := cli.Put(ctx, key, "1")
		if err != nil {
			t.Fatal(err)
		}
		for j := range c.members { // linearizable, whoever is asked
			got, err := c.client(j).Get(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "1" || got.Kvs[0].ModRevision != put.Header.Revision {
				t.Errorf("member %d after a put through %d: %v", j, i, got.Kvs)
			}
		}
		again, err := cli.Put(ctx, key, "2", clientv3.WithPrevKV())
		if err != nil || string(again.PrevKv.Value) != "1" {
			t.Errorf("previous value: %v, %v", again, err)
		}
		del, err := cli.Delete(ctx, key)
		if err != nil || del.Deleted != 1 {
			t.Errorf("delete: %v, %v", del, err)
		}
	}
	if _, err := c.client().Put(ctx, "", "x"); !errors.Is(err, rpctypes.ErrEmptyKey) {
		t.Errorf("empty key: %v", err)
	}
}

func transactions(t *testing.T, c *cluster) {
	ctx := within(t, 10*time.Second)
	cli := c.client()
	create := func(v string) (*clientv3.TxnResponse, error) {
		return cli.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision("txn/a"), "=", 0)).
			Then(clientv3.OpPut("txn/a", v), clientv3.OpPut("txn/b", v)).
			Else(clientv3.OpGet("txn/a")).Commit()
	}
	first, err := create("1")
	if err != nil || !first.Succeeded {
		t.Fatalf("first: %v, %v", first, err)
	}
	second, err := create("2")
	if err != nil || second.Succeeded {
		t.Fatalf("second: %v, %v", second, err)
	}
	kv := second.Responses[0].GetResponseRange().Kvs[0]
	if string(kv.Value) != "1" || kv.ModRevision != first.Header.Revision {
		t.Errorf("else branch read %v", kv)
	}
	if second.Header.Revision < first.Header.Revision {
		t.Errorf("revision went back: %d after %d", second.Header.Revision, first.Header.Revision)
	}
	_, err = cli.Txn(ctx).Then(clientv3.OpPut("txn/d", "1"), clientv3.OpPut("txn/d", "2")).Commit()
	if !errors.Is(err, rpctypes.ErrDuplicateKey) {
		t.Errorf("two puts of a key: %v", err)
	}
}

func watches(t *testing.T, c *cluster) {
	ctx := within(t, 10*time.Second)
	cli := c.client()
	const n = 200
	var first int64
	for i := range n {
		put, err := cli.Put(ctx, fmt.Sprintf("watch/%03d", i%10), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = put.Header.Revision
		}
	}
	for i := range c.members { // the past, through each member
		seen, last := 0, int64(0)
		for resp := range c.client(i).Watch(ctx, "watch/", clientv3.WithPrefix(), clientv3.WithRev(first), clientv3.WithPrevKV()) {
			if err := resp.Err(); err != nil {
				t.Fatal(err)
			}
			for _, ev := range resp.Events {
				if ev.Kv.ModRevision <= last || string(ev.Kv.Value) != fmt.Sprint(seen) {
					t.Fatalf("event %d: %v after revision %d", seen, ev, last)
				}
				if (seen >= 10) != (ev.PrevKv != nil) {
					t.Fatalf("event %d has previous value %v", seen, ev.PrevKv)
				}
				last = ev.Kv.ModRevision
				seen++
			}
			if seen == n {
				break
			}
		}
	}
}

func watchCompaction(t *testing.T, c *cluster) {
	if len(c.members) > 1 {
		t.Skip("compaction would disturb the scenarios beside it; the lone member covers it")
	}
	c = newCluster(t, 1)
	ctx := within(t, 10*time.Second)
	cli := c.client()
	var last int64
	for i := range 10 {
		put, err := cli.Put(ctx, "compact/k", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		last = put.Header.Revision
	}
	if _, err := cli.Compact(ctx, last-2); err != nil {
		t.Fatal(err)
	}
	if _, err := cli.Compact(ctx, last-2); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("compacting twice: %v", err)
	}
	if _, err := cli.Compact(ctx, last+1); !errors.Is(err, rpctypes.ErrFutureRev) {
		t.Errorf("compacting the future: %v", err)
	}
	if _, err := cli.Get(ctx, "compact/k", clientv3.WithRev(last-3)); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("reading compacted history: %v", err)
	}
	resp := <-cli.Watch(ctx, "compact/k", clientv3.WithRev(last-5))
	if resp.CompactRevision != last-2 || !resp.Canceled {
		t.Errorf("watching compacted history: %+v", resp)
	}
}

func leaseExpiry(t *testing.T, c *cluster) {
	ctx := within(t, 15*time.Second)
	cli := c.client()
	lease, err := cli.Grant(ctx, 1)
	if err != nil || lease.TTL != 2 {
		t.Fatalf("grant: %+v, %v; want the TTL raised to 2", lease, err)
	}
	for i := range 3 {
		if _, err := cli.Put(ctx, fmt.Sprintf("lease/%d", i), "v", clientv3.WithLease(lease.ID)); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	ttl, err := cli.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys())
	if err != nil || ttl.GrantedTTL != 2 || ttl.TTL > 2 || len(ttl.Keys) != 3 {
		t.Fatalf("time to live: %+v, %v", ttl, err)
	}
	resp := <-cli.Watch(ctx, "lease/", clientv3.WithPrefix(), clientv3.WithFilterPut())
	if len(resp.Events) != 3 {
		t.Fatalf("expiry: %+v; want three deletions in one revision", resp)
	}
	if early := time.Since(began); early < time.Second {
		t.Errorf("expired after %v", early)
	}
	if ttl, err := cli.TimeToLive(ctx, lease.ID); err != nil || ttl.TTL != -1 {
		t.Errorf("time to live of an expired lease: %+v, %v", ttl, err)
	}
	if _, err := cli.Revoke(ctx, lease.ID); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		t.Errorf("revoking an expired lease: %v", err)
	}
}

func leaseKeepAlive(t *testing.T, c *cluster) {
	ctx := within(t, 15*time.Second)
	for i := range c.members {
		cli := c.client(i)
		lease, err := cli.Grant(ctx, 2)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := cli.KeepAliveOnce(ctx, lease.ID)
		if err != nil || resp.TTL != 2 {
			t.Errorf("keep-alive through member %d: %+v, %v", i, resp, err)
		}
		if _, err := cli.KeepAliveOnce(ctx, 12345); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			t.Errorf("keep-alive of no lease: %v", err)
		}
		if _, err := cli.Revoke(ctx, lease.ID); err != nil {
			t.Error(err)
		}
	}
}

func mutex(t *testing.T, c *cluster) {
	ctx := within(t, 20*time.Second)
	var wg sync.WaitGroup
	counter := 0
	for i := range 4 {
		wg.Go(func() {
			s, err := concurrency.NewSession(c.client(i%len(c.members)), concurrency.WithTTL(5))
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			m := concurrency.NewMutex(s, "mutex/")
			for range 3 {
				if err := m.Lock(ctx); err != nil {
					t.Error(err)
					return
				}
				counter++
				if err := m.Unlock(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if counter != 12 {
		t.Errorf("counted %d, want 12", counter)
	}
}

func election(t *testing.T, c *cluster) {
	ctx := within(t, 20*time.Second)
	s1, err := concurrency.NewSession(c.client(0), concurrency.WithTTL(5))
	if err != nil {
		t.Fatal(err)
	}
	e1 := concurrency.NewElection(s1, "election/")
	if err := e1.Campaign(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	s2, err := concurrency.NewSession(c.client(len(c.members)-1), concurrency.WithTTL(5))
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	won := make(chan error, 1)
	e2 := concurrency.NewElection(s2, "election/")
	go func() { won <- e2.Campaign(ctx, "two") }()
	select {
	case err := <-won:
		t.Fatalf("the second won while the first leads: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := s1.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-won; err != nil {
		t.Fatal(err)
	}
	leader, err := e2.Leader(ctx)
	if err != nil || string(leader.Kvs[0].Value) != "two" {
		t.Errorf("leader: %v, %v", leader, err)
	}
}

func stm(t *testing.T, c *cluster) {
	ctx := within(t, 20*time.Second)
	cli := c.client()
	for _, k := range []string{"stm/a", "stm/b"} {
		if _, err := cli.Put(ctx, k, "100"); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := concurrency.NewSTM(cli, func(s concurrency.STM) error {
				var a, b int
				fmt.Sscan(s.Get("stm/a"), &a)
				fmt.Sscan(s.Get("stm/b"), &b)
				s.Put("stm/a", fmt.Sprint(a-5))
				s.Put("stm/b", fmt.Sprint(b+5))
				return nil
			}, concurrency.WithAbortContext(ctx))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a, err := cli.Get(ctx, "stm/a")
	if err != nil || string(a.Kvs[0].Value) != "60" {
		t.Errorf("after eight transfers of 5 from 100: %v, %v", a, err)
	}
}

func manyClients(t *testing.T, c *cluster) {
	ctx := within(t, 20*time.Second)
	const clients, puts = 32, 20
	var wg sync.WaitGroup
	for i := range clients {
		cli := c.client(i % len(c.members))
		wg.Go(func() {
			for j := range puts {
				key := fmt.Sprintf("many/%d/%d", i, j)
				if _, err := cli.Put(ctx, key, key); err != nil {
					t.Error(err)
					return
				}
				got, err := cli.Get(ctx, key)
				if err != nil || len(got.Kvs) != 1 {
					t.Errorf("%s right after its put: %v, %v", key, got, err)
				}
			}
		})
	}
	wg.Wait()
	got, err := c.client().Get(ctx, "many/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || got.Count != clients*puts {
		t.Errorf("count: %v, %v", got, err)
	}
}
