package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/server"
)

const serveHelp = `Run a member. Flags and ETCD_* variables are etcd's; a flag wins over a
variable, a variable over the default. --initial-cluster and its token give the
cluster its identity and must stay as they were at the first start.

SIGTERM, SIGINT and SIGHUP hand leadership over and stop the member cleanly.`

const serveExample = `  # a single member on localhost
  holdfast serve

  # the first of three members; start the others alike with their own names
  holdfast serve --name n1 --data-dir /var/lib/holdfast \
    --listen-client-urls http://10.0.0.1:2379 --advertise-client-urls http://10.0.0.1:2379 \
    --listen-peer-urls http://10.0.0.1:2380 --initial-advertise-peer-urls http://10.0.0.1:2380 \
    --initial-cluster n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380,n3=http://10.0.0.3:2380`

func newServe() *cobra.Command {
	cfg := server.DefaultConfig()
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Run a member (the default)",
		Long:    serveHelp,
		Example: serveExample,
		Args:    cobra.NoArgs,
	}
	table := bindServeFlags(cmd.Flags(), &cfg)
	cmd.RunE = run(func(cmd *cobra.Command, _ []string) error {
		warnings, err := applyEnvironment(cmd.Flags(), os.Environ())
		if err != nil {
			return exitWith(exitConfig, err)
		}
		cfg.Warnings = append(warnings, table.warnings(cmd.Flags())...)
		finishConfig(cmd.Flags(), &cfg)
		return serve(cfg)
	})
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
	s, err := server.Start(cfg)
	if err != nil {
		code := serverCode(err)
		if code == exitNo {
			code = exitConfig
		}
		return exitWith(code, err)
	}
	select {
	case got := <-signals:
		s.Logger().Info("stopping", "signal", got.String())
		err = s.Stop()
	case <-s.Stopped():
		err = s.Err()
	}
	if err != nil {
		return exitWith(serverCode(err), fmt.Errorf("the member stopped: %w", err))
	}
	return nil
}
