package grpcproxy

import (
	"context"
	"os"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// clusterServer says who clients shall talk to: the proxies. Everything else about
// members is forwarded.
type clusterServer struct {
	pb.UnimplementedClusterServer
	members   pb.ClusterClient
	advertise string    // this proxy's address; "": clients see the members
	resolver  *resolver // knows the other proxies; nil: there are none
}

// registerCluster offers MemberList alone, so that the other methods reach the
// forwarder.
func registerCluster(s *grpc.Server, c *clusterServer) {
	desc := pb.Cluster_ServiceDesc
	desc.Methods = nil
	for _, m := range pb.Cluster_ServiceDesc.Methods {
		if m.MethodName == "MemberList" {
			desc.Methods = append(desc.Methods, m)
		}
	}
	s.RegisterService(&desc, c)
}

// MemberList is what clients take their endpoints from.
func (c *clusterServer) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if c.advertise == "" {
		return c.members.MemberList(ctx, r)
	}
	resp := &pb.MemberListResponse{Header: &pb.ResponseHeader{}}
	if c.resolver != nil {
		resp.Members = c.resolver.proxies()
	}
	if len(resp.Members) == 0 {
		resp.Members = []*pb.Member{{Name: hostname(), ClientURLs: []string{c.advertise}}}
	}
	return resp, nil
}

// hostname is a proxy's name; "" if the machine has none.
func hostname() string {
	name, _ := os.Hostname()
	return name
}
