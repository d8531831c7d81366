package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"
)

// session opens a session through one member, which is closed with the test unless the scenario does it.
func (u *user) session(i int) *concurrency.Session {
	u.Helper()
	endpoints := u.cluster.Endpoints()
	return must(concurrency.NewSession(connect(u.T, endpoints[i%len(endpoints)]), concurrency.WithTTL(10)))(u)
}

func sessionLife(u *user) {
	ctx := timeout(u.T, 30*time.Second)
	s := u.session(0)
	if live := must(u.client.TimeToLive(ctx, s.Lease()))(u); live.GrantedTTL != 10 {
		u.Errorf("the session's lease: %+v", live)
	}
	if err := s.Close(); err != nil {
		u.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-ctx.Done():
		u.Fatal("a closed session is not done")
	}
	if live := must(u.client.TimeToLive(ctx, s.Lease()))(u); live.TTL != -1 {
		u.Errorf("a closed session left its lease: %+v", live)
	}
}

// mutexExcludes: five contenders from all members, one inside at a time.
func mutexExcludes(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	var inside, entered atomic.Int32
	var wg sync.WaitGroup
	for i := range 5 {
		m := concurrency.NewMutex(u.session(i), u.key("lock"))
		wg.Go(func() {
			for range 4 {
				if err := m.Lock(ctx); err != nil {
					u.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					u.Errorf("%d holders at a time", n)
				}
				entered.Add(1)
				inside.Add(-1)
				if err := m.Unlock(ctx); err != nil {
					u.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if entered.Load() != 20 {
		u.Errorf("entered %d times, want 20", entered.Load())
	}
	held := concurrency.NewMutex(u.session(0), u.key("lock"))
	if err := held.Lock(ctx); err != nil {
		u.Fatal(err)
	}
	if err := concurrency.NewMutex(u.session(1), u.key("lock")).TryLock(ctx); !errors.Is(err, concurrency.ErrLocked) {
		u.Errorf("TryLock of a held mutex: %v", err)
	}
}

// electionHandsOver: when the leader's session ends, the next in line leads and observers see both.
func electionHandsOver(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	first, second := u.session(0), u.session(1)
	a, b := concurrency.NewElection(first, u.key("office")), concurrency.NewElection(second, u.key("office"))
	if err := a.Campaign(ctx, "ann"); err != nil {
		u.Fatal(err)
	}
	observing, stop := context.WithCancel(ctx)
	defer stop()
	seen := concurrency.NewElection(u.session(2), u.key("office")).Observe(observing)
	if r := <-seen; string(r.Kvs[0].Value) != "ann" {
		u.Fatalf("observed %v", r.Kvs)
	}
	won := make(chan error, 1)
	go func() { won <- b.Campaign(ctx, "bob") }()
	if err := a.Proclaim(ctx, "ann again"); err != nil {
		u.Fatal(err)
	}
	if r := <-seen; string(r.Kvs[0].Value) != "ann again" {
		u.Fatalf("observed %v", r.Kvs)
	}
	select {
	case err := <-won:
		u.Fatalf("two leaders (%v)", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := first.Close(); err != nil {
		u.Fatal(err)
	}
	if err := <-won; err != nil {
		u.Fatal(err)
	}
	if r := <-seen; string(r.Kvs[0].Value) != "bob" {
		u.Fatalf("observed %v", r.Kvs)
	}
	if leader := must(b.Leader(ctx))(u); string(leader.Kvs[0].Value) != "bob" {
		u.Fatalf("leader %v", leader.Kvs)
	}
	if err := b.Resign(ctx); err != nil {
		u.Fatal(err)
	}
	if _, err := b.Leader(ctx); !errors.Is(err, concurrency.ErrElectionNoLeader) {
		u.Errorf("after the resignation: %v", err)
	}
}

// stmTransfers moves money between five accounts from six clients at once; the sum stays.
func stmTransfers(u *user) {
	const accounts, clients, transfers = 5, 6, 15
	ctx := timeout(u.T, 60*time.Second)
	name := func(i int) string { return u.key(fmt.Sprintf("account%d", i)) }
	for i := range accounts {
		must(u.client.Put(ctx, name(i), "100"))(u)
	}
	var wg sync.WaitGroup
	for c := range clients {
		client := connect(u.T, u.cluster.Endpoints()[c%len(u.cluster.Members)])
		random := rand.New(rand.NewPCG(1, uint64(c)))
		wg.Go(func() {
			for range transfers {
				from, to := random.IntN(accounts), random.IntN(accounts)
				if _, err := concurrency.NewSTM(client, transfer(name(from), name(to), random.IntN(50))); err != nil {
					u.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for i := range accounts {
		sum += must(strconv.Atoi(string(must(u.client.Get(ctx, name(i)))(u).Kvs[0].Value)))(u)
	}
	if sum != 100*accounts {
		u.Errorf("the sum is %d, want %d", sum, 100*accounts)
	}
}

func transfer(from, to string, amount int) func(concurrency.STM) error {
	return func(s concurrency.STM) error {
		if from == to {
			return nil
		}
		a, err := strconv.Atoi(s.Get(from))
		if err != nil {
			return err
		}
		b, err := strconv.Atoi(s.Get(to))
		if err != nil {
			return err
		}
		s.Put(from, strconv.Itoa(a-amount))
		s.Put(to, strconv.Itoa(b+amount))
		return nil
	}
}
