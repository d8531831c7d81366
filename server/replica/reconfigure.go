package replica

import (
	"bytes"
	"errors"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// flushReconfigure proposes changes of members on the leader and sends them to
// it from elsewhere. Without a leader in sight they wait.
func (c *Core) flushReconfigure(out *Output) {
	w := &c.writes
	if len(w.reconfigure) == 0 {
		return
	}
	waiting := w.reconfigure
	w.reconfigure = nil
	if c.role == raft.Leader {
		for _, r := range waiting {
			c.proposeConfig(r, out)
		}
		return
	}
	var forward []*Request
	for _, r := range waiting {
		switch {
		case r.sentTo != 0:
			c.refuse(r.id, answerNotLeader)
		case r.Kind == Reconfigure:
			r.Done(Reply{Err: ErrNotLeader})
		case c.leader == 0:
			w.reconfigure = append(w.reconfigure, r)
		default:
			forward = append(forward, r)
		}
	}
	c.forward(forward, out)
}

// proposeConfig proposes one change, keeps it for later if another is under way,
// or answers why not.
func (c *Core) proposeConfig(r *Request, out *Output) {
	own := []*Request{r}
	if r.sentTo == 0 {
		c.number(own)
	}
	err := c.tryConfig(r)
	if err == nil {
		if r.sentTo == 0 {
			c.register(own, out)
		}
		return
	}
	if r.sentTo == 0 {
		c.unnumber(own)
	}
	switch {
	case errors.Is(err, errMemberChangeOver): // a second copy: the first one answers
	case r.Kind == ChangeMember && passes(err):
		c.writes.reconfigure = append(c.writes.reconfigure, r)
	case r.sentTo != 0:
		c.refuse(r.id, memberAnswer(err))
	case r.Done == nil: // registered when it was sent to an earlier leader
		out.Events = append(out.Events, refusedEvent{Seq: r.id.Seq, Err: err})
	default:
		r.Done(Reply{Err: err})
	}
}

// tryConfig hands a change to raft. Its context is the request's id, by which
// the asker is answered when it takes effect.
func (c *Core) tryConfig(r *Request) error {
	context := state.AppendRequestID(nil, r.id)
	change := raft.ConfigChange{}
	if r.Kind == Reconfigure {
		change = *r.Change
	} else {
		config := c.node.Status().Config.Config
		if bytes.Equal(config.Context, context) {
			return errMemberChangeOver
		}
		if config.Joint() {
			return raft.ErrConfigPending
		}
		m, err := DecodeMemberChange(r.Body)
		if err != nil {
			return err
		}
		if change, err = m.against(&config); err != nil {
			return err
		}
	}
	change.Context = context
	_, err := c.node.ProposeConfig(change)
	if errors.Is(err, raft.ErrLearnerNotCaughtUp) && r.Kind == ChangeMember {
		return ErrLearnerNotReady
	}
	return err
}

// passes tells the refusals that are over soon: another change is under way, a
// leader is new, leadership is being handed over.
func passes(err error) bool {
	return errors.Is(err, raft.ErrConfigPending) || errors.Is(err, raft.ErrNotReady) || errors.Is(err, raft.ErrTransferring)
}

// memberErrors are the refusals of a MemberChange that travel, by answerCode
// from answerMember on.
var memberErrors = [...]error{
	ErrMemberExists, ErrMemberNotFound, ErrPeerURLExists, ErrNotLearner, ErrLearnerNotReady, ErrTooManyLearners,
	ErrBadMemberChange, // and whatever else raft finds wrong
}

func memberAnswer(err error) answerCode {
	if errors.Is(err, raft.ErrNotLeader) {
		return answerNotLeader
	}
	for i, e := range memberErrors {
		if errors.Is(err, e) {
			return answerMember + answerCode(i)
		}
	}
	return answerMember + answerCode(len(memberErrors)-1)
}

// expireReconfigure gives up on changes that found no leader, or none that is
// free, in time. Nobody has seen them, but for those an earlier leader got: the
// apply actor has their deadline.
func (c *Core) expireReconfigure() {
	keep := c.writes.reconfigure[:0]
	for _, r := range c.writes.reconfigure {
		switch {
		case r.deadline > c.now:
			keep = append(keep, r)
		case r.Done != nil && r.sentTo == 0:
			r.Done(Reply{Err: c.timeout(r)})
		}
	}
	c.writes.reconfigure = keep
}

// promoteJoined makes voters of members that were added as such, once they hold
// most of the log and are there (raft checks the former).
func (c *Core) promoteJoined() {
	if c.role != raft.Leader || len(c.joining) == 0 {
		return
	}
	status := c.node.Status()
	for _, p := range status.Progress {
		m, ok := status.Config.Config.Find(p.ID)
		if !ok || !m.Joining || m.Incarnation == 0 || !p.RecentActive {
			continue
		}
		m.Joining, m.Voter = false, true
		// A refusal passes, or another leader does it.
		_, _ = c.node.ProposeConfig(raft.ConfigChange{Set: []raft.Member{m}, Context: status.Config.Config.Context})
		return
	}
}

func joiningOf(config *raft.Configuration) (ids []raft.NodeID) {
	for _, m := range config.Members {
		if m.Joining {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
