package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// clientFlags are those of every command that talks to a cluster.
type clientFlags struct {
	endpoints string
	timeout   time.Duration
	output    string
	tls       tlsFlags
}

func (f *clientFlags) bind(cmd *cobra.Command) {
	endpoints := "127.0.0.1:2379"
	if v := fromEnv("ENDPOINTS"); v != "" {
		endpoints = v
	}
	cmd.Flags().StringVar(&f.endpoints, "endpoints", endpoints, "members to ask, separated by commas ($HOLDFAST_ENDPOINTS)")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 5*time.Second, "how long to wait for an answer")
	f.tls.bind(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
}

func (f *clientFlags) connect() (*clientv3.Client, error) {
	secure, err := f.tls.config()
	if err != nil {
		return nil, exitWith(exitConfig, err)
	}
	return clientv3.New(clientv3.Config{
		TLS:         secure,
		Endpoints:   strings.Split(f.endpoints, ","),
		DialTimeout: f.timeout,
		Logger:      zap.NewNop(), // what goes wrong is in the error
	})
}

// with runs f with a client and a deadline.
func (f *clientFlags) with(ctx context.Context, do func(context.Context, *clientv3.Client) error) error {
	c, err := f.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return do(ctx, c)
}
