package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// requestOrigin is the simulator's own account of a member's requests: a set,
// where the replicas keep a window of bits.
type requestOrigin struct {
	incarnation uint64
	boot, high  uint64
	seen        map[uint64]bool
}

// rebind makes the origins those of a configuration.
func (o *oracle) rebind(c raft.Configuration) {
	members := map[uint64]bool{}
	for _, m := range c.Members {
		id, incarnation := uint64(m.ID), uint64(m.Incarnation)
		members[id] = true
		switch origin := o.origins[id]; {
		case origin == nil:
			o.origins[id] = &requestOrigin{incarnation: incarnation, seen: map[uint64]bool{}}
		case incarnation != 0 && incarnation != origin.incarnation:
			*origin = requestOrigin{incarnation: incarnation, seen: map[uint64]bool{}}
		}
	}
	for id := range o.origins {
		if !members[id] {
			delete(o.origins, id)
		}
	}
}

// admit tells whether a request counts, and remembers it.
func (o *oracle) admit(id state.RequestID) bool {
	origin := o.origins[id.Member]
	if origin == nil {
		return false // a late request of a member that is gone
	}
	if origin.incarnation == 0 {
		origin.incarnation = id.Incarnation
	}
	if origin.incarnation != id.Incarnation || id.Boot < origin.boot {
		return false
	}
	if id.Boot > origin.boot {
		*origin = requestOrigin{incarnation: id.Incarnation, boot: id.Boot, seen: map[uint64]bool{}}
	}
	if origin.seen[id.Seq] || origin.high >= id.Seq+state.WindowSize {
		return false
	}
	origin.seen[id.Seq], origin.high = true, max(origin.high, id.Seq)
	return true
}
