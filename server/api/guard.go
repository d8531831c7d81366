package api

import (
	"context"
	"sync"
	"time"
	"unicode/utf8"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"
)

// leaderlessMax is how many election timeouts in a row a stream that asked for
// a leader is kept without one. Refusing a new request is cheap; reconnecting
// all watchers isn't, so streams are given more time (etcd's number).
const leaderlessMax = 3

// Guard looks at what clients say of themselves in a request's metadata, and
// ends streams that asked for a leader when there is none for long.
type Guard struct {
	backend  Backend
	election time.Duration
	gate     gate
	// learnerWatch: see Limits.
	learnerWatch bool
	requests     *shares // by user or machine

	mu      sync.Mutex
	streams map[*context.CancelCauseFunc]struct{}
}

// NewGuard makes a Guard; Run must run for it to end streams.
func NewGuard(b Backend) *Guard {
	limits := b.Limits()
	return &Guard{
		backend:  b,
		election: time.Duration(limits.ElectionMS) * time.Millisecond,
		gate:     gate{backend: b, certUsers: limits.CertUsers},
		streams:  map[*context.CancelCauseFunc]struct{}{},

		learnerWatch: limits.LearnerWatch,
		requests:     newShares(limits.RequestsMax),
	}
}

// Check refuses a request whose metadata can't be met now. needsLeader tells
// that it asked for a leader (which there is, if err is nil).
func (g *Guard) Check(ctx context.Context) (needsLeader bool, err error) {
	if v := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataClientAPIVersionKey); len(v) > 0 && !utf8.ValidString(v[0]) {
		return false, rpctypes.ErrGRPCInvalidClientAPIVersion
	}
	v := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataRequireLeaderKey)
	if len(v) == 0 || v[0] != rpctypes.MetadataHasLeader {
		return false, nil
	}
	if !g.backend.Head().HasLeader {
		return true, rpctypes.ErrGRPCNoLeader
	}
	return true, nil
}

// Enter returns a context for a stream that needs a leader; it ends with
// ErrGRPCNoLeader as its cause. leave must be called when the stream is over.
func (g *Guard) Enter(ctx context.Context) (guarded context.Context, leave func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	g.mu.Lock()
	g.streams[&cancel] = struct{}{}
	g.mu.Unlock()
	return guarded, func() {
		g.mu.Lock()
		delete(g.streams, &cancel)
		g.mu.Unlock()
		cancel(nil)
	}
}

// Run looks after the streams until the member stops.
func (g *Guard) Run() {
	ticker := time.NewTicker(g.election)
	defer ticker.Stop()
	leaderless := 0
	for {
		select {
		case <-g.backend.Stopped():
			return
		case <-ticker.C:
			leaderless++
			if g.backend.Head().HasLeader {
				leaderless = 0
			}
			if leaderless >= leaderlessMax {
				g.endStreams()
			}
		}
	}
}

func (g *Guard) endStreams() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for cancel := range g.streams {
		(*cancel)(rpctypes.ErrGRPCNoLeader)
	}
	clear(g.streams)
}
