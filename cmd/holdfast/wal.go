package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/wal"
)

func newWAL() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wal",
		Short: "Look at a member's log: ls, cat, verify",
		Long: `Look at a member's log. Nothing is changed and nothing locked; the newest
batches of a running member may look torn.`,
		Example: `  holdfast wal ls n1.etcd
  holdfast wal cat --entries n1.etcd | tail
  holdfast wal verify n1.etcd        # exit code 65 if something durable is lost`,
	}
	cmd.AddCommand(newWALList(), newWALCat(), newWALVerify())
	return cmd
}

func newWALList() *cobra.Command {
	return &cobra.Command{
		Use:   "ls DIR",
		Short: "List the files of a log, their roles and entries",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			rows, err := wal.List(disk.OS{}, args[0])
			if err != nil {
				return walError(err)
			}
			return wal.WriteList(cmd.OutOrStdout(), rows)
		}),
	}
}

func newWALCat() *cobra.Command {
	var entries bool
	cmd := &cobra.Command{
		Use:   "cat DIR",
		Short: "Print each batch, oldest first, on a line",
		Args:  cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&entries, "entries", false, "print the entries of each batch, too")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		return walError(wal.Cat(disk.OS{}, args[0], func(row wal.BatchRow) error {
			return wal.WriteBatch(cmd.OutOrStdout(), row, entries)
		}))
	})
	return cmd
}

func newWALVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "Read the whole log as recovery would, and report",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			report, err := wal.Verify(disk.OS{}, args[0])
			if err != nil {
				return walError(err)
			}
			if err := wal.WriteReport(cmd.OutOrStdout(), report); err != nil {
				return err
			}
			if !report.OK() {
				return exitWith(exitData, errors.New("the log is damaged"))
			}
			return nil
		}),
	}
}

// walError tells damage from other mistakes.
func walError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wal.ErrNew), errors.Is(err, disk.ErrNotExist):
		return exitWith(exitNo, fmt.Errorf("no log there: %w", err))
	case errors.Is(err, wal.ErrCorrupt), errors.Is(err, wal.ErrAmnesiac), errors.Is(err, wal.ErrVersion):
		return exitWith(exitData, err)
	default:
		return err
	}
}
