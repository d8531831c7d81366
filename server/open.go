package server

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/internal/disk/testdisk"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/snapshot"
	"github.com/holdfast-db/holdfast/wal"
)

// openReplica settles who this member is, and recovers it from its disk. What it
// leaves after an error needs no giving back.
func (s *Server) openReplica() error {
	if s.settings.MemoryLock {
		if err := lockMemory(); err != nil {
			return err
		}
	}
	fs, err := s.disk()
	if err != nil {
		return err
	}
	for _, dir := range []string{s.settings.dir, s.settings.walDir} {
		if err := fs.MkdirAll(dir); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	s.warnOpenDir()
	if err := s.openTLS(); err != nil {
		return err
	}
	if err := s.openWarden(); err != nil {
		return err
	}
	if err := s.checkJoin(fs); err != nil {
		return err
	}
	if err := s.standAlone(fs); err != nil {
		return err
	}
	s.replica, err = replica.Open(s.replicaConfig(fs))
	return err
}

// disk is the machine's, or what a test put in its place.
func (s *Server) disk() (disk.FS, error) {
	fs := s.settings.fs
	if fs == nil {
		fs = disk.OS{}
	}
	if s.settings.TestDisk == "" {
		return fs, nil
	}
	s.log.Warn("--test-disk: THE DISK IS MADE A BAD ONE ON PURPOSE, NEVER KEEP DATA ON IT", "test-disk", s.settings.TestDisk)
	fs, err := testdisk.Parse(s.settings.TestDisk, fs)
	if err != nil {
		return nil, fmt.Errorf("--test-disk: %w", err)
	}
	return fs, nil
}

// checkJoin settles who this member is: by its data, by the cluster that it
// joins, or by the flags of a new cluster.
func (s *Server) checkJoin(fs disk.FS) error {
	known, err := wal.Exists(fs, s.settings.walDir)
	if err == nil && !known {
		err = errors.Join(s.checkStray(fs), s.checkForeign(fs))
	}
	if err == nil && !known {
		err = s.discover()
	}
	switch {
	case err != nil:
		return err
	case known:
		s.restarted = true
		return s.adoptIdentity(fs)
	}
	if s.settings.existing {
		return s.join()
	}
	return nil
}

// checkStray refuses to begin a new member over a part of another: where a log is
// expected is none, but its snapshots, or it itself, lie in the data directory.
func (s *Server) checkStray(fs disk.FS) error {
	if s.settings.walDir != s.settings.dir {
		inside, err := wal.Exists(fs, s.settings.dir)
		if err == nil && inside {
			err = fmt.Errorf("--wal-dir: there is no log in %s, but one in --data-dir %s: move super, *.wal and *.spare, or leave the flag out",
				s.settings.walDir, s.settings.dir)
		}
		if err != nil {
			return err
		}
	}
	names, err := fs.List(path.Join(s.settings.dir, replica.SnapshotDir))
	if err != nil && !errors.Is(err, disk.ErrNotExist) {
		return err
	}
	if slices.ContainsFunc(names, snapshot.IsName) {
		return fmt.Errorf("there is no log in %s, but %s has snapshots: give --wal-dir if the log lies elsewhere, or remove what is left of another member",
			s.settings.walDir, path.Join(s.settings.dir, replica.SnapshotDir))
	}
	return nil
}

// ErrForeign is returned for a data directory of etcd's.
var ErrForeign = errors.New("the data directory is etcd's")

// checkForeign refuses to begin with nothing where etcd has its data: whoever puts
// Holdfast in etcd's place with the same flags would find an empty store.
func (s *Server) checkForeign(fs disk.FS) error {
	database := filepath.Join(s.settings.dir, "member", "snap", "db")
	names, err := fs.List(filepath.Dir(database))
	if errors.Is(err, disk.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if !slices.Contains(names, filepath.Base(database)) {
		return nil
	}
	return fmt.Errorf("%w: %s is its database; take a snapshot of the running cluster (etcdctl snapshot save FILE), "+
		"then `holdfast import FILE` makes another directory of it", ErrForeign, database)
}

// adoptIdentity: a member that has data is who its data says, whatever the
// --initial flags say by now; those describe the cluster's first start only.
func (s *Server) adoptIdentity(fs disk.FS) error {
	id, err := wal.Identify(fs, s.settings.walDir)
	if errors.Is(err, wal.ErrAmnesiac) {
		return nil // recovery says it better
	}
	if err != nil {
		return err
	}
	if !s.settings.discovers() && (id.Member != s.settings.member || id.Cluster != s.settings.cluster) {
		s.log.Warn("the data directory's identity counts, not what --initial-cluster and --initial-cluster-token give",
			"member-id", hex(id.Member), "cluster-id", hex(id.Cluster))
	}
	if id.Cluster != s.settings.cluster {
		s.settings.initial = raft.Configuration{} // it joined; the flags describe no beginning
	}
	s.settings.member, s.settings.cluster = id.Member, id.Cluster
	return nil
}

// standAlone obeys --force-new-cluster: from here on this member is the only one
// of its cluster. One without data begins a new cluster anyway.
func (s *Server) standAlone(fs disk.FS) error {
	if !s.settings.ForceNewCluster || !s.restarted {
		return nil
	}
	left, err := replica.StandAlone(s.replicaConfig(fs))
	if err != nil {
		return fmt.Errorf("--force-new-cluster: %w", err)
	}
	removed := make([]string, len(left))
	for i, m := range left {
		removed[i] = hex(uint64(m.ID))
	}
	s.log.Warn("--force-new-cluster: this member is a cluster of its own; start it without the flag from now on", "removed-member-ids", removed)
	return nil
}
