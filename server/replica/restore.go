package replica

import (
	"errors"
	"fmt"
	"path"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/snapshot"
	"github.com/holdfast-db/holdfast/wal"
)

// restored is the entry that a restored member's snapshot stands for. No log
// has it: each member of the new cluster begins right behind it, with the same
// snapshot, so all of them must be restored from the same file.
var restored = raft.EntryID{Term: 1, Index: 1}

// ErrHasData: what would be restored over is there.
var ErrHasData = errors.New("replica: the data directory holds a member already")

// Restore makes the data directory of a new cluster's member that begins with
// an imported state: a snapshot, and a log that continues it. cfg.Initial must
// be the same for all members. What an attempt that broke off leaves is not taken for
// a member, and is overwritten by the next.
func Restore(cfg Config, in *state.Import) error {
	exists, err := wal.Exists(cfg.FS, cfg.logDir())
	if err != nil {
		return err
	}
	if exists {
		return fmt.Errorf("%w: %s", ErrHasData, cfg.logDir())
	}
	s, err := in.Begin(uint64(restored.Index), uint64(restored.Term), membership(cfg.Initial).Members)
	if err != nil {
		return err
	}
	if err := cfg.FS.MkdirAll(cfg.Dir); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	// The configuration stands in no entry, as that of any new cluster: so nothing
	// is proposed before the first leader has bound the members' incarnations, at
	// which their request windows begin (see Core.propose).
	meta := raft.SnapshotMeta{Last: restored, Config: raft.ConfigAt{Config: cfg.Initial}}
	if err := writeSnapshot(cfg, s, meta); err != nil {
		return err
	}
	return wal.Create(walOptions(&cfg), newIdentity(&cfg), meta)
}

func writeSnapshot(cfg Config, s *state.State, meta raft.SnapshotMeta) error {
	dir, err := snapshot.OpenDir(snapshot.Options{FS: cfg.FS, Path: path.Join(cfg.Dir, SnapshotDir), Cluster: cfg.Cluster})
	if err != nil {
		return err
	}
	source := s.Export()
	w := dir.Create(snapshot.Content{Meta: meta, StateHash: source.Hash(), Source: source})
	for done := false; !done; {
		if done, err = w.Step(); err != nil {
			return err
		}
	}
	return nil
}
