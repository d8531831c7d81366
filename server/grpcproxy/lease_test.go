package grpcproxy

import (
	"context"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/holdfast-db/holdfast/internal/servertest"
)

// TestRenewals: clients keep their leases through the proxy, a client that is gone loses its own, and all of them
// together cost the member one stream.
func TestRenewals(t *testing.T) {
	member, _ := servertest.Start(t)
	p := startProxy(t, member)
	direct := connect(t, member)
	ctx := soon(t)
	leases := map[clientv3.LeaseID]bool{} // by whether it is renewed
	streams := func() float64 {
		return scrape(t, "http://"+member+"/metrics", `grpc_server_started_total\{grpc_method="LeaseKeepAlive",grpc_service="etcdserverpb.Lease",grpc_type="bidi_stream"\}`)
	}
	before := streams()
	for range 3 {
		c := connect(t, p.Addr())
		kept, left := must(c.Grant(ctx, 2))(t).ID, must(c.Grant(ctx, 2))(t).ID
		leases[kept], leases[left] = true, false
		if ch := must(c.KeepAlive(t.Context(), kept))(t); (<-ch).TTL != 2 {
			t.Error("no first renewal")
		}
	}
	if n := streams() - before; n != 1 {
		t.Errorf("%v streams for three clients", n)
	}
	time.Sleep(4 * time.Second)
	for lease, kept := range leases {
		if ttl := must(direct.TimeToLive(ctx, lease))(t).TTL; (ttl > 0) != kept {
			t.Errorf("lease %x has %d s left; renewed: %t", lease, ttl, kept)
		}
	}
}

// TestRenewalAnswers: each request has its answer, also for a lease that isn't there and after the client's last word.
func TestRenewalAnswers(t *testing.T) {
	_, through, _ := behind(t)
	ctx := soon(t)
	lease := int64(must(through.Grant(ctx, 60))(t).ID)
	s := must(pb.NewLeaseClient(through.ActiveConnection()).LeaseKeepAlive(ctx))(t)
	for _, id := range []int64{lease, lease, 4711, lease} {
		if err := s.Send(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	ttls := map[int64][]int64{}
	err := relay(s, func(r *pb.LeaseKeepAliveResponse) error {
		ttls[r.ID] = append(ttls[r.ID], r.TTL)
		return nil
	})
	if err != nil || len(ttls[lease]) != 3 || len(ttls[4711]) != 1 || ttls[4711][0] != 0 || ttls[lease][2] != 60 {
		t.Errorf("%v, %v", ttls, err)
	}
}

// leaseMember answers renewals when it is told to.
type leaseMember struct {
	pb.LeaseClient
	asked chan int64
	reply chan *pb.LeaseKeepAliveResponse
}

type leaseStream struct {
	grpc.ClientStream
	ctx    context.Context
	member *leaseMember
}

func (m *leaseMember) LeaseKeepAlive(ctx context.Context, _ ...grpc.CallOption) (grpc.BidiStreamingClient[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse], error) {
	return &leaseStream{ctx: ctx, member: m}, nil
}

func (s *leaseStream) Send(r *pb.LeaseKeepAliveRequest) error { s.member.asked <- r.ID; return nil }

func (s *leaseStream) Recv() (*pb.LeaseKeepAliveResponse, error) {
	select {
	case r := <-s.member.reply:
		if r == nil {
			return nil, errStopping
		}
		return r, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

// TestLateRenewal: whoever asks while a lease is being asked for shares the next request. The answer to the first may
// tell of a moment before he asked.
func TestLateRenewal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := &leaseMember{asked: make(chan int64, 10), reply: make(chan *pb.LeaseKeepAliveResponse)}
	h := &pulseHub{ctx: ctx, client: m, pulses: map[caller]*pulse{}}
	streams := []*pulseStream{newPulseStream(), newPulseStream(), newPulseStream()}
	p := h.enter(caller{})
	defer h.leave(p, streams[0])
	p.renew(7, streams[0])
	<-m.asked
	p.renew(7, streams[1])
	p.renew(7, streams[2])
	for answer, stream := range [][]*pulseStream{streams[:1], streams[1:]} {
		m.reply <- &pb.LeaseKeepAliveResponse{ID: 7, TTL: int64(answer + 1)}
		for _, s := range stream {
			<-s.ready
			if items, _, err := s.take(); err != nil || len(items) != 1 || items[0].TTL != int64(answer+1) {
				t.Errorf("answer %d: %v, %v", answer, items, err)
			}
		}
		if answer == 0 {
			<-m.asked
		}
	}
	if n := len(m.asked); n != 0 || len(p.waiting) != 0 {
		t.Errorf("it was asked %d times more, %v is waited for", n, p.waiting)
	}
}

// TestRenewalsOfOneLease: a broken stream is asked again, once for all who have asked.
func TestRenewalsOfOneLease(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := &leaseMember{asked: make(chan int64, 10), reply: make(chan *pb.LeaseKeepAliveResponse)}
	h := &pulseHub{ctx: ctx, client: m, pulses: map[caller]*pulse{}}
	one, two := newPulseStream(), newPulseStream()
	p := h.enter(caller{})
	defer h.leave(p, one)
	p.renew(7, one)
	<-m.asked
	p.renew(7, two)
	m.reply <- nil // the member is gone
	if got := <-m.asked; got != 7 {
		t.Fatal(got)
	}
	m.reply <- &pb.LeaseKeepAliveResponse{ID: 7, TTL: 3}
	for _, s := range []*pulseStream{one, two} {
		<-s.ready
		if items, _, err := s.take(); err != nil || len(items) != 1 || items[0].TTL != 3 {
			t.Errorf("%v, %v", items, err)
		}
	}
	if n := len(m.asked); n != 0 {
		t.Errorf("it was asked %d times more", n)
	}
}

// TestNobodyAsksForTheDead: a renewal that no member has answered isn't asked for again when its client is gone.
func TestNobodyAsksForTheDead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := &leaseMember{asked: make(chan int64, 10), reply: make(chan *pb.LeaseKeepAliveResponse)}
	h := &pulseHub{ctx: ctx, client: m, pulses: map[caller]*pulse{}}
	gone, stays := newPulseStream(), newPulseStream()
	p := h.enter(caller{})
	h.enter(caller{})
	defer h.leave(p, stays)
	p.renew(7, gone)
	p.renew(8, gone)
	p.renew(8, stays)
	for range 2 {
		<-m.asked
	}
	h.leave(p, gone)
	p.renew(7, gone) // its last word was on the way
	m.reply <- nil   // the member is gone
	if got := <-m.asked; got != 8 {
		t.Errorf("lease %d was renewed for nobody", got)
	}
	m.reply <- &pb.LeaseKeepAliveResponse{ID: 8, TTL: 3}
	<-stays.ready
	if n := len(m.asked); n != 0 {
		t.Errorf("it was asked %d times more", n)
	}
}
