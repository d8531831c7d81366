package state

import (
	"fmt"

	"github.com/google/btree"
)

// LeaseTTLMax is the longest lease, in seconds, as in etcd.
const LeaseTTLMax = 9_000_000_000

// Lease is the replicated half of a lease. When it runs out is the leader's
// business, counted in its ticks (server/replica): a deadline here would make
// apply depend on a clock.
type Lease struct {
	ID int64
	// TTL in seconds, as granted.
	TTL int64
	// Remaining is the last checkpoint, in seconds; 0: none.
	Remaining int64
	// Since is the index of the entry that granted the lease or took a checkpoint
	// of it back: what was counted before that says nothing about it any more.
	Since uint64
}

// RemainingTTL is what a new leader gives the lease: the checkpoint, or else
// all of its TTL.
func (l Lease) RemainingTTL() int64 {
	if l.Remaining > 0 {
		return l.Remaining
	}
	return l.TTL
}

// LeaseChange tells Options.LeaseChanged what happened to a lease.
type LeaseChange struct {
	Lease Lease
	// Gone: revoked. Else it was granted or has a new checkpoint.
	Gone bool
}

// attachment is one key of one lease. The empty key comes first of a lease's.
type attachment struct {
	lease int64
	key   string
}

// leaseTable holds leases and their keys in two trees that are cloned in O(1)
// for views, so a lease with 100,000 keys costs a view nothing. It is what mvcc
// sees as its Leases.
//
// Invariants:
//  1. Each attachment's lease exists.
//  2. The attachments are exactly the live keys whose newest version names a
//     lease, so a snapshot needn't hold them.
//  3. sum is the sum of the hashes of all leases and attachments.
//  4. shared is nil or equals the table.
type leaseTable struct {
	byID   *btree.BTreeG[Lease]
	keys   *btree.BTreeG[attachment]
	sum    uint64
	shared *leaseTable
}

const leaseTreeDegree = 32

func newLeaseTable() leaseTable {
	return leaseTable{
		byID: btree.NewG(leaseTreeDegree, func(a, b Lease) bool { return a.ID < b.ID }),
		keys: btree.NewG(leaseTreeDegree, func(a, b attachment) bool {
			return a.lease < b.lease || a.lease == b.lease && a.key < b.key
		}),
	}
}

// share returns a table for views: it never changes. Only a table that changed
// since is cloned, for a clone makes the next writes copy their paths.
func (t *leaseTable) share() *leaseTable {
	if t.shared == nil {
		t.shared = &leaseTable{byID: t.byID.Clone(), keys: t.keys.Clone(), sum: t.sum}
	}
	return t.shared
}

func (t *leaseTable) get(id int64) (Lease, bool) { return t.byID.Get(Lease{ID: id}) }

// set inserts or replaces a lease.
func (t *leaseTable) set(l Lease) {
	t.shared = nil
	if old, had := t.byID.ReplaceOrInsert(l); had {
		t.sum -= leaseHash(old)
	}
	t.sum += leaseHash(l)
}

// remove takes out a lease that has no keys left.
func (t *leaseTable) remove(id int64) {
	t.shared = nil
	old, had := t.byID.Delete(Lease{ID: id})
	if !had {
		panic(fmt.Sprintf("state: lease %d removed twice", id))
	}
	if left := t.keyCount(id); left != 0 {
		panic(fmt.Sprintf("state: lease %d removed with %d keys", id, left))
	}
	t.sum -= leaseHash(old)
}

// Exists implements mvcc.Leases.
func (t *leaseTable) Exists(id int64) bool {
	_, ok := t.get(id)
	return ok
}

// Attach implements mvcc.Leases. The key is copied.
func (t *leaseTable) Attach(id int64, key []byte) {
	if !t.Exists(id) {
		panic(fmt.Sprintf("state: key %q attached to missing lease %d", key, id))
	}
	t.shared = nil
	a := attachment{lease: id, key: string(key)}
	if _, had := t.keys.ReplaceOrInsert(a); !had {
		t.sum += attachmentHash(a)
	}
}

// Detach implements mvcc.Leases.
func (t *leaseTable) Detach(id int64, key []byte) {
	t.shared = nil
	a := attachment{lease: id, key: string(key)}
	if _, had := t.keys.Delete(a); !had {
		panic(fmt.Sprintf("state: key %q detached from lease %d, which hasn't got it", key, id))
	}
	t.sum -= attachmentHash(a)
}

// ascendKeys visits the keys of a lease in order.
func (t *leaseTable) ascendKeys(id int64, visit func(key string) bool) {
	t.keys.AscendGreaterOrEqual(attachment{lease: id}, func(a attachment) bool {
		return a.lease == id && visit(a.key)
	})
}

// keysOf returns copies of the keys of a lease, sorted.
func (t *leaseTable) keysOf(id int64) (keys [][]byte) {
	t.ascendKeys(id, func(key string) bool {
		keys = append(keys, []byte(key))
		return true
	})
	return keys
}

func (t *leaseTable) keyCount(id int64) (n int) {
	t.ascendKeys(id, func(string) bool { n++; return true })
	return n
}

// hash folds in the table. The sum is blind to order, so it follows each
// change at once instead of walking the trees.
func (t *leaseTable) hash(h uint64) uint64 {
	return mix(mix(mix(h, t.sum), uint64(t.byID.Len())), uint64(t.keys.Len()))
}

func leaseHash(l Lease) uint64 {
	return mix(mix(mix(mix(1, uint64(l.ID)), uint64(l.TTL)), uint64(l.Remaining)), l.Since)
}

func attachmentHash(a attachment) uint64 {
	return mixBytes(mix(2, uint64(a.lease)), a.key)
}

// grant makes a lease.
func (s *State) grant(q *LeaseGrantRequest) (*LeaseGrantRequest, error) {
	if q.TTL > LeaseTTLMax {
		return nil, ErrLeaseTTLTooLarge
	}
	if s.leases.Exists(q.ID) {
		return nil, ErrLeaseExists
	}
	s.setLease(Lease{ID: q.ID, TTL: q.TTL, Since: s.applied})
	return q, nil
}

// revoke ends a lease; its keys go in one revision, in their order. The
// revocation of an expired lease counts only if the leader that saw it expire
// also committed it: a newer one has given the lease its TTL again (etcd
// #15247).
func (s *State) revoke(q *LeaseRevokeRequest, proposed, committed uint64) error {
	if q.Expired && proposed != committed {
		return ErrStaleTerm
	}
	lease, ok := s.leases.get(q.ID)
	if !ok {
		return ErrLeaseNotFound
	}
	if keys := s.leases.keysOf(q.ID); len(keys) > 0 {
		s.store.DeleteKeys(keys, &s.leases)
	}
	s.leases.remove(q.ID)
	s.leaseChanged(LeaseChange{Lease: lease, Gone: true})
	return nil
}

// checkpoint records remaining TTLs, or takes them back. Leases that are gone are
// skipped, and those that somebody was promised all of the TTL of while the
// checkpoint was on its way.
func (s *State) checkpoint(q *LeaseCheckpointRequest) {
	for _, c := range q.Checkpoints {
		lease, ok := s.leases.get(c.ID)
		switch {
		case !ok || c.Remaining > 0 && lease.Since > q.AsOf:
			continue
		case c.Remaining <= 0:
			lease.Since = s.applied
		}
		lease.Remaining = max(c.Remaining, 0)
		s.setLease(lease)
	}
}

func (s *State) setLease(l Lease) {
	s.leases.set(l)
	s.leaseChanged(LeaseChange{Lease: l})
}

func (s *State) leaseChanged(c LeaseChange) {
	if s.options.LeaseChanged != nil {
		s.options.LeaseChanged(c)
	}
}
