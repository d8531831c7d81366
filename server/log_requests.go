package server

import (
	"context"
	"log/slog"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/server/api"
)

// requestStats are what a line about a request tells, with -1 for what isn't
// known of this kind. Values that clients store are never in it.
type requestStats struct {
	requests, requestBytes, responses, responseBytes int64
	content                                          string
}

// logUnary logs requests that take longer than --warning-unary-request-duration,
// and at level debug all of them, in etcd's words and fields.
func (b *backend) logUnary(next grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	limit := b.settings.WarningUnary
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		began := time.Now()
		response, err := next(ctx, request, info, handler)
		took := time.Since(began)
		switch {
		case b.log.Enabled(ctx, slog.LevelDebug):
			b.logRequest(ctx, slog.LevelDebug, began, took, info.FullMethod, request, response)
		case took > limit:
			b.logRequest(ctx, slog.LevelWarn, began, took, info.FullMethod, request, response)
		}
		return response, err
	}
}

func (b *backend) logRequest(ctx context.Context, level slog.Level, began time.Time, took time.Duration, method string, request, response any) {
	remote := "No remote client info."
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
	}
	s := statsOf(request, response)
	b.log.Log(ctx, level, "request stats", "start time", began, "time spent", took, "remote", remote, "response type", method,
		"request count", s.requests, "request size", s.requestBytes, "response count", s.responses, "response size", s.responseBytes,
		"request content", s.content)
}

func statsOf(request, response any) requestStats {
	if held, ok := response.(*api.Response); ok {
		response = held.Message
	}
	switch r := request.(type) {
	case *pb.RangeRequest:
		answer, _ := response.(*pb.RangeResponse)
		return requestStats{0, bytesOf(r), answer.GetCount(), bytesOf(answer), r.String()}
	case *pb.PutRequest:
		answer, _ := response.(*pb.PutResponse)
		return requestStats{1, bytesOf(r), 0, bytesOf(answer), pb.NewLoggablePutRequest(r).String()}
	case *pb.DeleteRangeRequest:
		answer, _ := response.(*pb.DeleteRangeResponse)
		return requestStats{0, bytesOf(r), answer.GetDeleted(), bytesOf(answer), r.String()}
	case *pb.TxnRequest:
		answer, _ := response.(*pb.TxnResponse)
		return txnStats(r, answer)
	}
	return requestStats{-1, -1, -1, -1, ""}
}

// txnStats counts the branch that ran.
func txnStats(r *pb.TxnRequest, answer *pb.TxnResponse) requestStats {
	ops := r.GetFailure()
	if answer.GetSucceeded() {
		ops = r.GetSuccess()
	}
	s := requestStats{requests: int64(len(ops)), responseBytes: bytesOf(answer), content: pb.NewLoggableTxnRequest(r).String()}
	for _, op := range ops {
		s.requestBytes += bytesOf(op)
	}
	return s
}

func bytesOf(m proto.Message) int64 { return int64(proto.Size(m)) }
