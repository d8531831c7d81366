package api

import (
	"context"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// healthInterval is for how long a member must have been connected to count as
// healthy, when others are to be added or removed (etcd's HealthInterval).
const healthInterval = 5 * time.Second

// roster is the voters as --strict-reconfig-check looks at them. The rules are
// etcd's, though a voter that is added can't cost Holdfast its quorum (see
// replica.AddMember): scripts rely on the refusals, and what they protect from
// is still unwise.
type roster struct {
	voters    []state.Member
	self      uint64
	connected func(uint64) (time.Duration, bool)
}

func (s *Service) roster(ctx context.Context) (roster, []state.Member, error) {
	view, err := s.backend.View(ctx, false)
	if err != nil {
		return roster{}, nil, err
	}
	voters := slices.DeleteFunc(slices.Clone(view.Members()), func(m state.Member) bool { return m.Learner })
	return roster{voters: voters, self: s.backend.Head().Member, connected: s.backend.Connected}, view.Members(), nil
}

func quorum(n int) int { return n/2 + 1 }

// started counts the voters, but one, that have published their name.
func (r *roster) started(but uint64) (n int) {
	for _, m := range r.voters {
		if m.ID != but && m.Name != "" {
			n++
		}
	}
	return n
}

// healthy counts the voters that have been connected for healthInterval.
func (r *roster) healthy() (n int) {
	for _, m := range r.voters {
		if age, ok := r.connected(m.ID); m.ID == r.self || ok && age > healthInterval {
			n++
		}
	}
	return n
}

// mayAdd keeps a quorum of started voters (or, on a cluster of one that is being
// rebuilt, allows the second), and of voters that are well, the new one counted
// as missing.
func (s *Service) mayAdd(ctx context.Context, learner bool) error {
	if !s.limits.StrictReconfig {
		return nil
	}
	r, _, err := s.roster(ctx)
	if err != nil {
		return err
	}
	n, started := len(r.voters), r.started(0)
	rebuilding := started == 1 && n == 1
	if !learner && !rebuilding && started < quorum(n+1) {
		return rpctypes.ErrGRPCMemberNotEnoughStarted
	}
	if n > 1 && r.healthy() < quorum(n+1) {
		return replica.ErrUnhealthy
	}
	return nil
}

// mayRemove keeps a quorum of started voters, and, if who leaves is connected,
// of healthy ones.
func (s *Service) mayRemove(ctx context.Context, id uint64) error {
	if !s.limits.StrictReconfig {
		return nil
	}
	r, members, err := s.roster(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(members, func(m state.Member) bool { return m.ID == id && m.Learner }) {
		return nil
	}
	left := len(r.voters)
	if slices.ContainsFunc(r.voters, func(m state.Member) bool { return m.ID == id }) {
		left--
	}
	if r.started(id) < quorum(left) {
		return rpctypes.ErrGRPCMemberNotEnoughStarted
	}
	if _, up := r.connected(id); id != r.self && !up {
		return nil
	}
	if r.healthy()-1 < 1+(len(r.voters)-1)/2 {
		return replica.ErrUnhealthy
	}
	return nil
}

// mayPromote keeps a quorum of started voters; the learner counts as one.
// Whether it is a learner that has caught up, the leader knows.
func (s *Service) mayPromote(ctx context.Context, id uint64) error {
	if !s.limits.StrictReconfig {
		return nil
	}
	r, members, err := s.roster(ctx)
	if err != nil {
		return err
	}
	learner := slices.ContainsFunc(members, func(m state.Member) bool { return m.ID == id && m.Learner })
	if learner && 1+r.started(0) < quorum(1+len(r.voters)) {
		return rpctypes.ErrGRPCMemberNotEnoughStarted
	}
	return nil
}
