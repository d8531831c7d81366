package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/grpclog"

	"github.com/holdfast-db/holdfast/server"
	"github.com/holdfast-db/holdfast/server/options"
)

const serveHelp = `Run a member. Flags, ETCD_* variables and the configuration file are etcd's; a
flag wins over a variable, a variable over the file, the file over the default
("holdfast config show --origin" tells what came from where). --initial-cluster
and its token give the cluster its identity and must stay as they were at the
first start.

SIGTERM, SIGINT and SIGHUP hand leadership over and stop the member cleanly.`

const serveExample = `  # a single member on localhost
  holdfast serve

  # the first of three members; start the others alike with their own names
  holdfast serve --name n1 --data-dir /var/lib/holdfast \
    --listen-client-urls http://10.0.0.1:2379 --advertise-client-urls http://10.0.0.1:2379 \
    --listen-peer-urls http://10.0.0.1:2380 --initial-advertise-peer-urls http://10.0.0.1:2380 \
    --initial-cluster n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380,n3=http://10.0.0.3:2380`

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:                "serve [FLAGS]",
		Short:              "Run a member (the default)",
		Long:               serveHelp,
		Example:            serveExample,
		DisableFlagParsing: true, // package options reads flags the way etcd does
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nUsage:\n  %s\n\nExamples:\n%s\n\nFlags:\n", cmd.Long, cmd.UseLine(), cmd.Example)
		options.New().Help(cmd.OutOrStdout())
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		set := options.New()
		err := set.Parse(args, os.Environ())
		switch {
		case errors.Is(err, flag.ErrHelp):
			return cmd.Help()
		case err != nil:
			return err
		case set.Version:
			fmt.Fprint(cmd.OutOrStdout(), versionText())
			return nil
		}
		return serve(set.Config)
	}
	return cmd
}

// serve runs a member until a signal or a failure.
func serve(cfg server.Config) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	ended := make(chan struct{})
	defer close(ended)
	go tuneGC(ended)
	// grpc-go and the gateway print what clients do wrong on stderr, as lines that
	// are no JSON; clients are told.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	starting, done := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer done()
	cfg.Starting = starting
	s, err := server.Start(cfg)
	if starting.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was asked to stop while it waited for the others
	}
	if err != nil {
		code := serverCode(err)
		if code == exitNo {
			code = exitConfig
		}
		return exitWith(code, err)
	}
	adoptLog(s.Logger())
	if err := attend(s, signals); err != nil {
		return exitWith(serverCode(err), fmt.Errorf("the member stopped: %w", err))
	}
	return nil
}

// attend waits for the end of a member.
func attend(s *server.Server, signals <-chan os.Signal) error {
	ready := s.Ready()
	for {
		select {
		case <-ready:
			notifyReady(s.Logger())
			ready = nil
		case got := <-signals:
			s.Logger().Info("stopping", "signal", got.String())
			return s.Stop()
		case <-s.Stopped():
			return s.Err()
		}
	}
}
