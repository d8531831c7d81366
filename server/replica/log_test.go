package replica

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/wal"
)

// What raft collected during a long sync is more than the log's format allows
// in one batch: it is written as several, in order, nothing twice.
func TestSplit(t *testing.T) {
	data := make([]byte, writeBytesMax/2) // shared by all entries
	entries := func(first, last raft.Index) (es []raft.Entry) {
		for i := first; i <= last; i++ {
			es = append(es, raft.Entry{Index: i, Term: 3, Data: data})
		}
		return es
	}
	config := func(i raft.Index) []raft.ConfigAt {
		return []raft.ConfigAt{{At: raft.EntryID{Term: 3, Index: i}}}
	}
	p := &raft.Persist{
		Write: 4, HardState: raft.HardState{Term: 3, Vote: 1, Commit: 8}, Truncate: 6,
		Entries: entries(6, 10), Configs: config(9), MustSync: true,
	}
	hard := func(commit raft.Index) raft.HardState { return raft.HardState{Term: 3, Vote: 1, Commit: commit} }
	group := []*raft.Persist{
		{Write: 4, HardState: hard(7), Truncate: 6, Entries: entries(6, 7), MustSync: true},
		{Write: 4, HardState: hard(8), Entries: entries(8, 9), Configs: config(9), MustSync: true},
		{Write: 4, HardState: hard(8), Entries: entries(10, 10), MustSync: true},
	}
	for _, c := range []struct {
		mode wal.SyncMode
		p    *raft.Persist
		want []*raft.Persist
	}{
		{wal.SyncGroup, p, group},
		{wal.SyncAlways, group[1], []*raft.Persist{
			{Write: 4, HardState: hard(8), Entries: entries(8, 8), MustSync: true},
			{Write: 4, HardState: hard(8), Entries: entries(9, 9), Configs: config(9), MustSync: true},
		}},
		{wal.SyncGroup, group[2], []*raft.Persist{group[2]}},
		{wal.SyncGroup, &raft.Persist{Write: 5}, []*raft.Persist{{Write: 5}}},
	} {
		l := &Log{cfg: Config{Sync: wal.Policy{Mode: c.mode}}}
		if diff := cmp.Diff(brief(c.want), brief(l.split(c.p))); diff != "" {
			t.Errorf("%v, %d entries: %s", wal.Policy{Mode: c.mode}, len(c.p.Entries), diff)
		}
	}
}

// brief leaves out the data.
func brief(ps []*raft.Persist) (out []raft.Persist) {
	for _, p := range ps {
		q := *p
		q.Entries = nil
		for _, e := range p.Entries {
			q.Entries = append(q.Entries, raft.Entry{Index: e.Index, Term: e.Term})
		}
		out = append(out, q)
	}
	return out
}
