package main

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// register keeps key = value in the store until ctx ends, then takes it away.
//
// The lease is kept alive every third of its TTL, which survives an election: a new leader extends all leases. What it
// does not survive is a pause of this process, or of its network, that lasts longer than the TTL. Then the store is
// right to forget us, and we find out when we are back: the channel of answers closes. So there is a loop around it all:
// a registration that was lost is made anew.
func register(ctx context.Context, client *clientv3.Client, key, value string, ttl int64) error {
	for {
		lease, answers, err := enter(ctx, client, key, value, ttl)
		if ctx.Err() != nil {
			return leave(client, lease)
		}
		if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return err
		}
		if err == nil {
			fmt.Println("registered", key)
			for range answers { // each is a keep-alive that was answered
			}
		}
		if ctx.Err() != nil {
			return leave(client, lease)
		}
		fmt.Println("the lease was lost; registering again")
	}
}

// enter grants a lease, puts the key with it and begins to keep it alive. A grant that happens twice leaves a lease
// without a key, which nobody keeps alive and which is gone a TTL later; a put that happens twice is the same put.
func enter(ctx context.Context, client *clientv3.Client, key, value string, ttl int64) (
	lease clientv3.LeaseID, answers <-chan *clientv3.LeaseKeepAliveResponse, err error) {
	err = connect.Retry(ctx, func(ctx context.Context) error {
		if lease == clientv3.NoLease {
			granted, err := client.Grant(ctx, ttl)
			if err != nil {
				return err
			}
			lease = granted.ID
		}
		_, err := client.Put(ctx, key, value, clientv3.WithLease(lease))
		return err
	})
	if err != nil {
		return lease, nil, err
	}
	answers, err = client.KeepAlive(ctx, lease)
	return lease, answers, err
}

// leave ends the lease, and the key with it, at once: clients need not wait for the TTL when a server stops in peace.
func leave(client *clientv3.Client, lease clientv3.LeaseID) error {
	if lease == clientv3.NoLease {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connect.Attempt)
	defer cancel()
	if _, err := client.Revoke(ctx, lease); err != nil {
		return fmt.Errorf("could not sign off, so the registration ends with its TTL: %w", err)
	}
	return nil
}
