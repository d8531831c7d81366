package grpcproxy

import (
	"context"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"
)

// caller is what of a request's header decides how members answer it. Streams to
// the members are shared by clients whose callers are equal, and by no others.
type caller struct {
	token  string // who he is; "" without authentication
	leader string // "true": the member must have a leader
}

// bareToken is where HTTP clients put the token, as the members accept it, too.
const bareToken = "authorization"

func callerOf(ctx context.Context) (c caller) {
	md, _ := metadata.FromIncomingContext(ctx)
	c.token = first(md, rpctypes.TokenFieldNameGRPC)
	if c.token == "" {
		c.token = first(md, bareToken)
	}
	c.leader = first(md, rpctypes.MetadataRequireLeaderKey)
	return c
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// header is what members get to see.
func (c caller) header() metadata.MD {
	md := metadata.MD{}
	if c.token != "" {
		md.Set(rpctypes.TokenFieldNameGRPC, c.token)
	}
	if c.leader != "" {
		md.Set(rpctypes.MetadataRequireLeaderKey, c.leader)
	}
	return md
}

// onward makes a request's context that of the request to a member.
func onward(ctx context.Context) context.Context {
	out := callerOf(ctx).header()
	in, _ := metadata.FromIncomingContext(ctx)
	if version := first(in, rpctypes.MetadataClientAPIVersionKey); version != "" {
		out.Set(rpctypes.MetadataClientAPIVersionKey, version) // members count clients by version
	}
	return metadata.NewOutgoingContext(ctx, out)
}
