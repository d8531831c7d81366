package state

import (
	"fmt"
	"strconv"

	"github.com/holdfast-db/holdfast/server/auth"
)

// LoginRequest makes a token known to all members. The password was compared at
// the gate, where that may take its time.
type LoginRequest struct {
	User string
	// Since names the password that was compared: if the user has another one
	// by now the request fails with auth.ErrOldRevision.
	Since uint64
	// Prefix is the random part of the token; the entry's index completes it.
	Prefix string
}

// tokenPrefixMax bounds what a login may write into the log.
const tokenPrefixMax = 64

// Token is what Options.TokenAssigned hears.
type Token struct {
	Text string
	User string
	// Since and EnabledAt date the user's password and the turning on of auth:
	// with another one of either the token is void.
	Since, EnabledAt uint64
}

func (q *LoginRequest) check() error {
	if len(q.User) > auth.NameBytesMax || q.Prefix == "" || len(q.Prefix) > tokenPrefixMax {
		return fmt.Errorf("%w: login of %d bytes of name, %d of token", ErrInvalidBody, len(q.User), len(q.Prefix))
	}
	return nil
}

func checkChange(c auth.Change) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidBody, err)
	}
	return nil
}

// login completes a token and tells this member's driver of it. Tokens are no
// part of the state: a member that restarts has none, as in etcd.
func (s *State) login(q *LoginRequest) (string, error) {
	u := s.auth.User(q.User)
	switch {
	case !s.auth.Enabled():
		return "", auth.ErrNotEnabled
	case u == nil, u.NoPassword:
		return "", auth.ErrFailed
	case u.Since != q.Since:
		return "", auth.ErrOldRevision
	}
	t := Token{Text: q.Prefix + "." + strconv.FormatUint(s.applied, 10), User: q.User, Since: q.Since, EnabledAt: s.auth.EnabledAt()}
	if s.options.TokenAssigned != nil {
		s.options.TokenAssigned(t)
	}
	return t.Text, nil
}

func (s *State) changeAuth(c auth.Change) error {
	if err := s.auth.Apply(c); err != nil {
		return err
	}
	if s.options.AuthChanged != nil {
		s.options.AuthChanged(s.auth.Share())
	}
	return nil
}
