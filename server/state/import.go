package state

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// Import is what a new cluster begins with instead of nothing: what clients
// could see of another one.
type Import struct {
	Store  *mvcc.Store
	Leases []Lease
	Alarms []Alarm // sorted by member and kind; of member 0
	Auth   *auth.Table
}

// ErrBadImport is wrapped when the parts of an Import contradict each other.
var ErrBadImport = errors.New("state: bad import")

// Begin makes the state of a cluster of these members, as if entry index of term
// had led to it. An Import makes one state only.
func (in *Import) Begin(index, term uint64, members []ConfigMember) (*State, error) {
	s := New(Options{})
	s.applied, s.term = index, term
	s.store, s.auth, s.alarms = in.Store, in.Auth, in.Alarms
	for _, l := range in.Leases {
		if l.ID == 0 || l.TTL > LeaseTTLMax || s.leases.Exists(l.ID) {
			return nil, fmt.Errorf("%w: lease %+v", ErrBadImport, l)
		}
		s.leases.set(l)
	}
	if err := s.attachAll(); err != nil {
		return nil, err
	}
	s.members.replace(members)
	return s, nil
}

// attachAll gives leases the keys whose newest versions name them.
func (s *State) attachAll() error {
	all, err := s.store.View().Range(&mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadImport, err)
	}
	for i := range all.KVs {
		kv := &all.KVs[i]
		if kv.Lease == 0 {
			continue
		}
		if !s.leases.Exists(kv.Lease) {
			return fmt.Errorf("%w: key %q has lease %x, which doesn't exist", ErrBadImport, kv.Key, kv.Lease)
		}
		s.leases.Attach(kv.Lease, kv.Key)
	}
	return nil
}
