package torture

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// replaced is the kind of event that churn causes.
const replaced = "replace"

// churnTimeout bounds the replacing of a member: the rest of the cluster may be cut and slow meanwhile, but serves.
const churnTimeout = time.Minute

// churnArgs let members be changed while others are away, which this test wants and an operator does not.
func churnArgs(c Config) []string {
	if !c.has(Churn) && !c.has(Rebuild) {
		return nil
	}
	return []string{"--strict-reconfig-check=false"}
}

// replace removes a member from the cluster, takes its disk away and adds it again: the same name and address, another
// identity, no data. Every other time it joins as a learner and is promoted. It is not left half-way when the round
// ends: a cluster that is one member short would not stand the next kill.
func (n *nemesis) replace(context.Context) error {
	victim, learner := n.any(), n.random.IntN(2) == 0
	others := n.without(victim)
	return n.replaceOne(victim, others[n.random.IntN(len(others))], learner)
}

// replaceOne replaces a member with the help of another.
func (n *nemesis) replaceOne(victim, asked int, learner bool) error {
	m := n.cluster.Members[victim]
	ctx, cancel := context.WithTimeout(context.Background(), churnTimeout)
	defer cancel()
	detail := "as a voter"
	if learner {
		detail = "as a learner, then promoted"
	}
	defer n.journal.begin(replaced, detail, m.Name)()
	c := &changer{client: n.clients.admin(asked), url: m.PeerURL}
	if err := c.remove(ctx); err != nil {
		return err
	}
	if err := n.killIfRunning(victim); err != nil {
		return err
	}
	if err := m.Wipe(); err != nil {
		return err
	}
	if n.office != nil { // another machine, with certificates of its own
		if err := n.office.furnish(m, true); err != nil {
			return err
		}
	}
	if err := c.add(ctx, learner); err != nil {
		return err
	}
	m.SetExtra("--initial-cluster-state=existing")
	if err := n.start(victim); err != nil {
		return err
	}
	if learner {
		return c.promote(ctx)
	}
	return nil
}

// killIfRunning ends a member that may be about to end by itself, because it was removed.
func (g *rig) killIfRunning(member int) error {
	g.network.down(member)
	m := g.cluster.Members[member]
	if err := m.Kill(); err != nil && m.Running() {
		return err
	}
	return nil
}

// changer changes the membership of one address, through one other member, until it is as wanted: a request without
// an answer may or may not have happened, so that it looks before it asks again.
type changer struct {
	client *clientv3.Client
	url    string
}

// until repeats a look at the row of the address, nil if there is none, and an act, until the look is content.
func (c *changer) until(ctx context.Context, what string, content func(*etcdserverpb.Member) bool, act func(context.Context, *etcdserverpb.Member) error) error {
	var last error
	for ctx.Err() == nil {
		row, err := c.row(ctx)
		if err == nil && content(row) {
			return nil
		}
		if err == nil {
			one, cancel := context.WithTimeout(ctx, requestTimeout)
			err = act(one, row)
			cancel()
		}
		if err != nil {
			last = err
			pause(ctx, 100*time.Millisecond)
		}
	}
	return &brokenError{NotBack, fmt.Errorf("%s of the member at %s was not possible within %v: %w", what, c.url, churnTimeout, last)}
}

func (c *changer) row(ctx context.Context) (*etcdserverpb.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	list, err := c.client.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range list.Members {
		if slices.Contains(m.PeerURLs, c.url) {
			return m, nil
		}
	}
	return nil, nil
}

func (c *changer) remove(ctx context.Context) error {
	return c.until(ctx, "the removal", func(m *etcdserverpb.Member) bool { return m == nil },
		func(ctx context.Context, m *etcdserverpb.Member) error {
			_, err := c.client.MemberRemove(ctx, m.ID)
			return err
		})
}

func (c *changer) add(ctx context.Context, learner bool) error {
	return c.until(ctx, "the addition", func(m *etcdserverpb.Member) bool { return m != nil },
		func(ctx context.Context, _ *etcdserverpb.Member) (err error) {
			if learner {
				_, err = c.client.MemberAddAsLearner(ctx, []string{c.url})
			} else {
				_, err = c.client.MemberAdd(ctx, []string{c.url})
			}
			return err
		})
}

// promote waits, by asking again, until the learner has caught up.
func (c *changer) promote(ctx context.Context) error {
	return c.until(ctx, "the promotion", func(m *etcdserverpb.Member) bool { return m != nil && !m.IsLearner },
		func(ctx context.Context, m *etcdserverpb.Member) error {
			if m == nil {
				return fmt.Errorf("no member at %s", c.url)
			}
			_, err := c.client.MemberPromote(ctx, m.ID)
			return err
		})
}
