package state

import (
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// Permit tells whether a caller may do this, by what the view shows: nil, or the
// error that Apply would give in this state. The rules are etcd's:
//
//	put           WRITE on the key, and on every key of the lease that it names:
//	              who can't end a lease must not tie a key to it; READ for prev_kv
//	range         READ
//	delete        WRITE; READ for prev_kv
//	txn           all of it: compares need READ, and both branches count
//	revoke        WRITE on every key of the lease
//	users, roles  role root
//	others        checked at the gate, or the members' own affair
func (v *View) Permit(c auth.Caller, body Body) error {
	return permit(v.auth, v.leases, c, body)
}

// PermitKeys is Permit by users and roles alone: it knows nothing of leases, and
// so lets pass what their keys may forbid.
func PermitKeys(v *auth.View, c auth.Caller, body Body) error { return permit(v, nil, c, body) }

// PermitRange is Permit of a read outside a transaction.
func (v *View) PermitRange(c auth.Caller, key, end []byte) error {
	return v.auth.Keys(c, auth.Read, key, end)
}

// PermitLease tells whether a caller has access to every key of a lease.
func (v *View) PermitLease(c auth.Caller, access auth.Access, lease int64) error {
	return permitter{v.auth, v.leases, c}.lease(access, lease)
}

func permit(a *auth.View, leases *leaseTable, c auth.Caller, body Body) error {
	if !a.Enabled() {
		return nil
	}
	p := permitter{a, leases, c}
	switch b := body.(type) {
	case *mvcc.PutRequest:
		return p.put(b)
	case *mvcc.DeleteRangeRequest:
		return p.delete(b)
	case *mvcc.TxnRequest:
		if err := a.Login(c); err != nil { // an empty one shows the revision
			return err
		}
		return p.txn(b)
	case *LeaseRevokeRequest:
		if b.Expired { // the leader's own
			return nil
		}
		if err := a.Login(c); err != nil {
			return err
		}
		return p.lease(auth.Write, b.ID)
	case auth.Change:
		return a.Admin(c)
	}
	return nil
}

// permitter is what a check looks at.
type permitter struct {
	auth   *auth.View
	leases *leaseTable // nil: not known
	caller auth.Caller
}

func (p permitter) keys(access auth.Access, key, end []byte) error {
	return p.auth.Keys(p.caller, access, key, end)
}

func (p permitter) put(b *mvcc.PutRequest) error {
	if err := p.keys(auth.Write, b.Key, nil); err != nil {
		return err
	}
	if b.Lease != 0 {
		if err := p.lease(auth.Write, b.Lease); err != nil {
			return err
		}
	}
	if b.PrevKV {
		return p.keys(auth.Read, b.Key, nil)
	}
	return nil
}

func (p permitter) delete(b *mvcc.DeleteRangeRequest) error {
	if err := p.keys(auth.Write, b.Key, b.End); err != nil {
		return err
	}
	if b.PrevKV {
		return p.keys(auth.Read, b.Key, b.End)
	}
	return nil
}

// lease needs access to each key of a lease; an empty or unknown one has none.
func (p permitter) lease(access auth.Access, id int64) (err error) {
	if p.leases == nil || p.auth.Admin(p.caller) == nil {
		return nil
	}
	p.leases.ascendKeys(id, func(key string) bool {
		err = p.keys(access, []byte(key), nil)
		return err == nil
	})
	return err
}

func (p permitter) txn(t *mvcc.TxnRequest) error {
	for i := range t.Compare {
		if err := p.keys(auth.Read, t.Compare[i].Key, t.Compare[i].End); err != nil {
			return err
		}
	}
	for _, branch := range [...][]mvcc.Op{t.Success, t.Failure} {
		for i := range branch {
			if err := p.op(&branch[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p permitter) op(op *mvcc.Op) error {
	switch {
	case op.Range != nil:
		return p.keys(auth.Read, op.Range.Key, op.Range.End)
	case op.Put != nil:
		return p.put(op.Put)
	case op.Delete != nil:
		return p.delete(op.Delete)
	case op.Txn != nil:
		return p.txn(op.Txn)
	}
	return nil
}
