package grpcproxy

import (
	"context"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// forwarder passes on calls that it doesn't understand: authentication,
// maintenance, members. A message is read as one without fields, which keeps all
// that it has as unknown ones and writes them again as they were. So a method that
// a later release adds to these services works as well.
type forwarder struct {
	conn  grpc.ClientConnInterface
	cache *cache
}

// forwarded are the services of which calls may be passed on.
var forwarded = []string{"/etcdserverpb.Auth/", "/etcdserverpb.Cluster/", "/etcdserverpb.Maintenance/", "/grpc.health.v1.Health/"}

// handle is a grpc.StreamHandler for all methods that nobody else handles.
func (f *forwarder) handle(_ any, ss grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(ss)
	if !isForwarded(method) {
		return status.Errorf(codes.Unimplemented, "unknown method %s", method)
	}
	ctx, cancel := context.WithCancel(ss.Context())
	defer cancel()
	cs, err := f.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return err
	}
	go passRequests(ss, cs, cancel)
	err = passAnswers(cs, ss)
	if strings.HasPrefix(method, forwarded[0]) {
		f.cache.clear(0) // who may read what may be another
	}
	return err
}

func isForwarded(method string) bool {
	for _, service := range forwarded {
		if strings.HasPrefix(method, service) {
			return true
		}
	}
	return false
}

// passRequests ends when the client has said its last, or the call is over.
func passRequests(from grpc.ServerStream, to grpc.ClientStream, cancel func()) {
	for {
		m := &emptypb.Empty{}
		err := from.RecvMsg(m)
		if errors.Is(err, io.EOF) {
			_ = to.CloseSend() // what is wrong with the stream the other direction hears
			return
		}
		if err != nil {
			cancel()
			return
		}
		if to.SendMsg(m) != nil {
			return
		}
	}
}

func passAnswers(from grpc.ClientStream, to grpc.ServerStream) error {
	for {
		m := &emptypb.Empty{}
		err := from.RecvMsg(m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := to.SendMsg(m); err != nil {
			return err
		}
	}
}
