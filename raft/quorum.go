package raft

import "slices"

// noVoters is what an empty majority asks for: nothing.
const noVoters = ^Index(0)

// held returns the highest index that a quorum holds: a majority of the
// incoming voters and, in a joint configuration, one of the outgoing (§6).
func (c *Configuration) held(match func(NodeID) Index) Index {
	in := c.majority(match, func(m *Member) bool { return m.Voter })
	out := c.majority(match, func(m *Member) bool { return m.OldVoter })
	if in == noVoters && out == noVoters {
		return 0 // no configuration yet: nothing is ever decided
	}
	return min(in, out)
}

// majority returns the n/2+1-th highest match among the voters of one side.
func (c *Configuration) majority(match func(NodeID) Index, side func(*Member) bool) Index {
	var space [16]Index
	v := space[:0]
	for i := range c.Members {
		if m := &c.Members[i]; side(m) {
			v = append(v, match(m.ID))
		}
	}
	if len(v) == 0 {
		return noVoters
	}
	slices.Sort(v)
	return v[len(v)-(len(v)/2+1)]
}

// quorum reports whether those for whom yes holds are a quorum.
func (c *Configuration) quorum(yes func(NodeID) bool) bool {
	return c.held(func(id NodeID) Index {
		if yes(id) {
			return 1
		}
		return 0
	}) == 1
}
