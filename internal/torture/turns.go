package torture

import (
	"context"
	"fmt"
	"time"
)

// The kinds of event that something done to each member in turn causes.
const (
	rolled  = "rolling restart"
	rebuilt = "replace each"
)

// stopGrace is how long a member may take from SIGTERM to its end; backTimeout how long from its start until it serves.
const (
	stopGrace   = 15 * time.Second
	backTimeout = time.Minute
)

// roll stops each member as an operator does, and goes on to the next when it serves again. It ends between two
// members when the round is over.
func (n *nemesis) roll(ctx context.Context) error {
	defer n.journal.begin(rolled, "SIGTERM, start, ready, the next", n.names(n.all()...)...)()
	for i, m := range n.cluster.Members {
		if ctx.Err() != nil {
			return nil
		}
		if err := m.Stop(stopGrace); err != nil {
			return &brokenError{Crashed, fmt.Errorf("%w\n%s", err, m.LogTail(30))}
		}
		n.network.down(i)
		if err := n.startAndWait(i); err != nil {
			return err
		}
	}
	return nil
}

// rebuild replaces each member by an empty one, and goes on to the next when it serves.
func (n *nemesis) rebuild(ctx context.Context) error {
	defer n.journal.begin(rebuilt, "removed, wiped, added, ready, the next", n.names(n.all()...)...)()
	for i := range n.cluster.Members {
		if ctx.Err() != nil {
			return nil
		}
		if err := n.replaceOne(i, n.without(i)[0], false); err != nil {
			return err
		}
		if err := n.awaitReady(i); err != nil {
			return err
		}
	}
	return nil
}

func (n *nemesis) startAndWait(member int) error {
	if err := n.start(member); err != nil {
		return err
	}
	return n.awaitReady(member)
}

func (n *nemesis) awaitReady(member int) error {
	ctx, cancel := context.WithTimeout(context.Background(), backTimeout)
	defer cancel()
	m := n.cluster.Members[member]
	if err := m.WaitReady(ctx); err != nil {
		class := NotBack
		if !m.Running() {
			class = Crashed
		}
		return &brokenError{class, err}
	}
	return nil
}
