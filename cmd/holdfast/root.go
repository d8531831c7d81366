package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `Holdfast is a replicated key-value store that every etcd v3 client can use.

Without a subcommand it is the server and takes etcd's flags (see
"holdfast serve --help"); ETCD_* variables work too.`

const rootExample = `  # a single member on localhost, then a key with etcdctl or with holdfast
  holdfast
  etcdctl put greeting hello
  holdfast get greeting

  # a cluster of three on this machine; Ctrl-C stops all of it
  holdfast local --nodes 3

  # how is it?
  holdfast status --endpoints 127.0.0.1:2379,127.0.0.1:2389,127.0.0.1:2399`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "holdfast",
		Short:         "A replicated key-value store for etcd v3 clients",
		Long:          rootHelp,
		Example:       rootExample,
		Version:       "-", // versionText is the whole answer
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate(versionText())
	root.AddCommand(newServe(), newLocal(), newCert(), newPut(), newGet(), newDel(), newWatch(), newStatus(), newConfig(), newGateway(), newGRPCProxy(), newImport(), newExport(), newWAL(), newSimCommand(), newTorture(), newVersion())
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// withDefaultCommand puts "serve" where a server's flags come without it.
func withDefaultCommand(args []string) []string {
	if len(args) == 0 {
		return []string{"serve"}
	}
	switch first := args[0]; {
	case first == "-h", first == "--help", first == "-v":
		return args
	case first == "--version", first == "-version":
		return []string{"--version"}
	case strings.HasPrefix(first, "-"):
		return append([]string{"serve"}, args...)
	}
	return args
}
