package server

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/transport"
)

// ChangeMember implements api.Backend.
func (b *backend) ChangeMember(ctx context.Context, m replica.MemberChange) (*state.Result, error) {
	reply, err := b.ask(ctx, replica.Request{Kind: replica.ChangeMember, Body: replica.AppendMemberChange(nil, m)})
	return reply.Result, err
}

// NewMemberID implements api.Backend.
func (b *backend) NewMemberID(peerURLs []string) uint64 { return NewMemberID(peerURLs, time.Now()) }

// Connected implements api.Backend.
func (b *backend) Connected(member uint64) (time.Duration, bool) {
	for _, row := range b.driver.network.Stats() {
		if row.ID == raft.NodeID(member) && row.Connected {
			return time.Since(row.ActiveSince), true
		}
	}
	return 0, false
}

// roster is the members as this one knows them, for those who ask from other
// goroutines than the apply actor's.
type roster struct {
	members []state.Member // by id
	removed []uint64       // sorted
}

// publishMembers is called on the apply actor's goroutine.
func (h *head) publishMembers(s *state.State) {
	old := h.roster.Load()
	now := roster{members: s.Members(), removed: s.RemovedMembers()}
	if old == nil || !same(old.members, now.members) || !same(old.removed, now.removed) {
		h.roster.Store(&now)
	}
}

// same reports whether two lists that are replaced, never changed, are one.
func same[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// removed reports whether a member was removed, as far as is known here.
func (h *head) removed(id raft.NodeID) bool {
	r := h.roster.Load()
	if r == nil {
		return false
	}
	_, found := slices.BinarySearch(r.removed, uint64(id))
	return found
}

// vet refuses those who were removed: they may not have heard of it.
func (s *Server) vet(peer transport.Hello) *transport.Refusal {
	if !s.backend.head.removed(peer.From) {
		return nil
	}
	return &transport.Refusal{
		Code: transport.RefusedRemoved, Reason: "member " + peer.From.String() + " was removed from the cluster",
	}
}

// leave ends a member that was removed, as a stop does.
func (s *Server) leave() {
	s.stopOnce.Do(func() {
		s.log.Warn("the member has been permanently removed from the cluster",
			"member-id", hex(s.settings.member), "data-dir", s.settings.dir)
		close(s.stopping)
	})
}
