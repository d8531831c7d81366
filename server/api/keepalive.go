package api

import (
	"cmp"
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// keepAliveQueue is how many requests a stream reads ahead.
const keepAliveQueue = 16

// KeepAliveConn is a client's stream of keep-alives. Its context ends when the
// stream must end, with context.Cause as the reason.
type KeepAliveConn interface {
	Context() context.Context
	Recv() (*pb.LeaseKeepAliveRequest, error)
	Send(*pb.LeaseKeepAliveResponse) error
}

// LeaseKeepAlive renews leases, one request after the other, until the client
// ends the stream. Reading has a goroutine of its own because Recv can't be
// interrupted, while the stream must end when its context does.
func (s *Service) LeaseKeepAlive(conn KeepAliveConn) error {
	ctx, cancel := context.WithCancel(conn.Context())
	defer cancel()
	requests := make(chan *pb.LeaseKeepAliveRequest, keepAliveQueue)
	ended := make(chan error, 1)
	go func() {
		ended <- receiveKeepAlives(ctx, conn, requests)
		close(requests)
	}()
	for {
		select {
		case req, ok := <-requests:
			if !ok {
				return <-ended
			}
			if err := s.keepAlive(ctx, conn, req); err != nil {
				return err
			}
		case <-ctx.Done():
			return streamEnd(conn.Context())
		case <-s.backend.Stopped():
			return rpctypes.ErrGRPCStopped
		}
	}
}

// receiveKeepAlives hands on what the client sends. It returns nil when the
// client has said its last.
func receiveKeepAlives(ctx context.Context, conn KeepAliveConn, to chan<- *pb.LeaseKeepAliveRequest) error {
	for {
		req, err := conn.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case to <- req:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Service) keepAlive(ctx context.Context, conn KeepAliveConn, req *pb.LeaseKeepAliveRequest) error {
	if err := s.mayKeepAlive(ctx, req.ID); err != nil {
		return err
	}
	// The header comes first: its revision must not be newer than the renewal,
	// or a client could take a key that is gone for a live one.
	resp := &pb.LeaseKeepAliveResponse{ID: req.ID, Header: s.headerNow()}
	ttl, err := s.backend.KeepAlive(ctx, req.ID)
	if err != nil {
		return ToGRPC(err)
	}
	resp.TTL = max(ttl, 0) // 0: there is no such lease
	return conn.Send(resp)
}

// mayKeepAlive: who can't end a lease can't prolong it either. What is attached
// to it may be so new that this member hasn't applied it.
func (s *Service) mayKeepAlive(ctx context.Context, lease int64) error {
	looked(ctx)
	v := s.backend.Auth()
	if !v.Enabled() {
		return nil
	}
	if c, err := s.gate.caller(ctx, v); err == nil && v.Admin(c) == nil {
		return nil
	}
	view, err := s.backend.View(ctx, true)
	if err != nil {
		return ToGRPC(err)
	}
	_, err = s.mayRead(ctx, view, true, func(v *state.View, c auth.Caller) error {
		return cmp.Or(v.Auth().Login(c), v.PermitLease(c, auth.Write, lease))
	})
	return err
}

// streamEnd is the status of a stream whose context has ended: the reason given
// by whoever ended it, or the client's own cancellation.
func streamEnd(ctx context.Context) error { return ToGRPC(context.Cause(ctx)) }
