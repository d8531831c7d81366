package wal

import (
	"fmt"
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// model is the naive log: a slice of entries. It is what a Log must be equal
// to, whatever happens to the disk.
type model struct {
	prev     raft.EntryID
	entries  []raft.Entry
	hard     raft.HardState
	snapshot raft.SnapshotMeta
	// commit is the highest commit index that a written batch carried.
	commit raft.Index
}

func newModel() model { return model{snapshot: testInitial()} }

func (m model) clone() model {
	m.entries = slices.Clone(m.entries)
	return m
}

func (m *model) last() raft.EntryID {
	if n := len(m.entries); n > 0 {
		return m.entries[n-1].ID()
	}
	return m.prev
}

func (m *model) first() raft.Index { return m.prev.Index + 1 }

func (m *model) id(i raft.Index) raft.EntryID {
	if i == m.prev.Index {
		return m.prev
	}
	return m.entries[i-m.first()].ID()
}

func (m *model) append(p *raft.Persist) {
	written := p.Reset != nil || len(p.Entries) > 0 || p.HardState.Term != m.hard.Term || p.HardState.Vote != m.hard.Vote
	switch {
	case p.Reset != nil:
		m.prev, m.entries, m.snapshot = p.Reset.Last, nil, *p.Reset
	case p.Truncate != 0 && p.Truncate <= m.last().Index:
		m.entries = m.entries[:p.Truncate-m.first()]
		written = true
	}
	m.entries = append(m.entries, p.Entries...)
	m.hard = p.HardState
	if written {
		m.commit = max(m.commit, min(m.hard.Commit, m.last().Index))
	}
}

func (m *model) compact(meta raft.SnapshotMeta, first raft.Index) {
	m.snapshot = meta
	if first > m.first() {
		prev := m.id(first - 1)
		m.entries = slices.Clone(m.entries[first-m.first():])
		m.prev = prev
	}
}

// check compares a freshly opened log with the model. The log may reach further
// back, since only whole segments are dropped.
func (m *model) check(l *Log, rec *Recovered) error {
	switch {
	case rec.Last != m.last().Index:
		return fmt.Errorf("log ends at %d, want %v", rec.Last, m.last())
	case rec.First > m.first():
		return fmt.Errorf("log starts at %d, want %d or below", rec.First, m.first())
	case rec.Snapshot.Last.Index > m.snapshot.Last.Index:
		return fmt.Errorf("depends on snapshot %v, want %v or older", rec.Snapshot.Last, m.snapshot.Last)
	case rec.Snapshot.Last.Index+1 < rec.First:
		return fmt.Errorf("log starts at %d, snapshot is at %v", rec.First, rec.Snapshot.Last)
	case rec.HardState.Term != m.hard.Term || rec.HardState.Vote != m.hard.Vote:
		return fmt.Errorf("hard state %+v, want %+v", rec.HardState, m.hard)
	case rec.HardState.Commit < m.commit || rec.HardState.Commit > max(m.hard.Commit, rec.First-1):
		return fmt.Errorf("commit %d, want %d to %d", rec.HardState.Commit, m.commit, m.hard.Commit)
	case rec.Identity != testID:
		return fmt.Errorf("identity %+v", rec.Identity)
	}
	return m.checkContent(l, rec)
}

func (m *model) checkContent(l *Log, rec *Recovered) error {
	got, err := l.Read(m.first(), m.last().Index, 1<<30)
	if err != nil {
		return err
	}
	if err := sameEntries(got, m.entries); err != nil {
		return err
	}
	if n := len(rec.Tail); n > len(m.entries) {
		rec.Tail = rec.Tail[n-len(m.entries):]
	}
	if err := sameEntries(rec.Tail, m.entries[len(m.entries)-len(rec.Tail):]); err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	if len(m.entries) > 0 && len(rec.Tail) == 0 {
		return fmt.Errorf("no tail")
	}
	st := state{prev: rec.Prev, last: raft.EntryID{Index: rec.Last}, terms: rec.Terms}
	for _, e := range m.entries {
		if !st.holds(e.ID()) {
			return fmt.Errorf("terms %v don't know %v", rec.Terms, e.ID())
		}
	}
	var configs []raft.EntryID
	for _, e := range m.entries {
		if e.Type == raft.EntryConfig {
			configs = append(configs, e.ID())
		}
	}
	var found []raft.EntryID
	for _, c := range rec.Configs {
		if c.At.Index >= m.first() {
			found = append(found, c.At)
		}
	}
	if !slices.Equal(configs, found) {
		return fmt.Errorf("configurations at %v, want %v", found, configs)
	}
	return nil
}
