package raft

import (
	"fmt"
	"slices"
)

// configStack holds the configuration in force and those it would fall back to
// if the log were truncated: a configuration counts from the moment its entry
// is appended and goes with it (Raft §6).
//
// Invariants:
//  1. Never empty; At.Index rises strictly.
//  2. The lowest is at or below commit, so truncation never empties it.
type configStack struct {
	stack []ConfigAt
}

func (s *configStack) load(b Boot) {
	s.stack = []ConfigAt{b.Snapshot.Config}
	for _, c := range b.Configs {
		if c.At.Index > b.Snapshot.Config.At.Index {
			s.stack = append(s.stack, c)
		}
	}
}

func (s *configStack) active() *ConfigAt { return &s.stack[len(s.stack)-1] }

// at returns the configuration in force at index i.
func (s *configStack) at(i Index) ConfigAt {
	k := len(s.stack) - 1
	for k > 0 && s.stack[k].At.Index > i {
		k--
	}
	return s.stack[k]
}

// from returns those whose entries are at or above i.
func (s *configStack) from(i Index) []ConfigAt {
	k := len(s.stack)
	for k > 0 && s.stack[k-1].At.Index >= i && s.stack[k-1].At.Index > 0 {
		k--
	}
	return slices.Clone(s.stack[k:])
}

// truncate drops those at or above from and returns the lowest index dropped.
func (s *configStack) truncate(from Index) (Index, bool) {
	k := len(s.stack)
	for k > 1 && s.stack[k-1].At.Index >= from {
		k--
	}
	if k == len(s.stack) {
		return 0, false
	}
	dropped := s.stack[k].At.Index
	s.stack = s.stack[:k:k]
	return dropped, true
}

// compact forgets what only mattered below i.
func (s *configStack) compact(i Index) {
	k := 0
	for k+1 < len(s.stack) && s.stack[k+1].At.Index <= i {
		k++
	}
	s.stack = slices.Clone(s.stack[k:])
}

func (n *Node) config() *Configuration { return &n.configs.active().Config }

// self returns this member's row.
func (n *Node) self() (Member, bool) { return n.config().Find(n.cfg.ID) }

// ConfigurationAt returns the configuration in force at index i, for the
// snapshot of a state that has applied i. i must not be below the last Compact
// or restored snapshot.
func (n *Node) ConfigurationAt(i Index) ConfigAt { return n.configs.at(i) }

// ProposeConfig asks for another set of members. A change of voters goes
// through a joint configuration, and raft appends the final one itself when the
// joint one is committed; any other change takes one entry. The change is over
// when a configuration that is not joint, at or above the returned entry, is
// committed.
//
// Errors: ErrNotLeader, ErrTransferring, ErrNotReady (nothing of this term is
// committed yet: thesis §4.1's 2015 erratum), ErrConfigPending,
// ErrBadConfiguration, ErrLearnerNotCaughtUp.
func (n *Node) ProposeConfig(ch ConfigChange) (EntryID, error) {
	if err := n.mayChangeConfig(); err != nil {
		return EntryID{}, err
	}
	now := n.config()
	next, err := now.change(ch)
	if err != nil {
		return EntryID{}, err
	}
	if err := n.checkPromotions(now, &next); err != nil {
		return EntryID{}, err
	}
	if !now.sameVoters(&next) {
		next = now.joint(next)
	}
	if err := next.Check(); err != nil {
		return EntryID{}, err
	}
	return n.appendConfig(next), nil
}

func (n *Node) mayChangeConfig() error {
	switch {
	case n.role != Leader:
		return ErrNotLeader
	case n.lead.transferee != 0:
		return ErrTransferring
	case n.log.commit < n.lead.noop:
		return ErrNotReady
	case n.configPending():
		return ErrConfigPending
	}
	return nil
}

// configPending reports whether a change is under way, joint phase included.
func (n *Node) configPending() bool {
	return n.configs.active().At.Index > n.log.commit || n.config().Joint()
}

// checkPromotions refuses to make a voter of a learner that holds less than nine
// tenths of the leader's log: it could only slow the quorum down.
func (n *Node) checkPromotions(now, next *Configuration) error {
	for _, m := range next.Members {
		was, ok := now.Find(m.ID)
		if !ok || was.Voter || !m.Voter {
			continue
		}
		p := n.lead.find(m.ID)
		if p == nil || p.match < n.writer.persisted-n.writer.persisted/10 {
			return ErrLearnerNotCaughtUp
		}
	}
	return nil
}

// appendConfig is the leader's: it appends the entry and obeys it at once.
func (n *Node) appendConfig(c Configuration) EntryID {
	id := n.appendOwn(EntryConfig, AppendConfiguration(nil, c))
	n.pushConfig(ConfigAt{At: id, Config: c})
	return id
}

// pushConfig puts a configuration in force whose entry was just appended.
func (n *Node) pushConfig(c ConfigAt) {
	n.configs.stack = append(n.configs.stack, c)
	n.event(EventConfigAppended, ReasonNone, 0, c.At.Index)
	n.configChanged()
}

func (n *Node) configChanged() {
	n.pruneHeard()
	n.pruneMarks()
	if n.role == Leader {
		n.syncProgress()
	}
}

// rollBackConfigs forgets configurations whose entries were truncated.
func (n *Node) rollBackConfigs(from Index) {
	if i, ok := n.configs.truncate(from); ok {
		n.event(EventConfigRolledBack, ReasonNone, 0, i)
		n.configChanged()
	}
}

// configsCommitted reacts to configurations in (before, commit].
func (n *Node) configsCommitted(before Index) {
	for _, c := range n.configs.from(before + 1) {
		if c.At.Index <= n.log.commit {
			n.event(EventConfigCommitted, ReasonNone, 0, c.At.Index)
		}
	}
	if n.role == Leader {
		n.continueConfig()
	}
}

// continueConfig moves a change on, whoever began it: the joint configuration is
// committed, so append the final one (Raft §6); the final one is committed and
// leaves this member out, so step down.
func (n *Node) continueConfig() {
	active := n.configs.active()
	if active.At.Index > n.log.commit || n.log.commit < n.lead.noop {
		return
	}
	if active.Config.Joint() {
		if n.lead.transferee == 0 {
			n.appendConfig(active.Config.final())
		}
		return
	}
	if m, ok := active.Config.Find(n.cfg.ID); !ok || !m.Voter {
		n.stepDownRemoved()
	}
}

// stepDownRemoved ends the leadership of a member that is no longer a voter.
// It asks the best successor to campaign at once, so nobody waits for a
// timeout.
func (n *Node) stepDownRemoved() {
	if p := n.lead.best(n.config()); p != nil && p.match == n.log.last() {
		n.sendTimeoutNow(p)
	}
	n.broadcastHeartbeat() // tells the others of the commit
	n.becomeFollower(n.term, 0, ReasonRemoved, 0)
}

// mayCampaign says why this member must not campaign; ReasonNone if it may. A
// learner doesn't, nor does one that was removed. But one whose removal isn't
// committed yet must: it may be the only one whose log can win, and what it
// waits to be removed by may need it (thesis §4.2.2). It doesn't count itself.
//
// etcd #7280 (a campaign while a committed configuration waits to be applied)
// can't happen: a configuration is in force when appended.
func (n *Node) mayCampaign() Reason {
	switch {
	case n.fence != nil:
		return ReasonForgotten
	case !n.ownGenuine():
		return ReasonWrongIncarnation
	}
	for k := len(n.configs.stack) - 1; k >= 0; k-- {
		c := &n.configs.stack[k]
		if m, ok := c.Config.Find(n.cfg.ID); ok && m.votes() {
			return ReasonNone
		}
		if c.At.Index <= n.log.commit {
			break // older ones are over
		}
	}
	return ReasonNotVoter
}

// mustDecode decodes the configuration in e. The gate has decoded it before, so
// a failure is a bug.
func mustDecode(e Entry) ConfigAt {
	c, err := DecodeConfiguration(e.Data)
	if err != nil {
		panic(fmt.Sprintf("raft: configuration %s: %v", e.ID(), err))
	}
	return ConfigAt{At: e.ID(), Config: c}
}
