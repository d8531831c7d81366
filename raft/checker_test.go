package raft_test

import (
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
)

// checker holds the properties of the paper's Figure 3 against all members
// together. It keeps its own record of what ever happened, so that a violation
// is found even if the members have forgotten it since.
type checker struct {
	leaders   map[raft.Term]raft.NodeID
	committed map[raft.Index]raft.EntryID
	crcs      map[raft.Index]uint32
	votes     map[raft.NodeID]raft.HardState // durable
	commitMax raft.Index
}

func (k *checker) init() {
	k.leaders = map[raft.Term]raft.NodeID{}
	k.committed = map[raft.Index]raft.EntryID{}
	k.crcs = map[raft.Index]uint32{}
	k.votes = map[raft.NodeID]raft.HardState{}
}

// member checks Election Safety, State Machine Safety on commit, and Leader
// Completeness.
func (k *checker) member(c *cluster, m *member) error {
	n := m.node
	if n.Role() == raft.Leader {
		if was, ok := k.leaders[n.Term()]; ok && was != m.id {
			return fmt.Errorf("election safety: n%s and n%s lead term %d", was, m.id, n.Term())
		}
		if _, ok := k.leaders[n.Term()]; !ok {
			k.leaders[n.Term()] = m.id
			if err := k.complete(m); err != nil {
				return err
			}
		}
	}
	cp := m.before
	for i := max(cp.Prev.Index, m.checked+1, 1); i <= cp.Commit; i++ {
		if err := k.commit(m, i); err != nil {
			return err
		}
	}
	m.checked = cp.Commit
	if cp.Commit > k.commitMax {
		k.commitMax = cp.Commit
		return k.held(c, cp.Commit)
	}
	return nil
}

func (k *checker) commit(m *member, i raft.Index) error {
	term, ok := m.node.TermAt(i)
	if !ok {
		return fmt.Errorf("n%s: committed entry %d is not in its log", m.id, i)
	}
	id := raft.EntryID{Term: term, Index: i}
	if was, ok := k.committed[i]; ok && was != id {
		return fmt.Errorf("state machine safety: n%s commits %s, committed before: %s", m.id, id, was)
	}
	k.committed[i] = id
	return nil
}

// complete checks that a new leader's log has all that was ever committed.
func (k *checker) complete(m *member) error {
	st := m.before
	for i, id := range k.committed {
		if i <= st.Prev.Index {
			continue
		}
		if term, ok := m.node.TermAt(i); !ok || term != id.Term {
			return fmt.Errorf("leader completeness: n%s leads term %d without %s", m.id, m.node.Term(), id)
		}
	}
	return nil
}

// held checks that what is newly known to be committed lies on the disks of a
// majority of some configuration that the cluster had: all members' disks are
// looked at, crashed ones too (R7 with the members' own word for the voters).
func (k *checker) held(c *cluster, i raft.Index) error {
	id := k.committed[i]
	for _, m := range c.members {
		if m.node == nil {
			continue
		}
		cfg := m.node.Status().Config.Config
		if c.quorumHolds(cfg, id) {
			return nil
		}
	}
	return fmt.Errorf("committed is durable: %s is committed, but no quorum has it on disk", id)
}

func (c *cluster) quorumHolds(cfg raft.Configuration, id raft.EntryID) bool {
	in, inHave, old, oldHave := 0, 0, 0, 0
	for _, row := range cfg.Members {
		m := c.member(row.ID)
		// A wiped disk may have held it when it was counted.
		have := m != nil && (m.wiped || m.disk.holds(id))
		if row.Voter {
			in++
			inHave += btoi(have)
		}
		if row.OldVoter {
			old++
			oldHave += btoi(have)
		}
	}
	return inHave > in/2 && (old == 0 || oldHave > old/2)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s *store) holds(id raft.EntryID) bool {
	switch {
	case id.Index <= s.snap.Last.Index:
		return true
	case id.Index <= s.prev.Index:
		return true
	case id.Index > s.last():
		return false
	}
	return s.entries[id.Index-s.prev.Index-1].Term == id.Term
}

// applied checks State Machine Safety: one entry for each index, anywhere.
func (k *checker) applied(m *member, e raft.Entry) error {
	id := e.ID()
	if was, ok := k.committed[e.Index]; ok && was != id {
		return fmt.Errorf("state machine safety: n%s applies %s, committed before: %s", m.id, id, was)
	}
	k.committed[e.Index] = id
	if e.CRC == 0 {
		return nil
	}
	if was, ok := k.crcs[e.Index]; ok && was != e.CRC {
		return fmt.Errorf("state machine safety: n%s applies other content at %s", m.id, id)
	}
	k.crcs[e.Index] = e.CRC
	return nil
}

// durable checks that a member's disk never takes back a term or a vote (R2).
func (k *checker) durable(m *member) error {
	was, now := k.votes[m.id], m.disk.hard
	if now.Term < was.Term || now.Term == was.Term && was.Vote != 0 && now.Vote != was.Vote {
		return fmt.Errorf("n%s: durable term and vote went from %v to %v", m.id, was, now)
	}
	k.votes[m.id] = now
	return nil
}

// logMatching compares all logs, two by two (Raft Figure 3).
func (c *cluster) logMatching() error {
	for i, a := range c.members {
		for _, b := range c.members[i+1:] {
			if a.node == nil || b.node == nil {
				continue
			}
			if err := matching(a, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// matching: once two logs agree at an index they agree at all lower ones.
func matching(a, b *member) error {
	sa, sb := a.node.Checkpoint(), b.node.Checkpoint()
	agreed := false
	for i := min(sa.End.Index, sb.End.Index); i > max(sa.Prev.Index, sb.Prev.Index); i-- {
		ta, _ := a.node.TermAt(i)
		tb, _ := b.node.TermAt(i)
		if ta != tb && agreed {
			return fmt.Errorf("log matching: n%s has %d@%d, n%s %d@%d, but they agree above", a.id, i, ta, b.id, i, tb)
		}
		agreed = agreed || ta == tb
	}
	return nil
}
