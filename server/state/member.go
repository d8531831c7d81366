package state

import (
	"cmp"
	"fmt"
	"slices"
)

// ConfigMember is a row of raft's configuration, as ApplyConfig takes it.
type ConfigMember struct {
	ID uint64
	// Incarnation that is bound to the member; 0: none yet.
	Incarnation uint64
	PeerURLs    []string
	Learner     bool
}

// Membership is a configuration that was committed.
type Membership struct {
	Members []ConfigMember
	// Context of the configuration: the encoded RequestID of whoever asked for
	// it (AppendRequestID), or empty.
	Context []byte
	// Final is false for a joint configuration: the change isn't complete.
	Final bool
}

// memberRow is a member with what goes when it goes.
type memberRow struct {
	Member
	incarnation uint64 // bound; 0: none
	window      window
}

func (m *memberRow) hash(h uint64) uint64 {
	h = mix(mix(h, m.ID), m.incarnation)
	h = hashStrings(mixBytes(h, m.Name), m.PeerURLs)
	h = hashStrings(h, m.ClientURLs)
	if m.Learner {
		h = mix(h, 1)
	}
	return m.window.hash(h)
}

func hashStrings(h uint64, list []string) uint64 {
	h = mix(h, uint64(len(list)))
	for _, s := range list {
		h = mixBytes(h, s)
	}
	return h
}

// memberTable joins raft's configuration with what members published.
//
// The initial configuration is in no entry, and a member that joins later and
// replays the log doesn't know it. So until the first configuration entry the
// table isn't known: whoever is heard of gets a row, so that no command's
// outcome depends on what a member was told at its start. (The first leader's
// binding of incarnations is such an entry; it comes within the first second.)
//
// Invariants:
//  1. rows are sorted by ID, without repetition. If known they are the last
//     configuration's, else those of whom the entries spoke.
//  2. removed holds those that a configuration left out and none took in again,
//     sorted, without repetition: who it names must never be heard again.
//  3. published is nil or what list returns; it is never changed once handed out.
type memberTable struct {
	rows      []*memberRow
	known     bool
	removed   []uint64
	initial   []ConfigMember // shown until known; no part of the state
	published []Member
}

func (t *memberTable) search(id uint64) (at int, found bool) {
	return slices.BinarySearchFunc(t.rows, id, func(m *memberRow, id uint64) int { return cmp.Compare(m.ID, id) })
}

// find returns a member's row, nil if it has none.
func (t *memberTable) find(id uint64) *memberRow {
	if at, found := t.search(id); found {
		return t.rows[at]
	}
	return nil
}

// obtain returns the row of whoever an entry speaks of, nil if the table is
// known and has none.
func (t *memberTable) obtain(id uint64) *memberRow {
	at, found := t.search(id)
	switch {
	case found:
		return t.rows[at]
	case t.known:
		return nil
	}
	row := &memberRow{Member: Member{ID: id}}
	t.rows = slices.Insert(t.rows, at, row)
	return row
}

// replace makes the rows those of a configuration. Members that stay keep their
// attributes and window; a newly bound incarnation starts a new window.
func (t *memberTable) replace(config []ConfigMember) {
	rows := make([]*memberRow, 0, len(config))
	for _, c := range config {
		row := t.find(c.ID)
		if row == nil {
			row = &memberRow{}
		}
		row.ID, row.Learner = c.ID, c.Learner
		row.PeerURLs = slices.Clone(c.PeerURLs)
		row.incarnation = c.Incarnation
		row.window.bind(c.Incarnation)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *memberRow) int { return cmp.Compare(a.ID, b.ID) })
	t.note(rows)
	for i := 1; i < len(rows); i++ {
		if rows[i-1].ID == rows[i].ID {
			panic(fmt.Sprintf("state: member %x twice in a configuration", rows[i].ID))
		}
	}
	t.rows, t.known, t.published = rows, true, nil
}

// note updates removed before rows, sorted, become the table. While the table
// isn't known nobody was in a configuration who could have left it.
func (t *memberTable) note(rows []*memberRow) {
	listed := func(id uint64) bool {
		_, found := slices.BinarySearchFunc(rows, id, func(m *memberRow, id uint64) int { return cmp.Compare(m.ID, id) })
		return found
	}
	removed := slices.DeleteFunc(slices.Clone(t.removed), listed)
	for _, row := range t.rows {
		if t.known && !listed(row.ID) {
			removed = append(removed, row.ID)
		}
	}
	slices.Sort(removed)
	t.removed = removed
}

// publish records a member's attributes.
func (t *memberTable) publish(q *MemberAttributesRequest) error {
	row := t.obtain(q.Member)
	if row == nil {
		return ErrMemberNotFound
	}
	row.Name, row.ClientURLs = q.Name, slices.Clone(q.ClientURLs)
	t.published = nil
	return nil
}

// list returns the members for sharing with any goroutine.
func (t *memberTable) list() []Member {
	if t.published != nil {
		return t.published
	}
	t.published = []Member{}
	if t.known {
		for _, row := range t.rows {
			t.published = append(t.published, row.Member)
		}
		return t.published
	}
	for _, c := range t.initial {
		m := Member{ID: c.ID, PeerURLs: c.PeerURLs, Learner: c.Learner}
		if row := t.find(c.ID); row != nil {
			m.Name, m.ClientURLs = row.Name, row.ClientURLs
		}
		t.published = append(t.published, m)
	}
	slices.SortFunc(t.published, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return t.published
}

// admit checks a request id against its origin's window and marks it. Who isn't
// in a known table has no window: its late requests can't be told from applied
// ones.
func (t *memberTable) admit(id RequestID) error {
	row := t.obtain(id.Member)
	if row == nil {
		return ErrAmbiguous
	}
	return row.window.admit(id)
}

// Removed reports whether a member was removed from the cluster.
func (s *State) Removed(id uint64) bool {
	_, found := slices.BinarySearch(s.members.removed, id)
	return found
}

// RemovedMembers are the ids of those that were removed, sorted. Shared: don't
// modify.
func (s *State) RemovedMembers() []uint64 { return s.members.removed }

// ApplyConfig applies a configuration entry: it becomes the member table, and
// removed members' windows and alarms go with them. Configurations are not
// subject to the windows, since raft has acted on them already; the asker's
// request is marked there and answered once the change is Final. An
// undecodable Context is an error, found before anything changed.
func (s *State) ApplyConfig(index, term uint64, m Membership, reply func(RequestID, *Result)) error {
	asker, err := DecodeRequestID(m.Context)
	if err != nil {
		return fmt.Errorf("state: context of configuration %d: %w", index, err)
	}
	s.begin(index, term)
	s.members.replace(m.Members)
	s.alarms = s.alarms.without(func(a Alarm) bool {
		return a.Member != 0 && s.members.find(a.Member) == nil
	})
	if !m.Final || asker.Seq == 0 {
		return nil
	}
	_ = s.members.admit(asker) // marks it; a removed asker has no window to mark
	if reply != nil {
		reply(asker, &Result{Revision: s.store.Revision(), Members: s.members.list()})
	}
	return nil
}
