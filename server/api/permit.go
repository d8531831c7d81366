package api

import (
	"context"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// mayRead checks a read by the very view that it reads: nothing can change in
// between. The view that it returns is that one, or a newer one if the older
// didn't know yet what the caller shows.
func (s *Service) mayRead(ctx context.Context, view *state.View, linearizable bool,
	check func(*state.View, auth.Caller) error) (*state.View, error) {
	looked(ctx)
	if !view.Auth().Enabled() {
		return view, nil
	}
	err := s.checkAt(ctx, view, check)
	if err == nil || linearizable || !unproved(err) {
		return view, ToGRPC(err)
	}
	newest, viewErr := s.backend.View(ctx, true)
	if viewErr != nil {
		return nil, ToGRPC(err)
	}
	return newest, ToGRPC(s.checkAt(ctx, newest, check))
}

func (s *Service) checkAt(ctx context.Context, view *state.View, check func(*state.View, auth.Caller) error) error {
	c, err := s.gate.caller(ctx, view.Auth())
	if err != nil {
		return err
	}
	return check(view, c)
}

// mayWrite checks a command before it is proposed, and returns whose it is. What
// counts is the check at apply; this one spares the log what would be refused.
func (s *Service) mayWrite(ctx context.Context, body state.Body) (auth.Caller, error) {
	looked(ctx)
	if !s.backend.Auth().Enabled() {
		return auth.Caller{}, nil
	}
	return s.gate.require(ctx, func(v *auth.View, c auth.Caller) error { return state.PermitKeys(v, c, body) })
}

// proposeTries bounds how often a command is proposed again because users or
// roles changed while it was on its way.
const proposeTries = 4

// proposeAs proposes a command in its caller's name. If the auth table moved on
// before it was applied, it was refused and nothing happened; who is still good
// for it needn't hear of that.
func (s *Service) proposeAs(ctx context.Context, body state.Body) (*state.Result, error) {
	for try := 1; ; try++ {
		seen := s.backend.Auth()
		c, err := s.mayWrite(ctx, body)
		if err != nil {
			return nil, err
		}
		res, err := s.backend.Propose(withCaller(ctx, c), body)
		if err == nil {
			err = res.Err
		}
		if err == nil {
			return res, nil
		}
		if !unproved(err) || try == proposeTries || s.backend.Auth() == seen {
			return nil, err
		}
	}
}
