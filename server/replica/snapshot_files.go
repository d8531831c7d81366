package replica

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/snapshot"
)

// snapshotJob makes the job that writes the present state to a file, from a
// view, while the state goes on; its end is told to the core.
func (r *Replica) snapshotJob(s *state.State, meta raft.SnapshotMeta) Job {
	source := s.Export()
	w := r.dir.Create(snapshot.Content{Meta: meta, StateHash: source.Hash(), Source: source})
	return Job{
		Name: "snapshot", Owner: ToCore, Step: w.Step,
		Finish: func(err error, out *Output) { r.Core.snapshotWritten(meta, w.Info().Size, err, out) },
	}
}

// loadState reads a snapshot into a new state and compares its hash.
func (r *Replica) loadState(last raft.EntryID) (*state.State, raft.SnapshotMeta, error) {
	file, err := r.dir.Open(last)
	if err != nil {
		return nil, raft.SnapshotMeta{}, err
	}
	defer file.Close()
	meta := file.Meta()
	loader := state.NewLoader(r.stateOptions(meta.Config.Config))
	if err := file.Load(r.loadRunner, loader.Add); err != nil {
		return nil, meta, err
	}
	s, err := loader.Finish()
	if err != nil {
		return nil, meta, err
	}
	if s.Hash() != file.StateHash() || s.AppliedIndex() != uint64(last.Index) {
		return nil, meta, fmt.Errorf("replica: snapshot %v holds another state than it says: %w", last, snapshot.ErrCorrupt)
	}
	return s, meta, nil
}

// retire removes the snapshots that the log doesn't depend on: all but newest,
// the one before it that stays, and those above newest. A peer's snapshot may be
// among the latter that was received and then not installed, since its leader
// was deposed meanwhile; a log that doesn't hold its last entry can't use it, so
// it must not push out one of the two, nor what comes in of the next.
func (r *Replica) retire(oldest, newest raft.EntryID) error { return r.dir.Retain(oldest, newest) }

// OpenSnapshot opens the file of a SnapshotOrder, for the driver to stream. If
// that fails, or a read of it does (Sender.Failed), the SnapshotSentEvent says so.
func (r *Replica) OpenSnapshot(last raft.EntryID) (*snapshot.Sender, error) {
	return r.dir.OpenToSend(last)
}

// ReceiveSnapshot begins to take in a peer's snapshot. When it is whole, the
// driver calls Finish on the receiver and tells the core by SnapshotArrivedEvent.
func (r *Replica) ReceiveSnapshot(in snapshot.Incoming) (*snapshot.Receiver, error) {
	return r.dir.Receive(in)
}

// VerifySnapshot reads a received snapshot once through before it is installed.
func (r *Replica) VerifySnapshot(last raft.EntryID) error {
	file, err := r.dir.Open(last)
	if err != nil {
		return err
	}
	return errors.Join(file.Verify(r.loadRunner), file.Close())
}
