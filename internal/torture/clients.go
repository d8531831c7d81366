package torture

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// clientsPerMember: writers share connections as the goroutines of a program do.
const clientsPerMember = 8

// clients are connections to each member alone: who asks, and whom, is part of the history.
type clients struct {
	members []*proc.Member
	of      [][]*clientv3.Client // member → its clients
}

func connect(members []*proc.Member) (*clients, error) {
	c := &clients{members: members}
	for _, m := range members {
		var own []*clientv3.Client
		for range clientsPerMember {
			client, err := dial(m.ClientURL)
			if err != nil {
				return nil, errors.Join(err, c.close())
			}
			own = append(own, client)
		}
		c.of = append(c.of, own)
	}
	return c, nil
}

// dial returns a client of one member that dials again soon: with gRPC's defaults a client waits a second and more
// after a member was down, and would miss most of what happens right after a restart. Requests to a member that is
// down fail at once, where the client library would have them wait: a writer goes elsewhere, and knows that this one
// never left.
func dial(url string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{url},
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}), grpc.WithChainUnaryInterceptor(failFast)},
	})
}

// get returns the client that a user with this number has for a member.
func (c *clients) get(member, user int) *clientv3.Client {
	return c.of[member][user%clientsPerMember]
}

func (c *clients) close() error {
	var errs []error
	for _, own := range c.of {
		for _, client := range own {
			errs = append(errs, client.Close())
		}
	}
	return errors.Join(errs...)
}

// failFast overrides what the client library asks for.
func failFast(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}
