package grpcproxy

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// methods are all that members offer, by full name, each with its labels.
var methods = knownMethods()

func knownMethods() map[string][]string {
	known := map[string][]string{}
	for _, file := range []protoreflect.FileDescriptor{
		pb.File_rpc_proto, v3lockpb.File_v3lock_proto, v3electionpb.File_v3election_proto, healthpb.File_grpc_health_v1_health_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				known["/"+string(service.FullName())+"/"+string(m.Name())] = []string{kindOf(m), string(service.FullName()), string(m.Name())}
			}
		}
	}
	return known
}

func kindOf(m protoreflect.MethodDescriptor) string {
	switch {
	case m.IsStreamingClient() && m.IsStreamingServer():
		return "bidi_stream"
	case m.IsStreamingServer():
		return "server_stream"
	case m.IsStreamingClient():
		return "client_stream"
	}
	return "unary"
}

func labelsOf(method string) []string {
	if labels, ok := methods[method]; ok {
		return labels
	}
	return []string{"unknown", "unknown", "unknown"}
}
