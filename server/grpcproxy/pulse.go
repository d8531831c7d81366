package grpcproxy

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// pulseHub has a pulse for each caller that renews leases.
type pulseHub struct {
	ctx    context.Context
	client pb.LeaseClient

	mu     sync.Mutex
	pulses map[caller]*pulse
}

// pulse is the stream to a member that carries all renewals of one caller. A lease
// is asked for once at a time: those who ask while that is under way share the next
// request. So nobody gets an answer to what was asked before he asked, and may count
// the TTL from when he did. Nothing is renewed that no client asks for, so a lease
// ends as it would without a proxy.
type pulse struct {
	hub    *pulseHub
	caller caller
	ctx    context.Context
	cancel context.CancelFunc
	line   line[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse]

	mu      sync.Mutex
	waiting map[int64]*renewal // those that are under way, by lease
	users   int                // streams; guarded by the hub's lock
}

// renewal is a request that is under way for one lease.
type renewal struct {
	asked []*pulseStream // who gets its answer
	later []*pulseStream // who has asked since
}

func (r *renewal) all() []*pulseStream { return append(r.asked, r.later...) }

func (r *renewal) has(s *pulseStream) bool {
	return slices.Contains(r.asked, s) || slices.Contains(r.later, s)
}

// enter finds a stream's pulse, which lasts until leave.
func (h *pulseHub) enter(c caller) *pulse {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pulses[c]
	if p == nil {
		ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(h.ctx, c.header()))
		p = &pulse{hub: h, caller: c, ctx: ctx, cancel: cancel, waiting: map[int64]*renewal{}}
		p.line = line[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse]{
			open: func(ctx context.Context) (grpc.BidiStreamingClient[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse], error) {
				return h.client.LeaseKeepAlive(ctx)
			},
			resume: p.resume, receive: p.receive, failed: p.failed,
			mu: &p.mu, wake: make(chan struct{}, 1),
		}
		h.pulses[c] = p
		go p.line.run(ctx)
	}
	p.users++
	return p
}

// leave ends a stream's use of its pulse. What it has asked for nobody asks for
// any more.
func (h *pulseHub) leave(p *pulse, s *pulseStream) {
	p.forget(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	p.users--
	if p.users == 0 {
		p.cancel()
		delete(h.pulses, p.caller)
	}
}

// renew asks on behalf of a stream.
func (p *pulse) renew(lease int64, s *pulseStream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.leases == nil {
		return
	}
	s.leases[lease] = struct{}{}
	if r := p.waiting[lease]; r != nil {
		r.later = append(r.later, s)
		return
	}
	p.waiting[lease] = &renewal{asked: []*pulseStream{s}}
	p.line.send(&pb.LeaseKeepAliveRequest{ID: lease})
}

func (p *pulse) forget(s *pulseStream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gone := func(other *pulseStream) bool { return other == s }
	for lease := range s.leases {
		if r := p.waiting[lease]; r != nil { // its answer is still to come, for whomever
			r.asked, r.later = slices.DeleteFunc(r.asked, gone), slices.DeleteFunc(r.later, gone)
		}
	}
	s.leases = nil
}

// resume asks again for what wasn't answered.
func (p *pulse) resume() (requests []*pb.LeaseKeepAliveRequest) {
	for lease, r := range p.waiting {
		r.asked, r.later = r.all(), nil
		if len(r.asked) == 0 {
			delete(p.waiting, lease)
			continue
		}
		requests = append(requests, &pb.LeaseKeepAliveRequest{ID: lease})
	}
	slices.SortFunc(requests, func(a, b *pb.LeaseKeepAliveRequest) int { return cmp.Compare(a.ID, b.ID) })
	return requests
}

func (p *pulse) receive(resp *pb.LeaseKeepAliveResponse) {
	for _, s := range p.answered(resp.ID) {
		s.push(resp)
	}
}

// answered returns who gets the answer, and asks again for those who came later.
func (p *pulse) answered(lease int64) []*pulseStream {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.waiting[lease]
	if r == nil {
		return nil
	}
	streams := r.asked
	if r.asked, r.later = r.later, nil; len(r.asked) > 0 {
		p.line.send(&pb.LeaseKeepAliveRequest{ID: lease})
	} else {
		delete(p.waiting, lease)
	}
	for _, s := range streams {
		if !r.has(s) {
			delete(s.leases, lease)
		}
	}
	return streams
}

// failed asks again for each lease by itself: a member ends a stream because of
// one of them, and doesn't say which. The others must not suffer for it.
func (p *pulse) failed(error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for lease, r := range p.waiting {
		if streams := r.all(); len(streams) > 0 {
			go p.alone(lease, streams)
		}
	}
	p.waiting = map[int64]*renewal{}
	return true
}

// aloneTimeout is for one renewal on a stream of its own.
const aloneTimeout = 10 * time.Second

func (p *pulse) alone(lease int64, streams []*pulseStream) {
	ctx, cancel := context.WithTimeout(p.ctx, aloneTimeout)
	defer cancel()
	resp, err := p.once(ctx, lease)
	for _, s := range streams {
		switch {
		case err == nil:
			s.push(resp)
		case passing(err):
			p.renew(lease, s)
		default:
			s.fail(err)
		}
	}
}

func (p *pulse) once(ctx context.Context, lease int64) (*pb.LeaseKeepAliveResponse, error) {
	stream, err := p.hub.client.LeaseKeepAlive(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: lease}); err != nil {
		return nil, err
	}
	return stream.Recv()
}
