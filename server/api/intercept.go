package api

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Unary is the interceptor that all unary requests pass.
func (g *Guard) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if g.backend.Head().Learner && !learnerServes(req) {
		return nil, rpctypes.ErrGRPCNotSupportedForLearner
	}
	if _, err := g.Check(ctx); err != nil {
		return nil, err
	}
	if g.requests.max > 0 {
		who := g.gate.requester(ctx)
		defer g.requests.add(who, -1)
		if !g.requests.add(who, 1) {
			return nil, rpctypes.ErrGRPCRequestTooManyRequests
		}
	}
	ctx, err := g.gate.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	resp, err := handler(ctx, req)
	if err == nil {
		err = g.gate.leave(ctx)
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// Stream is the interceptor that all streams pass.
func (g *Guard) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if g.backend.Head().Learner && !g.learnerStreams(info.FullMethod) {
		return rpctypes.ErrGRPCNotSupportedForLearner
	}
	needsLeader, err := g.Check(ss.Context())
	if err != nil {
		return err
	}
	ctx, err := g.gate.enter(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	if needsLeader {
		var leave func()
		ctx, leave = g.Enter(ctx)
		defer leave()
	}
	if ctx != ss.Context() {
		ss = &guardedStream{ServerStream: ss, ctx: ctx, gate: g.gate}
	}
	return handler(srv, ss)
}

// learnerStreams tells which streams a learner serves. Watches only as an option:
// its events are right and in order, and may come late without bound.
func (g *Guard) learnerStreams(method string) bool {
	switch method {
	case pb.Maintenance_Snapshot_FullMethodName, healthpb.Health_Watch_FullMethodName:
		return true
	case pb.Watch_Watch_FullMethodName:
		return g.learnerWatch
	}
	return false
}

// guardedStream is a stream whose context the guard can end, and on which nothing
// is said before permissions were looked at.
type guardedStream struct {
	grpc.ServerStream
	ctx  context.Context
	gate gate
}

// SendMsg implements grpc.ServerStream.
func (s *guardedStream) SendMsg(m any) error {
	if err := s.gate.leave(s.ctx); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

func (s *guardedStream) Context() context.Context { return s.ctx }

// learnerServes tells what a learner answers: its log may lag without bound, so
// nothing that looks current. (The health service speaks for the process.)
func learnerServes(req any) bool {
	switch r := req.(type) {
	case *pb.StatusRequest, *healthpb.HealthCheckRequest:
		return true
	case *pb.RangeRequest:
		return r.Serializable
	default:
		return false
	}
}
