// Discovery registers gRPC servers and finds them.
//
//	go run ./discovery serve --service greeter --listen 127.0.0.1:7001     # as many as you like
//	go run ./discovery serve --service greeter --listen 127.0.0.1:7002
//	go run ./discovery call --service greeter                              # a call every 200 ms, to whoever is there
//	go run ./discovery list --service greeter
//
// A server's registration is a key with a lease that the server keeps alive: `services/NAME/ADDRESS`. If the server
// dies, the lease runs out and the key is gone with it. The client's gRPC channel asks a resolver for addresses
// (resolver.go), and the resolver follows the keys with a watch.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

var (
	service = flag.String("service", "greeter", "the service's name")
	listen  = flag.String("listen", "127.0.0.1:0", "serve: address to listen on, and to register")
	ttl     = flag.Int("ttl", 5, "serve: seconds after which a dead server's registration ends")
	every   = flag.Duration("every", 200*time.Millisecond, "call: time between two calls")
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: discovery serve|call|list [flags]; -h after the word lists them")
		os.Exit(2)
	}
	_ = flag.CommandLine.Parse(os.Args[2:]) // ends the program on an error
	ctx, stop := connect.Context()
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "discovery:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, what string) error {
	client, err := connect.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	switch what {
	case "serve":
		return serve(ctx, client)
	case "call":
		return call(ctx, client)
	case "list":
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		r, err := client.Get(ctx, prefixOf(*service), clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, kv := range r.Kvs {
			fmt.Println(string(kv.Value))
		}
		return nil
	}
	return fmt.Errorf("%q is none of serve, call, list", what)
}

func prefixOf(service string) string { return "services/" + service + "/" }

// serve runs a gRPC server and keeps it registered. The service is gRPC's own health service, so that no generated code
// stands in the way.
func serve(ctx context.Context, client *clientv3.Client) error {
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	fmt.Println("serving on", address)

	err = register(ctx, client, prefixOf(*service)+address, address, int64(*ttl))
	// Only now that nobody is sent here any more does the server stop, and it lets the calls in flight end.
	server.GracefulStop()
	fmt.Println("stopped")
	return err
}

// call calls the service until ctx ends and prints who answered.
func call(ctx context.Context, client *clientv3.Client) error {
	channel, err := grpc.NewClient(scheme+":///"+*service,
		grpc.WithResolvers(builder{client}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
	if err != nil {
		return err
	}
	defer channel.Close()
	greeter := healthpb.NewHealthClient(channel)
	ticks := time.NewTicker(*every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		var who peer.Peer
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		_, err := greeter.Check(attempt, &healthpb.HealthCheckRequest{}, grpc.Peer(&who))
		cancel()
		if err != nil {
			fmt.Println("failed:", err)
			continue
		}
		fmt.Println("answered by", who.Addr)
	}
}
