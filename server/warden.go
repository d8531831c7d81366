package server

import (
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/token"
)

// warden is what every request's permission is judged by: users and roles as the
// apply actor publishes them, and the tokens.
type warden struct {
	auth   atomic.Pointer[auth.View]
	tokens token.Keeper
}

// defaultTokenTTL is etcd's, also for 0.
const defaultTokenTTL = 300 * time.Second

// openWarden reads --auth-token, and the keys that it names.
func (s *Server) openWarden() error {
	ttl := time.Duration(s.settings.AuthTokenTTL) * time.Second
	if ttl <= 0 {
		ttl = defaultTokenTTL
	}
	keeper, warnings, err := token.New(s.settings.AuthToken, ttl)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		s.log.Warn(w)
	}
	s.warden = &warden{tokens: keeper}
	return nil
}
