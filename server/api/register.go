package api

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Register offers the service on a grpc-go server, which must use NewCodec, or on
// a connection within the process. The
// adapters below are all that ties the service to grpc-go. What they don't
// override answers Unimplemented.
func Register(s grpc.ServiceRegistrar, svc *Service) {
	pb.RegisterKVServer(s, kvServer{Service: svc})
	pb.RegisterWatchServer(s, watchServer{Service: svc})
	pb.RegisterLeaseServer(s, leaseServer{Service: svc})
	pb.RegisterClusterServer(s, clusterServer{svc: svc})
	pb.RegisterMaintenanceServer(s, maintenanceServer{svc: svc})
	pb.RegisterAuthServer(s, authServer{Service: svc})
	registerQueues(s, svc)
	h := health.NewServer() // SERVING for the service "", like etcd
	healthpb.RegisterHealthServer(s, h)
}

type kvServer struct {
	pb.UnsafeKVServer
	*Service
}

func (s kvServer) RangeStream(r *pb.RangeRequest, stream grpc.ServerStreamingServer[pb.RangeStreamResponse]) error {
	return s.Service.RangeStream(r, stream)
}

type authServer struct {
	pb.UnsafeAuthServer
	*Service
}

type watchServer struct {
	pb.UnsafeWatchServer
	*Service
}

func (s watchServer) Watch(stream grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	return s.Service.Watch(watchConn{stream})
}

// watchConn hands messages to the codec as they are.
type watchConn struct {
	grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]
}

func (c watchConn) SendWatch(m *WatchMessage) error { return c.SendMsg(m) }

type leaseServer struct {
	pb.UnsafeLeaseServer
	*Service
}

func (s leaseServer) LeaseKeepAlive(stream grpc.BidiStreamingServer[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse]) error {
	return s.Service.LeaseKeepAlive(stream)
}
