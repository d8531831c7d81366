package grpcproxy

import (
	"context"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

const dialTimeout = 5 * time.Second

// dialMembers makes the client whose connection carries everything. It retries
// nothing by itself: whether a write may be sent again is the clients' to decide.
func dialMembers(c *Config) (*clientv3.Client, error) {
	config := clientv3.Config{
		Endpoints: c.Endpoints, DialTimeout: dialTimeout, TLS: c.MembersTLS, Logger: zap.NewNop(),
		MaxCallSendMsgSize: c.SendBytesMax, MaxCallRecvMsgSize: c.RecvBytesMax,
		DialKeepAliveTime: c.DialKeepAliveTime, DialKeepAliveTimeout: c.DialKeepAliveTimeout, PermitWithoutStream: c.PermitWithoutStream,
		DialOptions: []grpc.DialOption{
			grpc.WithUnaryInterceptor(plainUnary), grpc.WithStreamInterceptor(plainStream),
			grpc.WithDefaultCallOptions(sizes(c)...),
		},
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, err
	}
	client.ActiveConnection().Connect()
	return client, nil
}

func sizes(c *Config) (out []grpc.CallOption) {
	if c.SendBytesMax > 0 {
		out = append(out, grpc.MaxCallSendMsgSize(c.SendBytesMax))
	}
	if c.RecvBytesMax > 0 {
		out = append(out, grpc.MaxCallRecvMsgSize(c.RecvBytesMax))
	}
	return out
}

// plainUnary and plainStream stand where the client library would retry.
func plainUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, opts...)
}

func plainStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(ctx, desc, cc, method, opts...)
}

// follow replaces the endpoints by what the members say, every now and then.
func follow(ctx context.Context, c *Config, client *clientv3.Client) {
	ticker := time.NewTicker(c.AutoSync)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		before := client.Endpoints()
		asking, cancel := context.WithTimeout(ctx, dialTimeout)
		err := client.Sync(asking)
		cancel()
		switch now := client.Endpoints(); {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.Log.Warn("Auto sync endpoints failed.", "error", err.Error())
		case !slices.Equal(before, now):
			c.Log.Info("set etcd endpoints by autoSync", "endpoints", now)
		}
	}
}
