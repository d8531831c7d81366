package grpcproxy

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// front is what every call passes first: it is counted, logged if that is wanted,
// and its caller is put where calls to members find him.
type front struct {
	meter  *meter
	ending context.Context // of all streams
	log    *slog.Logger    // nil: calls aren't logged
}

func (f *front) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	began := time.Now()
	c := f.meter.begin(info.FullMethod)
	c.requested()
	resp, err := handler(onward(ctx), req)
	if err == nil {
		c.wasAnswered()
	}
	c.end(err)
	f.report(ctx, info.FullMethod, began, err)
	return resp, err
}

func (f *front) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	began := time.Now()
	c := f.meter.begin(info.FullMethod)
	ctx, cancel := context.WithCancel(onward(ss.Context()))
	defer cancel()
	defer context.AfterFunc(f.ending, cancel)()
	err := handler(srv, &counted{&onwardStream{ss, ctx}, c})
	if err != nil && f.ending.Err() != nil {
		err = errStopping
	}
	c.end(err)
	f.report(ss.Context(), info.FullMethod, began, err)
	return err
}

// report says what was called and how it went. What was said stays between client
// and member: it may be a password.
func (f *front) report(ctx context.Context, method string, began time.Time, err error) {
	if f.log == nil {
		return
	}
	remote := ""
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
	}
	fields := []any{"method", method, "remote", remote, "took", time.Since(began), "code", status.Code(err).String()}
	if err != nil {
		fields = append(fields, "error", err.Error())
	}
	f.log.Info("finished call", fields...)
}

// onwardStream is a stream whose context is that of requests to members.
type onwardStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *onwardStream) Context() context.Context { return s.ctx }
