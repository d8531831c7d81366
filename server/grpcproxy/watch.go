package grpcproxy

import (
	"errors"
	"io"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// progressRetry is after how long members are asked again how far they are: they
// may not have been able to say, or have gone.
const progressRetry = time.Second

// errStopping ends streams when the proxy stops; clients go elsewhere.
var errStopping = status.Error(codes.Unavailable, "etcdserver: server stopped")

type watchServer struct {
	pb.UnsafeWatchServer
	hub *watchHub
}

var _ pb.WatchServer = watchServer{}

// Watch serves one client's stream: this goroutine sends, another receives.
func (w watchServer) Watch(conn grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	s := newWatchStream(w.hub, conn.Context())
	defer s.close()
	received := make(chan error, 1)
	go func() { received <- s.receive(conn) }()
	retry := time.NewTicker(progressRetry)
	defer retry.Stop()
	for {
		select {
		case <-s.ready:
			if err := s.flush(conn); err != nil {
				return err
			}
		case err := <-received:
			if err != nil {
				return err
			}
			received = nil // the client won't ask again, but still listens
		case <-retry.C:
			if s.asking() {
				w.hub.askProgress(s.caller)
			}
		case <-s.ctx.Done():
			return status.FromContextError(s.ctx.Err()).Err()
		case <-w.hub.ctx.Done():
			return errStopping
		}
	}
}

// flush sends what waits, and brings back who fell behind because of it.
func (s *watchStream) flush(conn grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	items, behind, err := s.take()
	for _, item := range items {
		if err := conn.Send(item); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	for _, r := range behind {
		s.board(r)
	}
	return nil
}

func (s *watchStream) receive(conn grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	for s.waitForRoom() {
		req, err := conn.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch u := req.RequestUnion.(type) {
		case *pb.WatchRequest_CreateRequest:
			if u.CreateRequest != nil {
				s.create(u.CreateRequest)
			}
		case *pb.WatchRequest_CancelRequest:
			if u.CancelRequest != nil {
				s.cancel(u.CancelRequest.WatchId)
			}
		case *pb.WatchRequest_ProgressRequest:
			s.askProgress()
		}
		// Anything else is a newer client's.
	}
	return nil
}

// create returns when the client has its answer: clients tell answers apart by
// their order.
func (s *watchStream) create(req *pb.WatchCreateRequest) {
	if req.StartRevision < 0 {
		s.refuse(rpctypes.ErrCompacted.Error())
		return
	}
	r := newRider(s, req)
	if !s.enlist(r, req.WatchId) {
		s.refuse("mvcc: duplicate watch ID provided on the WatchStream")
		return
	}
	s.board(r)
	select {
	case <-r.ready:
	case <-s.ctx.Done():
	}
}

func (s *watchStream) refuse(reason string) {
	s.push(&pb.WatchResponse{Header: s.lastHeader(), WatchId: noWatch, Created: true, Canceled: true, CancelReason: reason})
}

// board puts a rider on a ride, unless the client has gone or has canceled it:
// also if it does so at this moment.
func (s *watchStream) board(r *rider) {
	s.hub.join(r)
	if !s.knows(r) {
		s.hub.leave(r)
	}
}

func (s *watchStream) cancel(id int64) {
	r := s.find(id)
	if r == nil {
		return
	}
	s.forget(r)
	s.hub.leave(r)
	s.push(&pb.WatchResponse{Header: s.lastHeader(), WatchId: id, Canceled: true})
}

// askProgress has the client told, by one response for the whole stream, up to
// which revision it has everything. The members say so of each ride, behind the
// events that it is about. Without watchers there is nothing to say.
func (s *watchStream) askProgress() {
	if s.ask() {
		s.hub.askProgress(s.caller)
	}
}
