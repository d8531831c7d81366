package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func newPut() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "put KEY VALUE",
		Short: "Set a key",
		Example: `  holdfast put greeting hello
  date | holdfast put now -          # the value from standard input`,
		Args: cobra.ExactArgs(2),
	}
	f.bind(cmd)
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		out, err := newPrinter(cmd.OutOrStdout(), f.output)
		if err != nil {
			return err
		}
		value, err := valueOf(args[1])
		if err != nil {
			return err
		}
		return f.with(cmd.Context(), func(ctx context.Context, c *clientv3.Client) error {
			resp, err := c.Put(ctx, args[0], value)
			if err != nil {
				return err
			}
			return out.print(map[string]int64{"revision": resp.Header.Revision}, "OK revision %d\n", resp.Header.Revision)
		})
	})
	return cmd
}

func valueOf(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	b, err := io.ReadAll(os.Stdin)
	return string(b), err
}

var errNotFound = errors.New("no such key")

func newGet() *cobra.Command {
	var f clientFlags
	var prefix, keys bool
	var revision, limit int64
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Print the value of a key, or of all keys with a prefix",
		Example: `  holdfast get greeting
  holdfast get --prefix /services/ -o json
  holdfast get greeting --revision 2   # as it was then`,
		Args: cobra.ExactArgs(1),
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&prefix, "prefix", false, "all keys that begin with KEY, with their names")
	cmd.Flags().BoolVar(&keys, "keys-only", false, "names without values")
	cmd.Flags().Int64Var(&revision, "revision", 0, "read at this revision")
	cmd.Flags().Int64Var(&limit, "limit", 0, "at most so many keys")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		out, err := newPrinter(cmd.OutOrStdout(), f.output)
		if err != nil {
			return err
		}
		opts := []clientv3.OpOption{clientv3.WithRev(revision), clientv3.WithLimit(limit)}
		if prefix {
			opts = append(opts, clientv3.WithPrefix())
		}
		if keys {
			opts = append(opts, clientv3.WithKeysOnly())
		}
		return f.with(cmd.Context(), func(ctx context.Context, c *clientv3.Client) error {
			resp, err := c.Get(ctx, args[0], opts...)
			if err != nil {
				return err
			}
			return printKVs(out, resp, prefix, keys)
		})
	})
	return cmd
}

func printKVs(out *printer, resp *clientv3.GetResponse, names, keysOnly bool) error {
	for _, kv := range resp.Kvs {
		text := string(kv.Value)
		switch {
		case keysOnly:
			text = string(kv.Key)
		case names:
			text = string(kv.Key) + "\t" + text
		}
		if err := out.print(rowOf(kv), "%s\n", text); err != nil {
			return err
		}
	}
	if len(resp.Kvs) == 0 {
		return exitWith(exitNo, errNotFound)
	}
	return nil
}

func newDel() *cobra.Command {
	var f clientFlags
	var prefix bool
	cmd := &cobra.Command{
		Use:   "del KEY",
		Short: "Delete a key, or all keys with a prefix",
		Example: `  holdfast del greeting
  holdfast del --prefix /services/`,
		Args: cobra.ExactArgs(1),
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&prefix, "prefix", false, "all keys that begin with KEY")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		out, err := newPrinter(cmd.OutOrStdout(), f.output)
		if err != nil {
			return err
		}
		var opts []clientv3.OpOption
		if prefix {
			opts = append(opts, clientv3.WithPrefix())
		}
		return f.with(cmd.Context(), func(ctx context.Context, c *clientv3.Client) error {
			resp, err := c.Delete(ctx, args[0], opts...)
			if err != nil {
				return err
			}
			if err := out.print(map[string]int64{"deleted": resp.Deleted, "revision": resp.Header.Revision}, "deleted %d\n", resp.Deleted); err != nil {
				return err
			}
			if resp.Deleted == 0 {
				return exitWith(exitNo, errNotFound)
			}
			return nil
		})
	})
	return cmd
}

func newWatch() *cobra.Command {
	var f clientFlags
	var prefix bool
	var revision int64
	cmd := &cobra.Command{
		Use:   "watch KEY",
		Short: "Print changes as they happen, until Ctrl-C",
		Example: `  holdfast watch greeting
  holdfast watch --prefix /services/ --revision 1   # from the beginning`,
		Args: cobra.ExactArgs(1),
	}
	f.bind(cmd)
	cmd.Flags().BoolVar(&prefix, "prefix", false, "all keys that begin with KEY")
	cmd.Flags().Int64Var(&revision, "revision", 0, "begin with this revision (0: with what comes)")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		out, err := newPrinter(cmd.OutOrStdout(), f.output)
		if err != nil {
			return err
		}
		opts := []clientv3.OpOption{clientv3.WithRev(revision)}
		if prefix {
			opts = append(opts, clientv3.WithPrefix())
		}
		c, err := f.connect()
		if err != nil {
			return err
		}
		defer c.Close()
		ctx := clientv3.WithRequireLeader(cmd.Context())
		for resp := range c.Watch(ctx, args[0], opts...) {
			if err := printEvents(out, resp); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return cmd
}

func printEvents(out *printer, resp clientv3.WatchResponse) error {
	if err := resp.Err(); err != nil {
		return fmt.Errorf("watch ended: %w", err)
	}
	for _, ev := range resp.Events {
		r := rowOf(ev.Kv)
		r.Type = ev.Type.String()
		if err := out.print(r, "%d\t%s\t%s\t%s\n", r.Mod, r.Type, r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}
