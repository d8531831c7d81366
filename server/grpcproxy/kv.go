package grpcproxy

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// kvServer offers the top layer.
type kvServer struct {
	pb.UnsafeKVServer
	keys
}

var _ pb.KVServer = kvServer{}

func (s kvServer) RangeStream(r *pb.RangeRequest, stream grpc.ServerStreamingServer[pb.RangeStreamResponse]) error {
	return s.keys.RangeStream(stream.Context(), r, stream.Send)
}
