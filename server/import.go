package server

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/interchange"
	"github.com/holdfast-db/holdfast/server/replica"
)

// Imported tells what a new member begins with.
type Imported struct {
	Member, Cluster           uint64
	Revision, CompactRevision int64
	Keys, Leases              int
	Users, Roles              int
	AuthEnabled               bool
}

// Import makes the data directory of a member of a new cluster, which begins with
// what an etcd snapshot holds. Every member of it must be made from the same
// file with the same --initial-cluster and token. unchecked takes a file without
// a SHA-256, or with a wrong one.
func Import(cfg Config, file string, unchecked bool) (Imported, error) {
	set, err := cfg.resolve()
	if err != nil {
		return Imported{}, err
	}
	if err := os.MkdirAll(filepath.Dir(set.dir), 0o700); err != nil {
		return Imported{}, err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(set.dir), "import-*.tmp")
	if err != nil {
		return Imported{}, err
	}
	defer os.RemoveAll(scratch)
	database := filepath.Join(scratch, "db")
	if err := interchange.Unwrap(file, database, unchecked); err != nil {
		return Imported{}, err
	}
	in, err := interchange.Read(database, mvcc.Options{})
	if err != nil {
		return Imported{}, fmt.Errorf("%s: %w", file, err)
	}
	c := replica.DefaultConfig()
	c.FS, c.Dir, c.LogDir, c.Rand = disk.OS{}, set.dir, set.walDir, newRand()
	c.Member, c.Cluster, c.Initial = raft.NodeID(set.member), set.cluster, set.initial
	if err := replica.Restore(c, in); err != nil {
		return Imported{}, err
	}
	auth := in.Auth.Share()
	return Imported{
		Member: set.member, Cluster: set.cluster,
		Revision: in.Store.Revision(), CompactRevision: in.Store.CompactRevision(), Keys: int(in.Store.Keys()),
		Leases: len(in.Leases), Users: auth.Users(), Roles: auth.Roles(), AuthEnabled: auth.Enabled(),
	}, nil
}
