package replica

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
)

// ErrNotMember: the member's data doesn't list it among the members.
var ErrNotMember = errors.New("replica: the data directory is of a member that was removed, or that has not heard of its cluster yet")

// StandAlone makes a cluster of one of a member's data, for an operator who has
// lost the majority for good (etcd's --force-new-cluster). It appends a
// configuration of this member alone, as the leader of a new term would, and
// closes the log; Open then finds the only voter there is. It tells who was left
// out: nobody if the member was alone already.
//
// Identity and data stay. What the log holds is kept as a whole, also the end of it
// that this member doesn't know to be committed: a majority that is gone may have
// acknowledged it. Those who are left out are removed members from then on, and
// are told so if they come back. They must not be running: they would go on as
// the cluster that this one was.
func StandAlone(cfg Config) (left []raft.Member, err error) {
	r, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	left, err = r.standAlone()
	return left, errors.Join(err, r.Close())
}

func (r *Replica) standAlone() (left []raft.Member, err error) {
	active := r.Core.node.Status().Config.Config
	self, ok := active.Find(r.Core.cfg.Member)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNotMember, r.Core.cfg.Dir)
	}
	if len(active.Members) == 1 && self.Voter && !active.Joint() {
		return nil, nil
	}
	for _, m := range active.Members {
		if m.ID != self.ID {
			left = append(left, m)
		}
	}
	alone := raft.Configuration{Members: []raft.Member{{ID: self.ID, Incarnation: self.Incarnation, Address: self.Address, Voter: true}}}
	return left, r.Log.wal.Append(r.ownTerm(alone))
}

// ownTerm is what the leader of a new term, elected by this member alone, would
// have written with its first entry.
func (r *Replica) ownTerm(config raft.Configuration) *raft.Persist {
	rec := r.recovered
	term := max(rec.HardState.Term, rec.Prev.Term)
	if n := len(rec.Terms); n > 0 {
		term = max(term, rec.Terms[n-1].Term)
	}
	e := raft.Entry{Index: rec.Last + 1, Term: term + 1, Type: raft.EntryConfig, Data: raft.AppendConfiguration(nil, config)}
	e.CRC = raft.EntryCRC(e)
	return &raft.Persist{
		HardState: raft.HardState{Term: e.Term, Vote: r.Core.cfg.Member, Commit: rec.HardState.Commit},
		Entries:   []raft.Entry{e}, Configs: []raft.ConfigAt{{At: e.ID(), Config: config}}, MustSync: true,
	}
}
