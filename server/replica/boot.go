package replica

import (
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// firstWait is what a member does about its first election timeout. Nobody has
// heard of a leader yet, so all of it is time without one.
type firstWait struct {
	ticked bool
	over   bool // shortened, not to be, or a leader was heard of
	// reached are the other voters to whom a link has been made.
	reached []raft.NodeID
}

// firstWaitHeartbeats is what is left of the first election timeout once a quorum
// can be reached: time for a leader, if there is one, to be heard.
const firstWaitHeartbeats = 2

// bootCampaign lets a member that is the only voter lead at its first tick: there
// is nobody to wait for.
func (c *Core) bootCampaign() {
	if c.first.ticked {
		return
	}
	c.first.ticked, c.first.over = true, c.first.over || !c.cfg.ShortFirstWait
	if others, me := c.voters(); me && len(others) == 0 {
		c.node.Campaign()
	}
}

// voters lists the other voters, and tells whether this member is one.
func (c *Core) voters() (others []raft.NodeID, me bool) {
	for _, m := range c.node.Status().Config.Config.Members {
		switch {
		case !m.Voter && !m.OldVoter:
		case m.ID == c.cfg.Member:
			me = true
		default:
			others = append(others, m.ID)
		}
	}
	return others, me
}

// reached shortens the first election timeout once this member has links to so
// many voters that it could be elected. Before that a campaign is lost.
func (c *Core) reached(peer raft.NodeID) {
	others, me := c.voters()
	if c.first.over || !c.cfg.ShortFirstWait || !me || !slices.Contains(others, peer) || slices.Contains(c.first.reached, peer) {
		return
	}
	c.first.reached = append(c.first.reached, peer)
	if len(c.first.reached)+1 > (len(others)+1)/2 {
		c.first.over = true
		c.node.ShortenFirstWait(firstWaitHeartbeats * c.cfg.HeartbeatTicks)
	}
}
