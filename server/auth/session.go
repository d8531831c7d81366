package auth

import "errors"

// ErrInvalidToken: what the caller showed proves nothing, or no longer.
var ErrInvalidToken = errors.New("auth: invalid auth token")

// Session is a caller who is looked at again as long as what he began goes on,
// a watch for one. It dates what his proof rests on. The zero value is nobody's.
type Session struct {
	Name string
	// Since and EnabledAt are the user's and the table's when the session began.
	Since, EnabledAt uint64
}

// Session begins a session of a caller who has just proved himself.
func (v *View) Session(c Caller) Session {
	s := Session{Name: c.Name, EnabledAt: v.enabledAt}
	if u := v.User(c.Name); u != nil {
		s.Since = u.Since
	}
	return s
}

// Still returns nil if the caller of a session may read all keys of [key, end):
// the permissions are today's, the proof must not have become void. It rests on
// the user's password, whatever he came with, and on auth not having been off.
func (v *View) Still(s Session, key, end []byte) error {
	if !v.Enabled() {
		return nil
	}
	if s.Name == "" {
		return ErrUserEmpty
	}
	u := v.User(s.Name)
	switch {
	case u == nil:
		return ErrDenied
	case u.Since != s.Since || v.enabledAt != s.EnabledAt:
		return ErrInvalidToken
	}
	return v.Keys(Caller{Name: s.Name, Revision: v.revision}, Read, key, end)
}
