package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/server/options"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Look at a member's configuration",
		Example: "  holdfast config show --origin",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigShow())
	return cmd
}

const configShowHelp = `Print the configuration that a member would start with, given the same flags,
ETCD_* variables and configuration file, and exit with an error if it can't work.
The output is a file that --config-file reads.

  --origin   say behind each value where it comes from: flag, env, file or default

All other flags are those of "holdfast serve".`

func newConfigShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:                "show [--origin] [FLAGS OF SERVE]",
		Short:              "Print all values, and where they come from",
		Long:               configShowHelp,
		Example:            "  ETCD_NAME=n1 holdfast config show --origin --config-file etcd.yaml --heartbeat-interval 50",
		DisableFlagParsing: true, // package options reads flags the way etcd does
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nUsage:\n  %s\n\nExamples:\n%s\n", cmd.Long, cmd.UseLine(), cmd.Example)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		set := options.New()
		origin := set.Bool("origin")
		err := set.Parse(args, os.Environ())
		switch {
		case errors.Is(err, flag.ErrHelp):
			return cmd.Help()
		case err != nil:
			return err
		}
		set.Show(cmd.OutOrStdout(), *origin)
		return exitWith(exitConfig, set.Config.Check())
	}
	return cmd
}
