package server

import (
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server/api"
)

// gRPC buffers. Windows are larger than HTTP/2's 64 KiB so that a large range
// or a burst of puts isn't cut into round trips.
const (
	// headerBytesMax bounds a request's header. Tokens and names of methods are
	// all that belongs there.
	headerBytesMax = 64 << 10

	grpcBufferBytes = 32 << 10
	grpcWindowBytes = 1 << 20
	// grpcWorkers keep their grown stacks between requests; beyond them each
	// request gets a goroutine of its own.
	grpcWorkers = 512
)

// newGRPC makes the gRPC server and its guard; the guard's Run is the caller's.
func (b *backend) newGRPC(svc *api.Service) (*grpc.Server, *api.Guard) {
	guard := api.NewGuard(b)
	c := &b.settings.Config
	s := grpc.NewServer(append(b.tracer.Options(),
		grpc.Creds(handshaken{}),
		grpc.ForceServerCodecV2(api.NewCodec()),
		grpc.UnaryInterceptor(b.unary(guard)),
		grpc.StreamInterceptor(b.stream(guard)),
		grpc.MaxRecvMsgSize(b.settings.requestBytesMax()+grpcOverheadBytes),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(c.MaxConcurrentStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.KeepAliveMinTime, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: c.KeepAliveInterval, Timeout: c.KeepAliveTimeout}),
		grpc.ReadBufferSize(grpcBufferBytes),
		grpc.WriteBufferSize(grpcBufferBytes),
		grpc.InitialWindowSize(grpcWindowBytes),
		grpc.InitialConnWindowSize(grpcWindowBytes),
		grpc.NumStreamWorkers(grpcWorkers),
		grpc.ConnectionTimeout(b.settings.handshakeTimeout()),
		grpc.MaxHeaderListSize(uint32(b.settings.limits.headerBytes)),
	)...)
	api.Register(s, svc)
	b.metrics.register(s)
	return s, guard
}

// unary is what every unary request passes, over gRPC or the JSON gateway.
func (b *backend) unary(guard *api.Guard) grpc.UnaryServerInterceptor {
	return b.logUnary(b.metrics.unary(b.responses.Unary(b.tracer.Unary(guard.Unary))))
}

// stream is what every stream passes.
func (b *backend) stream(guard *api.Guard) grpc.StreamServerInterceptor {
	return b.metrics.stream(b.responses.Stream(b.tracer.Stream(guard.Stream)))
}

// errorText is an error's own words without gRPC's frame around them.
func errorText(err error) string {
	if st, ok := status.FromError(err); ok {
		return st.Message()
	}
	return err.Error()
}

func (s *settings) requestBytesMax() int { return int(s.MaxRequestBytes) }

// requestTimeout is how long a request may take: time enough for an election,
// and then for the request.
func (s *settings) requestTimeout() time.Duration {
	return 5*time.Second + 2*time.Duration(s.ElectionMS)*time.Millisecond
}
