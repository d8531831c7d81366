package replica

import "github.com/holdfast-db/holdfast/raft"

// transfer begins to hand leadership over; the request is answered when
// another member leads, or the attempt was given up.
func (c *Core) transfer(r *Request) {
	if c.node.Role() != raft.Leader {
		r.Done(Reply{Err: ErrNotLeader})
		return
	}
	if r.Member == c.cfg.Member {
		r.Done(Reply{})
		return
	}
	if err := c.node.Transfer(r.Member); err != nil {
		r.Done(Reply{Err: err})
		return
	}
	r.term = c.node.Term()
	c.moves = append(c.moves, r)
}

// checkMoves answers transfers that have ended, well or not.
func (c *Core) checkMoves() {
	keep := c.moves[:0]
	for _, r := range c.moves {
		switch {
		case c.node.Term() > r.term && c.node.Leader() != 0 && c.node.Leader() != c.cfg.Member:
			r.Done(Reply{})
		case r.deadline <= c.now, c.node.Role() == raft.Leader && c.node.Transferee() == 0:
			r.Done(Reply{Err: ErrTimeout})
		default:
			keep = append(keep, r)
		}
	}
	c.moves = keep
}
