package raft

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Bounds of a Configuration, checked when it is proposed and when it is
// decoded, before anything is allocated for it.
const (
	MembersMax      = 256
	AddressBytesMax = 8 << 10
	ContextBytesMax = 64 << 10
)

// Find returns the row of a member.
func (c *Configuration) Find(id NodeID) (Member, bool) {
	k := sort.Search(len(c.Members), func(k int) bool { return c.Members[k].ID >= id })
	if k < len(c.Members) && c.Members[k].ID == id {
		return c.Members[k], true
	}
	return Member{}, false
}

// Joint reports whether two majorities decide (Raft §6).
func (c *Configuration) Joint() bool {
	return slices.ContainsFunc(c.Members, func(m Member) bool { return m.OldVoter })
}

// votes reports whether the member counts in one of the majorities.
func (m Member) votes() bool { return m.Voter || m.OldVoter }

// Clone returns a copy that shares nothing that could be written to.
func (c Configuration) Clone() Configuration {
	return Configuration{Members: slices.Clone(c.Members), Context: slices.Clone(c.Context)}
}

// Check verifies the invariants and bounds; errors wrap ErrBadConfiguration. A
// configuration without members is that of a member which has yet to hear of its
// cluster.
func (c *Configuration) Check() error {
	if len(c.Members) > MembersMax || len(c.Context) > ContextBytesMax {
		return bad("too large")
	}
	voters := 0
	for i, m := range c.Members {
		switch {
		case m.ID == 0:
			return bad("it names member 0")
		case i > 0 && c.Members[i-1].ID >= m.ID:
			return bad("members are not sorted")
		case len(m.Address) > AddressBytesMax:
			return bad("address too long")
		case m.Leaving && m.Voter:
			return bad("a leaving member is an incoming voter")
		case m.Joining && m.votes():
			return bad("a joining member votes")
		}
		if m.Voter {
			voters++
		}
	}
	if len(c.Members) > 0 && voters == 0 {
		return bad("no voter")
	}
	leaving := func(m Member) bool { return m.Leaving }
	if slices.ContainsFunc(c.Members, leaving) && !c.Joint() {
		return bad("a member is leaving outside a joint configuration")
	}
	return nil
}

func bad(why string) error { return fmt.Errorf("%w: %s", ErrBadConfiguration, why) }

// change returns the target of a change to c, which is not joint: what will be
// in force when the change is over.
func (c *Configuration) change(ch ConfigChange) (Configuration, error) {
	next := Configuration{Context: ch.Context}
	if !ch.distinct() {
		return next, bad("a member is named twice")
	}
	for _, m := range c.Members {
		if !slices.Contains(ch.Remove, m.ID) {
			next.Members = append(next.Members, m)
		}
	}
	for _, m := range ch.Set {
		if err := next.set(m); err != nil {
			return next, err
		}
	}
	next = next.Clone()
	if len(next.Members) == 0 {
		return next, bad("no voter")
	}
	return next, next.Check()
}

// distinct reports whether each member is named once.
func (ch *ConfigChange) distinct() bool {
	var ids []NodeID
	for _, m := range ch.Set {
		ids = append(ids, m.ID)
	}
	ids = append(ids, ch.Remove...)
	slices.Sort(ids)
	return len(slices.Compact(ids)) == len(ch.Set)+len(ch.Remove)
}

// set inserts or replaces a row. A row without an incarnation keeps the bound
// one. A voter cannot be bound anew: another incarnation does not remember the
// promises that its majority rests on; it must become a learner first.
func (c *Configuration) set(m Member) error {
	m.OldVoter, m.Leaving = false, false
	k, found := slices.BinarySearchFunc(c.Members, m.ID, func(m Member, id NodeID) int {
		return cmp.Compare(m.ID, id)
	})
	if !found {
		c.Members = slices.Insert(c.Members, k, m)
		return nil
	}
	old := c.Members[k]
	if m.Incarnation == 0 {
		m.Incarnation = old.Incarnation
	}
	if old.Incarnation != 0 && m.Incarnation != old.Incarnation && (old.Voter || m.Voter) {
		return bad("a voter's incarnation can't change")
	}
	c.Members[k] = m
	return nil
}

// sameVoters reports whether c and d, neither joint, have the same majorities.
func (c *Configuration) sameVoters(d *Configuration) bool {
	return slices.Equal(c.voters(), d.voters())
}

func (c *Configuration) voters() []NodeID {
	var ids []NodeID
	for _, m := range c.Members {
		if m.Voter {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// joint returns the configuration between c and next: both majorities decide,
// and who leaves stays until it is over (Raft §6, C-old,new).
func (c *Configuration) joint(next Configuration) Configuration {
	j := next.Clone()
	for _, m := range c.Members {
		k := slices.IndexFunc(j.Members, func(x Member) bool { return x.ID == m.ID })
		if k >= 0 {
			j.Members[k].OldVoter = m.Voter
			continue
		}
		m.OldVoter, m.Voter, m.Leaving = m.Voter, false, true
		j.Members = append(j.Members, m)
	}
	slices.SortFunc(j.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return j
}

// final ends the joint phase (Raft §6, C-new).
func (c *Configuration) final() Configuration {
	f := Configuration{Context: slices.Clone(c.Context)}
	for _, m := range c.Members {
		if !m.Leaving {
			m.OldVoter = false
			f.Members = append(f.Members, m)
		}
	}
	return f
}
