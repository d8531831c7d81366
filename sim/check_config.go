package sim

import "github.com/holdfast-db/holdfast/raft"

// checkSuccession is R9 for committed configurations: from one to the next the
// voters change only through a joint configuration that both understand.
func (o *oracle) checkSuccession(n *Node, e *raft.Entry, next raft.Configuration) {
	before := o.config
	if err := next.Check(); err != nil {
		o.w.unsafe("R9 configurations are sane", uint8(n.id), "%v: %v", e.ID(), err)
	}
	switch {
	case before.Joint() && next.Joint():
		o.w.unsafe("R9 one change at a time", uint8(n.id), "joint %v follows joint %v at %v", next, before, e.ID())
	case before.Joint():
		// The end of a joint phase: the incoming voters stay.
		if voters(next) != voters(before) {
			o.w.unsafe("R9 a joint phase ends in its new half", uint8(n.id), "%v follows %v at %v", next, before, e.ID())
		}
	case next.Joint():
		if oldVoters(next) != voters(before) {
			o.w.unsafe("R9 a joint phase keeps the old half", uint8(n.id), "%v follows %v at %v", next, before, e.ID())
		}
	case voters(next) != voters(before):
		o.w.unsafe("R9 voters change through a joint phase", uint8(n.id), "%v follows %v at %v", next, before, e.ID())
	}
}

// voterSet is a set of small ids.
type voterSet uint32

func voters(c raft.Configuration) voterSet {
	var s voterSet
	for _, m := range c.Members {
		if m.Voter {
			s |= 1 << m.ID
		}
	}
	return s
}

func oldVoters(c raft.Configuration) voterSet {
	var s voterSet
	for _, m := range c.Members {
		if m.OldVoter {
			s |= 1 << m.ID
		}
	}
	return s
}

// checkChanged is R9 for whoever asked: a change that was answered without an
// error is in force in a configuration that was committed since.
func (n *Node) checkChanged(change *raft.ConfigChange, known int) {
	for i := known; i < len(n.w.oracle.configs); i++ {
		if c := &n.w.oracle.configs[i].config; !c.Joint() && fulfils(c, change) {
			return
		}
	}
	n.w.unsafe("R9 a change does what was asked", uint8(n.id), "%+v was answered, but no configuration since then has it: %v", *change, n.w.oracle.config)
}

func fulfils(c *raft.Configuration, change *raft.ConfigChange) bool {
	for _, want := range change.Set {
		if m, ok := c.Find(want.ID); !ok || m.Voter != want.Voter {
			return false
		}
	}
	for _, id := range change.Remove {
		if _, there := c.Find(id); there {
			return false
		}
	}
	return true
}

// checkConfigured is R9 for every member: the configuration that it obeys is not
// older than the last one at or below its commit index, wherever it has that
// from: the log, a snapshot of its own, or one that was sent to it.
func (n *Node) checkConfigured(commit raft.Index) {
	if commit == n.last.commit {
		return
	}
	configs := n.w.oracle.configs
	for i := len(configs) - 1; i > 0; i-- {
		if configs[i].index > commit {
			continue
		}
		if at := raftOf(n.rep).ConfigAt(); at.Index < configs[i].index {
			n.w.unsafe("R9 equal index, equal configuration", uint8(n.id), "n%d has committed %d and obeys the configuration of %d; that of %d is %v",
				n.id, commit, at.Index, configs[i].index, configs[i].config)
		}
		return
	}
}
