package api

import (
	"context"
	"errors"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
	"github.com/holdfast-db/holdfast/server/auth"
)

// leases makes leases with these ids.
func (t *tester) leases(ids ...int64) {
	t.Helper()
	for _, id := range ids {
		resp, err := t.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{ID: id, TTL: 60})
		ok(t, resp, err)
	}
}

// until waits for something that other goroutines bring about.
func (t *tester) until(what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in ten seconds", what)
		}
	}
}

func (t *tester) has(key string) bool {
	t.Helper()
	resp, err := t.svc.Range(as("root"), &pb.RangeRequest{Key: []byte(key)})
	ok(t, resp, err)
	return len(resp.Kvs) > 0
}

type locked struct {
	resp *v3lockpb.LockResponse
	err  error
}

func (t *tester) lockLater(ctx context.Context, name string, lease int64) chan locked {
	done := make(chan locked, 1)
	go func() {
		resp, err := t.svc.Lock(ctx, &v3lockpb.LockRequest{Name: []byte(name), Lease: lease})
		done <- locked{resp, err}
	}()
	return done
}

func waiting[T any](t *tester, c chan T) {
	t.Helper()
	select {
	case got := <-c:
		t.Fatalf("didn't wait: %+v", got)
	case <-time.After(20 * time.Millisecond):
	}
}

// TestLockQueue: holders take turns in the order in which they came; who gives up
// leaves the queue, who lost his key doesn't get the lock.
func TestLockQueue(t *testing.T) {
	s := newTester(t)
	s.leases(1, 2, 3, 4)
	first := <-s.lockLater(bg, "l", 1)
	if first.err != nil || string(first.resp.Key) != "l/1" {
		t.Fatalf("%+v", first)
	}
	ctx, cancel := context.WithCancel(bg)
	second := s.lockLater(ctx, "l", 2)
	s.until("second in the queue", func() bool { return s.has("l/2") })
	third := s.lockLater(bg, "l", 3)
	s.until("third in the queue", func() bool { return s.has("l/3") })
	fourth := s.lockLater(bg, "l", 4)
	s.until("fourth in the queue", func() bool { return s.has("l/4") })
	waiting(s, second)
	cancel()
	if got := <-second; !errors.Is(got.err, context.Canceled) || s.has("l/2") {
		t.Errorf("given up: %+v, key left: %t", got, s.has("l/2"))
	}
	waiting(s, third)
	revoked, err := s.svc.LeaseRevoke(bg, &pb.LeaseRevokeRequest{ID: 3})
	ok(s, revoked, err)
	waiting(s, fourth)
	unlocked, err := s.svc.Unlock(bg, &v3lockpb.UnlockRequest{Key: first.resp.Key})
	ok(s, unlocked, err)
	if got := <-third; status.Convert(got.err).Message() != "mutex: session is expired" || status.Code(got.err) != codes.Unknown {
		t.Errorf("without its key: %+v", got)
	}
	if got := <-fourth; got.err != nil || string(got.resp.Key) != "l/4" {
		t.Errorf("the next: %+v", got)
	}
	if again := <-s.lockLater(bg, "l", 4); again.err != nil {
		t.Errorf("the same lease again: %v", again.err)
	}
}

// TestLockNeedsPermission: it is the caller's requests that are carried out.
func TestLockNeedsPermission(t *testing.T) {
	s := newTester(t)
	s.leases(1, 2)
	s.authOn()
	try := func(who string, lease int64) error {
		got := <-s.lockLater(as(who), "b", lease)
		return got.err
	}
	if err := try("bob", 1); status.Convert(err).Message() != "etcdserver: permission denied" {
		t.Errorf("bob may touch b only: %v", err)
	}
	if err := try("", 0); status.Convert(err).Message() != "etcdserver: user name is empty" {
		t.Errorf("nobody gets a lease: %v", err)
	}
	s.apply(&auth.RoleGrant{Role: "r", Permission: auth.Permission{Access: auth.ReadWrite, Key: []byte("b/"), End: []byte("b0")}})
	if err := try("bob", 1); err != nil {
		t.Error(err)
	}
	waits := s.lockLater(as("bob"), "b", 2)
	s.until("in the queue", func() bool { return s.has("b/2") })
	waiting(s, waits)
	s.apply(&auth.RoleRevoke{Role: "r", Key: []byte("b/"), End: []byte("b0")})
	if got := <-waits; got.err == nil {
		t.Error("got the lock without permission")
	}
}

type fakeObserver struct {
	ctx  context.Context
	told chan *v3electionpb.LeaderResponse
}

func (o *fakeObserver) Context() context.Context { return o.ctx }
func (o *fakeObserver) Send(r *v3electionpb.LeaderResponse) error {
	o.told <- r
	return nil
}

// TestElection: campaigns take turns, an observer hears of each leader and value.
func TestElection(t *testing.T) {
	s := newTester(t)
	s.leases(1, 2)
	ctx, cancel := context.WithCancel(bg)
	o := &fakeObserver{ctx: ctx, told: make(chan *v3electionpb.LeaderResponse, 10)}
	ended := make(chan error, 1)
	go func() { ended <- s.svc.Observe(&v3electionpb.LeaderRequest{Name: []byte("e")}, o) }()
	hear := func(key, value string) {
		t.Helper()
		select {
		case r := <-o.told:
			if string(r.Kv.Key) != key || string(r.Kv.Value) != value || r.Header.Revision < r.Kv.ModRevision {
				t.Errorf("heard %v, want %s %s", r, key, value)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("heard nothing of %s %s", key, value)
		}
	}
	one, err := s.svc.Campaign(bg, &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: 1, Value: []byte("a")})
	ok(s, one, err)
	hear("e/1", "a")
	two := make(chan error, 1)
	go func() {
		_, err := s.svc.Campaign(bg, &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: 2, Value: []byte("x")})
		two <- err
	}()
	s.until("second candidate", func() bool { return s.has("e/2") })
	again, err := s.svc.Campaign(bg, &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: 1, Value: []byte("b")})
	ok(s, again, err)
	hear("e/1", "b")
	said, err := s.svc.Proclaim(bg, &v3electionpb.ProclaimRequest{Leader: one.Leader, Value: []byte("c")})
	ok(s, said, err)
	hear("e/1", "c")
	waiting(s, two)
	left, err := s.svc.Resign(bg, &v3electionpb.ResignRequest{Leader: one.Leader})
	ok(s, left, err)
	if err := <-two; err != nil {
		t.Error(err)
	}
	hear("e/2", "x")
	if _, err := s.svc.Proclaim(bg, &v3electionpb.ProclaimRequest{Leader: one.Leader}); status.Convert(err).Message() != "election: not leader" {
		t.Errorf("proclaimed after resigning: %v", err)
	}
	cancel()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the observer ended with %v", err)
	}
}

// TestCampaignGivenUp: who stops waiting is no candidate any more.
func TestCampaignGivenUp(t *testing.T) {
	s := newTester(t)
	s.leases(1, 2)
	one, err := s.svc.Campaign(bg, &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: 1})
	ok(s, one, err)
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() {
		_, err := s.svc.Campaign(ctx, &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: 2})
		done <- err
	}()
	s.until("second candidate", func() bool { return s.has("e/2") })
	cancel()
	if err := <-done; err == nil || s.has("e/2") {
		t.Errorf("%v, key left: %t", err, s.has("e/2"))
	}
}
