package sim

import (
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

func persist(term raft.Term, from raft.Index, terms ...raft.Term) *raft.Persist {
	p := &raft.Persist{HardState: raft.HardState{Term: term}}
	for i, t := range terms {
		p.Entries = append(p.Entries, raft.Entry{Index: from + raft.Index(i), Term: t})
	}
	return p
}

// A crash leaves unfinished writes in order, each whole or not at all; entry by
// entry where each is synced by itself.
func TestShadowOutcomes(t *testing.T) {
	var s shadow
	s.begin([]*raft.Persist{persist(1, 1, 1, 1)})
	s.finish(0)
	second := persist(2, 2, 2, 2)
	second.Truncate = 2
	s.begin([]*raft.Persist{second, persist(2, 4, 2)})
	for _, c := range []struct {
		perEntry bool
		want     []raft.EntryID
	}{
		{false, []raft.EntryID{{Term: 1, Index: 2}, {Term: 2, Index: 3}, {Term: 2, Index: 4}}},
		{true, []raft.EntryID{{Term: 1, Index: 2}, {Term: 2, Index: 2}, {Term: 2, Index: 3}, {Term: 2, Index: 4}}},
	} {
		got := s.outcomes(c.perEntry)
		if len(got) != len(c.want) {
			t.Fatalf("per entry %v: %d outcomes, want %d", c.perEntry, len(got), len(c.want))
		}
		for i := range got {
			if got[i].end() != c.want[i] {
				t.Errorf("per entry %v: outcome %d ends at %v, want %v", c.perEntry, i, got[i].end(), c.want[i])
			}
		}
	}
	if s.end() != (raft.EntryID{Term: 1, Index: 2}) {
		t.Errorf("the shadow itself changed: %v", s.end())
	}
}

// What a snapshot covers is held; what was cut off is not.
func TestShadowHolds(t *testing.T) {
	var s shadow
	reset := &raft.Persist{Reset: &raft.SnapshotMeta{Last: raft.EntryID{Term: 3, Index: 10}}}
	s.begin([]*raft.Persist{persist(1, 1, 1), reset, persist(4, 11, 3, 4)})
	s.finish(0)
	for id, want := range map[raft.EntryID]bool{
		{Term: 1, Index: 1}: true, {Term: 3, Index: 10}: true, {Term: 3, Index: 11}: true,
		{Term: 4, Index: 12}: true, {Term: 3, Index: 12}: false, {Term: 4, Index: 13}: false,
	} {
		if s.holds(id) != want {
			t.Errorf("holds(%v) = %v", id, !want)
		}
	}
}

// A write that a full disk holds back stays unfinished, and all behind it.
func TestShadowFinish(t *testing.T) {
	var s shadow
	first, second := persist(1, 1, 1), persist(1, 2, 1)
	first.Write, second.Write = 7, 8
	s.begin([]*raft.Persist{first, second})
	if done := s.finish(7); len(done) != 1 || done[0] != first || s.last() != 1 || len(s.inflight) != 1 {
		t.Errorf("finished %d, log to %d, %d unfinished", len(done), s.last(), len(s.inflight))
	}
}
