package state

import (
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// View is the state as it was after one entry. It never changes; any goroutine
// may read it, while the State goes on. A view that is kept keeps the memory of
// what has changed since.
type View struct {
	// KV is the view of keys and their history.
	KV *mvcc.View

	applied, term uint64
	leases        *leaseTable
	alarms        alarms
	members       []Member
	auth          *auth.View
}

// View returns the present state. It costs about a microsecond if something
// was applied since the last call, else nothing.
func (s *State) View() *View {
	if s.view == nil {
		s.view = &View{
			KV:      s.store.View(),
			applied: s.applied,
			term:    s.term,
			leases:  s.leases.share(),
			alarms:  s.alarms,
			members: s.members.list(),
			auth:    s.auth.Share(),
		}
	}
	return s.view
}

// AppliedIndex is the last entry that the view has seen; AppliedTerm its term.
func (v *View) AppliedIndex() uint64 { return v.applied }

// AppliedTerm is the term of the entry at AppliedIndex.
func (v *View) AppliedTerm() uint64 { return v.term }

// Revision is the store's revision.
func (v *View) Revision() int64 { return v.KV.Revision() }

// CompactRevision is the revision that history was compacted at.
func (v *View) CompactRevision() int64 { return v.KV.CompactRevision() }

// Bytes is the logical size that the quota is compared with.
func (v *View) Bytes() int64 { return v.KV.Bytes() + int64(v.leases.byID.Len())*leaseBytes }

// Lease returns a lease.
func (v *View) Lease(id int64) (Lease, bool) { return v.leases.get(id) }

// LeaseCount returns how many leases there are.
func (v *View) LeaseCount() int { return v.leases.byID.Len() }

// AscendLeases visits the leases by id until visit returns false.
func (v *View) AscendLeases(visit func(Lease) bool) {
	v.leases.byID.Ascend(func(l Lease) bool { return visit(l) })
}

// LeaseKeys returns copies of the keys of a lease, sorted.
func (v *View) LeaseKeys(id int64) [][]byte { return v.leases.keysOf(id) }

// Alarms returns the raised alarms, by member and kind. Shared: don't modify.
func (v *View) Alarms() []Alarm { return v.alarms }

// Members returns the member table, by id. Shared: don't modify.
func (v *View) Members() []Member { return v.members }

// Auth is the users, roles and permissions.
func (v *View) Auth() *auth.View { return v.auth }
