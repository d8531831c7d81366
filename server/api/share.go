package api

import (
	"context"
	"net"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/peer"

	"github.com/holdfast-db/holdfast/mvcc"
)

// shares bounds how much of something each of many may have at once. What nobody
// has any more takes no memory.
type shares struct {
	max int // 0: no bound, and nothing is counted

	mu  sync.Mutex
	has map[any]int
}

func newShares(max int) *shares { return &shares{max: max, has: map[any]int{}} }

// add changes what who has and tells whether that is within the bound.
func (s *shares) add(who any, n int) bool {
	if s.max <= 0 || who == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has[who] += n; s.has[who] == 0 {
		delete(s.has, who)
		return true
	}
	return s.has[who] <= s.max
}

type (
	userShare string
	hostShare string
)

// requester is in whose name a unary request counts: its user's, or, where it
// shows none, that of the machine it comes from.
func (g gate) requester(ctx context.Context) any {
	if c, err := g.caller(ctx, g.backend.Auth()); err == nil && c.Name != "" {
		return userShare(c.Name)
	}
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return nil
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		host = p.Addr.String() // a socket in the file system
	}
	return hostShare(host)
}

// watcherShare is what one stream has of its connection's share of watchers. Each
// request for one counts from the moment that it is read until the answer that it
// is no more: a refusal, or a cancellation.
type watcherShare struct {
	all *shares
	who any

	mu     sync.Mutex
	held   int
	closed bool
}

// openShare counts a stream's watchers to its connection.
func (s *Service) openShare(conn WatchConn) *watcherShare {
	w := &watcherShare{all: s.watchers, who: conn}
	if p, ok := peer.FromContext(conn.Context()); ok && p.Addr != nil {
		w.who = p.Addr.String()
	}
	return w
}

// take counts one more; false: that is too many. It counts all the same, until its
// refusal has been sent.
func (w *watcherShare) take() bool { return w.add(1) }

// sent gives back what the responses say to be over.
func (w *watcherShare) sent(responses []mvcc.WatchResponse) {
	for i := range responses {
		if responses[i].Canceled {
			w.add(-1)
		}
	}
}

func (w *watcherShare) add(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.held += n
	return w.all.add(w.who, n)
}

// close gives back what the stream still has.
func (w *watcherShare) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.all.add(w.who, -w.held)
}

// refuseWatch is the answer to a request for one watcher too many.
func (s *Service) refuseWatch(q *watchQueue) {
	q.push([]mvcc.WatchResponse{{ID: mvcc.NoWatchID, Created: true, Canceled: true,
		CancelReason: rpctypes.ErrGRPCRequestTooManyRequests.Error(), Revision: s.backend.Head().Revision}})
}
