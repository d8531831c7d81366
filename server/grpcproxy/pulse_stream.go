package grpcproxy

import (
	"errors"
	"io"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// pulseBacklog is how many answers may wait for a client, or be waited for by it,
// until its next request is read.
const pulseBacklog = 1024

// pulseStream is one client's stream.
type pulseStream struct {
	ready chan struct{}
	// leases are those that its pulse was asked to renew and hasn't; nil: the stream
	// has left. The pulse's lock guards it.
	leases map[int64]struct{}

	mu     sync.Mutex
	room   sync.Cond
	items  []*pb.LeaseKeepAliveResponse
	owed   int // requests that weren't answered on the wire yet
	err    error
	closed bool
}

func newPulseStream() *pulseStream {
	s := &pulseStream{ready: make(chan struct{}, 1), leases: map[int64]struct{}{}}
	s.room.L = &s.mu
	return s
}

func (s *pulseStream) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // it is awake
	}
}

func (s *pulseStream) push(resp *pb.LeaseKeepAliveResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(s.items, resp)
	s.wake()
}

func (s *pulseStream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.wake()
}

// waitForRoom waits until little enough is owed; false: the stream is over.
func (s *pulseStream) waitForRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.owed >= pulseBacklog && !s.closed {
		s.room.Wait()
	}
	return !s.closed
}

func (s *pulseStream) owe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed++
}

// take returns what is to be sent. settled: nothing is owed beyond it.
func (s *pulseStream) take() (items []*pb.LeaseKeepAliveResponse, settled bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items, s.items = s.items, nil
	s.owed -= len(items)
	s.room.Broadcast()
	return items, s.owed == 0, s.err
}

func (s *pulseStream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.room.Broadcast()
}

type keepAliveServer = grpc.BidiStreamingServer[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse]

// serve is one client's stream: this goroutine sends, another receives.
func (h *pulseHub) serve(conn keepAliveServer) error {
	s := newPulseStream()
	defer s.close()
	p := h.enter(callerOf(conn.Context()))
	defer h.leave(p, s)
	received := make(chan error, 1)
	go func() { received <- s.receive(conn, p) }()
	over := false // the client has said its last
	for {
		select {
		case <-s.ready:
			if done, err := s.flush(conn); err != nil || over && done {
				return err
			}
		case err := <-received:
			if err != nil {
				return err
			}
			received, over = nil, true
			s.nudge() // what it asked for it still gets
		case <-conn.Context().Done():
			return status.FromContextError(conn.Context().Err()).Err()
		case <-h.ctx.Done():
			return errStopping
		}
	}
}

func (s *pulseStream) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

func (s *pulseStream) flush(conn keepAliveServer) (settled bool, err error) {
	items, settled, end := s.take()
	for _, item := range items {
		if err := conn.Send(item); err != nil {
			return false, err
		}
	}
	return settled, end
}

func (s *pulseStream) receive(conn keepAliveServer, p *pulse) error {
	for s.waitForRoom() {
		req, err := conn.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.owe()
		p.renew(req.ID, s)
	}
	return nil
}
