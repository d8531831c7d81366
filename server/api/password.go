package api

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server/replica"
)

// Bounds of passwords.
const (
	passwordBytesMax = 72 // bcrypt looks at no more
	// hashCostMax bounds a hash that a client computed itself: every login of the
	// user costs this member 2^cost rounds.
	hashCostMax = 18
	// passwordQueue is how many requests may wait for their turn.
	passwordQueue = 256
)

// errPasswordTooLong has bcrypt's words, as etcd passes them on.
var errPasswordTooLong = status.Error(codes.Unknown, bcrypt.ErrPasswordTooLong.Error())

// passwords hashes and compares, a few at a time: bcrypt is slow on purpose, and
// whoever guesses must not take the processors from everybody else.
type passwords struct {
	cost    int
	turns   chan struct{}
	waiting atomic.Int32
	// none is the hash that is compared for users who don't exist, so that they
	// can't be told from others by time.
	none func() []byte
}

// newPasswords takes bcrypt's cost; one that can't be means the default, as in
// etcd.
func newPasswords(cost int) *passwords {
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		cost = bcrypt.DefaultCost
	}
	return &passwords{
		cost:  cost,
		turns: make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)),
		none: sync.OnceValue(func() []byte {
			h, _ := bcrypt.GenerateFromPassword([]byte("nobody's"), cost) // short enough, a valid cost
			return h
		}),
	}
}

// turn waits for one; done must be called if err is nil.
func (p *passwords) turn(ctx context.Context) (done func(), err error) {
	if p.waiting.Add(1) > passwordQueue {
		p.waiting.Add(-1)
		return nil, ToGRPC(replica.ErrTooManyRequests)
	}
	defer p.waiting.Add(-1)
	select {
	case p.turns <- struct{}{}:
		return func() { <-p.turns }, nil
	case <-ctx.Done():
		return nil, ToGRPC(ctx.Err())
	}
}

// hash makes a password's hash.
func (p *passwords) hash(ctx context.Context, password string) ([]byte, error) {
	if len(password) > passwordBytesMax {
		return nil, errPasswordTooLong
	}
	done, err := p.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return bcrypt.GenerateFromPassword([]byte(password), p.cost)
}

// compare tells whether a password has that hash; without a hash none has, and
// it takes as long to say so.
func (p *passwords) compare(ctx context.Context, hash []byte, password string) (bool, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	known := len(hash) > 0 && len(password) <= passwordBytesMax
	if !known {
		hash = p.none()
	}
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil && known, nil
}
