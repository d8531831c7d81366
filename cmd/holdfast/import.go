package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/server"
)

// newImport takes the flags of "etcdutl snapshot restore".
func newImport() *cobra.Command {
	cfg := server.DefaultConfig()
	unchecked := false
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Begin a new cluster with what an etcd snapshot holds",
		Long: `Make the data directory of a member of a new cluster that begins with what FILE
holds: keys with their history and revisions, leases, users, roles and alarms.
FILE is what "etcdctl snapshot save" or "holdfast export" has written.

Run it once for every member, with the same FILE, --initial-cluster and
--initial-cluster-token; then start all members with the same flags.`,
		Example: `  etcdctl snapshot save backup.db
  holdfast import backup.db --data-dir /var/lib/holdfast
  holdfast serve --data-dir /var/lib/holdfast`,
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Name, "name", cfg.Name, "the member's name")
	flags.StringVar(&cfg.DataDir, "data-dir", "", "where to make the data directory (default NAME.etcd)")
	flags.StringVar(&cfg.WALDir, "wal-dir", "", "where to make the log (default in the data directory)")
	flags.StringVar(&cfg.InitialCluster, "initial-cluster", "", "all members, NAME=PEER-URL,… (default this one alone)")
	flags.StringVar(&cfg.InitialClusterToken, "initial-cluster-token", cfg.InitialClusterToken, "sets clusters with equal URLs apart")
	flags.StringVar(&cfg.InitialAdvertisePeerURLs, "initial-advertise-peer-urls", cfg.InitialAdvertisePeerURLs, "the member's peer URLs")
	flags.BoolVar(&unchecked, "skip-hash-check", false, "take a file without a SHA-256 at its end, such as a member's own member/snap/db")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		got, err := server.Import(cfg, args[0], unchecked)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "member %x of cluster %x: revision %d, compacted at %d, %d keys, %d leases, %d users, %d roles, auth enabled: %t\n",
			got.Member, got.Cluster, got.Revision, got.CompactRevision, got.Keys, got.Leases, got.Users, got.Roles, got.AuthEnabled)
		return nil
	})
	return cmd
}
