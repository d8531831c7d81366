package token

import (
	"container/list"
	"crypto/rand"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// SimpleMax is how many simple tokens a member keeps.
const SimpleMax = 100_000

// Simple keeps the tokens that logins assigned. It is safe for all goroutines;
// its methods take about as long as a map lookup.
//
// Invariant: byText holds the elements of byUse, whose values are *kept; byUse is
// in order of last use, so that what expires next is at its front.
type Simple struct {
	ttl time.Duration
	now func() time.Time

	mu     sync.Mutex
	byText map[string]*list.Element
	byUse  *list.List
}

type kept struct {
	state.Token
	used time.Time
}

// NewSimple returns a keeper without tokens; one lives for ttl after each use.
func NewSimple(ttl time.Duration) *Simple {
	return &Simple{ttl: ttl, now: time.Now, byText: map[string]*list.Element{}, byUse: list.New()}
}

// letters are those of etcd's tokens.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// prefixLen letters are 131 bits.
const prefixLen = 23

// Sign implements Keeper: a simple token needs the log.
func (*Simple) Sign(string, uint64) (string, error) { return "", nil }

// Prefix implements Keeper.
func (*Simple) Prefix() string {
	out := make([]byte, 0, prefixLen)
	var random [2 * prefixLen]byte
	for len(out) < prefixLen {
		_, _ = rand.Read(random[:]) // never fails (crypto/rand)
		for _, b := range random {
			// 208 is 4 × 52: each letter is as likely as the others.
			if b < 208 && len(out) < prefixLen {
				out = append(out, letters[b%52])
			}
		}
	}
	return string(out)
}

// Assigned takes a token that a login made. It is called by the apply actor.
func (s *Simple) Assigned(t state.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.expire(now)
	if old := s.byText[t.Text]; old != nil { // the same random letters twice: nobody's
		s.drop(old)
		return
	}
	if s.byUse.Len() >= SimpleMax {
		s.drop(s.byUse.Front())
	}
	s.byText[t.Text] = s.byUse.PushBack(&kept{t, now})
}

// Who implements Keeper. A token that is used lives on.
func (s *Simple) Who(text string, v *auth.View) (auth.Caller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.expire(now)
	at := s.byText[text]
	if at == nil {
		return auth.Caller{}, auth.ErrInvalidToken
	}
	k := at.Value.(*kept)
	u := v.User(k.User)
	if u == nil || u.Since != k.Since || v.EnabledAt() != k.EnabledAt {
		if v.Revision() >= k.Since { // not a view from before the token
			s.drop(at)
		}
		return auth.Caller{}, auth.ErrInvalidToken
	}
	k.used = now
	s.byUse.MoveToBack(at)
	return auth.Caller{Name: k.User, Revision: v.Revision()}, nil
}

// Len is how many tokens there are.
func (s *Simple) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byUse.Len()
}

func (s *Simple) expire(now time.Time) {
	for at := s.byUse.Front(); at != nil && now.Sub(at.Value.(*kept).used) > s.ttl; at = s.byUse.Front() {
		s.drop(at)
	}
}

func (s *Simple) drop(at *list.Element) {
	delete(s.byText, at.Value.(*kept).Text)
	s.byUse.Remove(at)
}
