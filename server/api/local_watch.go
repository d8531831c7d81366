package api

import (
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errLostWatch is the Go client's, which etcd's lock service waits with.
var errLostWatch = errors.New("lost watcher waiting for delete")

// localWatch is one watch of a caller whose request the server carries out. It is
// served like any client's, by Service.Watch: same permissions, same bounds.
type localWatch struct {
	ctx     context.Context
	request chan *pb.WatchRequest
	replies chan *pb.WatchResponse
}

// Context implements WatchConn.
func (w *localWatch) Context() context.Context { return w.ctx }

// Recv implements WatchConn.
func (w *localWatch) Recv() (*pb.WatchRequest, error) {
	select {
	case r := <-w.request:
		return r, nil
	case <-w.ctx.Done():
		return nil, io.EOF
	}
}

// SendWatch implements WatchConn.
func (w *localWatch) SendWatch(m *WatchMessage) error {
	select {
	case w.replies <- m.PB():
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// watchRange calls visit with the events of a range, and the header of their
// response, until it returns false or an error; then the watch ends.
func (s *Service) watchRange(ctx context.Context, key, end []byte, revision int64,
	visit func(*pb.ResponseHeader, *mvccpb.Event) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &localWatch{ctx: ctx, request: make(chan *pb.WatchRequest, 1), replies: make(chan *pb.WatchResponse)}
	w.request <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: key, RangeEnd: end, StartRevision: revision}}}
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(w) }()
	for {
		select {
		case r := <-w.replies:
			more, err := visitEvents(r, visit)
			if !more || err != nil {
				return err
			}
		case err := <-ended:
			if err == nil || ctx.Err() != nil {
				err = ctx.Err()
			}
			return err
		}
	}
}

func visitEvents(r *pb.WatchResponse, visit func(*pb.ResponseHeader, *mvccpb.Event) (bool, error)) (more bool, err error) {
	switch {
	case r.CompactRevision != 0:
		return false, status.Error(codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted")
	case r.Canceled && r.CancelReason != "":
		return false, status.Error(codes.FailedPrecondition, r.CancelReason)
	case r.Canceled:
		return false, errLostWatch
	}
	for _, ev := range r.Events {
		if more, err := visit(r.Header, ev); !more || err != nil {
			return false, err
		}
	}
	return true, nil
}
