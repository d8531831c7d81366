package state

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// Options are fixed for the life of a State. Nothing here may change what a
// command does: that would make replicas differ.
type Options struct {
	// Members is shown until the first configuration entry is applied. It is no
	// part of the state, so a member that joined later may be told otherwise.
	Members []ConfigMember
	// LeaseChanged, if set, hears of each grant, checkpoint and revocation as
	// it is applied, so that the leader's deadlines can follow.
	LeaseChanged func(LeaseChange)
	// AuthChanged, if set, hears of each change of users, roles and permissions
	// as it is applied, before anything that comes after it.
	AuthChanged func(*auth.View)
	// TokenAssigned, if set, hears of each login that is applied.
	TokenAssigned func(Token)
	// Store is passed on to mvcc.
	Store mvcc.Options
}

// State is the replicated state machine. One goroutine owns it: the apply
// actor. Others read Views.
//
// Invariants:
//  1. It is a function of the entries applied, in order, and of nothing else.
//  2. Entries are applied once each, without a gap: applied grows by one.
//  3. Invariants of window, leaseTable and memberTable.
type State struct {
	options Options

	applied, term uint64 // the last entry
	store         *mvcc.Store
	leases        leaseTable
	alarms        alarms
	members       memberTable
	auth          *auth.Table

	view *View // of the present state; nil: none made yet
}

// New returns the state before the first entry.
func New(o Options) *State {
	s := &State{options: o, store: mvcc.NewStore(o.Store), leases: newLeaseTable(), auth: auth.NewTable()}
	s.members.initial = o.Members
	return s
}

// AppliedIndex is the index of the last entry applied.
func (s *State) AppliedIndex() uint64 { return s.applied }

// AppliedTerm is the term of the entry at AppliedIndex.
func (s *State) AppliedTerm() uint64 { return s.term }

// Store is the key space, for watch hubs and for compaction. Its owner is this
// state's owner; it is written only by Apply.
func (s *State) Store() *mvcc.Store { return s.store }

// Revision is the store's revision.
func (s *State) Revision() int64 { return s.store.Revision() }

// leaseBytes is what a lease counts in Bytes.
const leaseBytes = 64

// Bytes is the logical size that a quota is compared with: that of the store
// (mvcc.Store.Bytes) and something for each lease, or they would be free.
func (s *State) Bytes() int64 { return s.store.Bytes() + s.leaseBytes() }

// BytesInUse is Bytes as a compaction at the present would leave it.
func (s *State) BytesInUse() int64 { return s.store.BytesInUse() + s.leaseBytes() }

func (s *State) leaseBytes() int64 { return int64(s.leases.byID.Len()) * leaseBytes }

// Members returns the member table, by id. Shared: don't modify.
func (s *State) Members() []Member { return s.members.list() }

// Lease returns a lease.
func (s *State) Lease(id int64) (Lease, bool) { return s.leases.get(id) }

// Alarms returns the raised alarms, by member and kind. Shared: don't modify.
func (s *State) Alarms() []Alarm { return s.alarms }

// AscendLeases visits the leases by id until visit returns false: a new leader
// sets its deadlines so.
func (s *State) AscendLeases(visit func(Lease) bool) {
	s.leases.byID.Ascend(func(l Lease) bool { return visit(l) })
}

// AscendLeasesFrom visits those from an id on.
func (s *State) AscendLeasesFrom(id int64, visit func(Lease) bool) {
	s.leases.byID.AscendGreaterOrEqual(Lease{ID: id}, func(l Lease) bool { return visit(l) })
}

// Auth returns users, roles and permissions as they are now.
func (s *State) Auth() *auth.View { return s.auth.Share() }

// CompactStep does a slice of the physical work that compactions left, looking
// at about that many keys, and tells whether all is done. It changes nothing
// that a command, a view or the hash can see.
func (s *State) CompactStep(keys int) (done bool) {
	s.view = nil // it would hold on to what this frees
	return s.store.CompactStep(keys)
}

// begin opens the entry at index.
func (s *State) begin(index, term uint64) {
	if index != s.applied+1 || term < s.term {
		panic(fmt.Sprintf("state: entry %d@%d applied after %d@%d", index, term, s.applied, s.term))
	}
	s.applied, s.term, s.view = index, term, nil
}
