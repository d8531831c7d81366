package sim

import (
	"bytes"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// authModel is who may do what, in the most naive way: it borrows the names of
// requests and errors of server/auth and no line of its code. Every state that
// there was is kept, for members are asked at different times.
type authModel struct {
	past []*authState // the last one is in force
}

// authState is one state of the table; it never changes.
type authState struct {
	revision, enabledAt uint64 // enabledAt 0: off
	users               map[string]authUser
	roles               map[string][]auth.Permission
	// since is the store's revision when it came into force.
	since int64
}

type authUser struct {
	roles map[string]bool
	since uint64
}

func newAuthModel() authModel { return authModel{past: []*authState{{revision: 1}}} }

func (m *authModel) now() *authState { return m.past[len(m.past)-1] }

// at finds the state that a member says it is in; nil: there never was one.
func (m *authModel) at(revision uint64, enabled bool) *authState {
	for i := len(m.past) - 1; i >= 0; i-- {
		if a := m.past[i]; a.revision == revision && a.enabled() == enabled {
			return a
		}
	}
	return nil
}

// when is the state in force when the store made a revision.
func (m *authModel) when(main int64) *authState {
	i := len(m.past) - 1
	for i > 0 && m.past[i].since >= main {
		i--
	}
	return m.past[i]
}

func (a *authState) enabled() bool { return a.enabledAt != 0 }

func (a *authState) isRoot(name string) bool { return a.users[name].roles[auth.Root] }

// grants tells whether a permission is of that use.
func grants(p *auth.Permission, access auth.Access) bool {
	return p.Access == access || p.Access == auth.ReadWrite
}

// covers tells whether the user's roles together reach every key of [key, end).
// What they leave out begins at key or where some permission ends; so these are
// the points to look at.
func (a *authState) covers(name string, access auth.Access, key, end []byte) bool {
	if a.isRoot(name) {
		return true
	}
	var list []auth.Permission
	for role := range a.users[name].roles {
		for _, p := range a.roles[role] {
			if grants(&p, access) {
				list = append(list, p)
			}
		}
	}
	points := [][]byte{key}
	for _, p := range list {
		stop := p.End
		if len(stop) == 0 {
			stop = append(bytes.Clone(p.Key), 0)
		}
		if !open(stop) && len(end) > 0 && bytes.Compare(stop, key) > 0 && (open(end) || bytes.Compare(stop, end) < 0) {
			points = append(points, stop)
		}
	}
	for _, point := range points {
		held := false
		for _, p := range list {
			held = held || inSpan(point, p.Key, p.End)
		}
		if !held {
			return false
		}
	}
	return true
}

// open tells whether an end means: all keys from the beginning on.
func open(end []byte) bool { return len(end) == 1 && end[0] == 0 }

func (a *authState) may(c auth.Caller, access auth.Access, key, end []byte) error {
	_, known := a.users[c.Name]
	switch {
	case !a.enabled():
		return nil
	case c.Revision == 0:
		return auth.ErrUserEmpty
	case c.Revision < a.revision:
		return auth.ErrOldRevision
	case !known || !a.covers(c.Name, access, key, end):
		return auth.ErrDenied
	}
	return nil
}

// permit is the model's answer to a whole request: nil, or why not.
func (m *model) permit(c auth.Caller, body state.Body) error {
	a := m.auth.now()
	if !a.enabled() {
		return nil
	}
	switch b := body.(type) {
	case *mvcc.PutRequest:
		return m.permitPut(a, c, b)
	case *mvcc.DeleteRangeRequest:
		return permitDelete(a, c, b)
	case *mvcc.TxnRequest:
		if c.Name == "" {
			return auth.ErrUserEmpty
		}
		return m.permitTxn(a, c, b)
	case *state.LeaseRevokeRequest:
		switch {
		case b.Expired:
			return nil
		case c.Name == "":
			return auth.ErrUserEmpty
		}
		return m.permitLease(a, c, b.ID)
	case auth.Change:
		_, known := a.users[c.Name]
		switch {
		case c.Name == "":
			return auth.ErrUserEmpty
		case !known:
			return auth.ErrUserNotFound
		case !a.isRoot(c.Name):
			return auth.ErrDenied
		}
	}
	return nil
}

func (m *model) permitLease(a *authState, c auth.Caller, id int64) error {
	l := m.leases[id]
	if l == nil || a.isRoot(c.Name) {
		return nil
	}
	for _, key := range sortedKeys(l.keys) {
		if err := a.may(c, auth.Write, []byte(key), nil); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) permitPut(a *authState, c auth.Caller, b *mvcc.PutRequest) error {
	err := a.may(c, auth.Write, b.Key, nil)
	if err == nil && b.Lease != 0 {
		err = m.permitLease(a, c, b.Lease)
	}
	if err == nil && b.PrevKV {
		err = a.may(c, auth.Read, b.Key, nil)
	}
	return err
}

func permitDelete(a *authState, c auth.Caller, b *mvcc.DeleteRangeRequest) error {
	err := a.may(c, auth.Write, b.Key, b.End)
	if err == nil && b.PrevKV {
		err = a.may(c, auth.Read, b.Key, b.End)
	}
	return err
}

// permitTxn: all of it counts, whichever branch is taken.
func (m *model) permitTxn(a *authState, c auth.Caller, t *mvcc.TxnRequest) error {
	for i := range t.Compare {
		if err := a.may(c, auth.Read, t.Compare[i].Key, t.Compare[i].End); err != nil {
			return err
		}
	}
	for _, op := range append(append([]mvcc.Op(nil), t.Success...), t.Failure...) {
		var err error
		switch {
		case op.Range != nil:
			err = a.may(c, auth.Read, op.Range.Key, op.Range.End)
		case op.Put != nil:
			err = m.permitPut(a, c, op.Put)
		case op.Delete != nil:
			err = permitDelete(a, c, op.Delete)
		case op.Txn != nil:
			err = m.permitTxn(a, c, op.Txn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyOf is a map of its own.
func copyOf[V any](from map[string]V) map[string]V {
	to := map[string]V{}
	for k, v := range from {
		to[k] = v
	}
	return to
}

// changeAuth applies a change of the table.
func (m *model) changeAuth(c auth.Change) error {
	old := m.auth.now()
	a := &authState{revision: old.revision + 1, enabledAt: old.enabledAt, since: m.rev,
		users: copyOf(old.users), roles: copyOf(old.roles)}
	altered, err := a.change(c)
	if err == nil && altered {
		m.auth.past = append(m.auth.past, a)
	}
	return err
}

// change makes those changes that the administrator of the simulator asks for.
func (a *authState) change(c auth.Change) (altered bool, err error) {
	switch c := c.(type) {
	case *auth.Enable:
		if a.enabled() {
			return false, nil
		}
		if _, ok := a.users[auth.Root]; !ok {
			return false, auth.ErrRootUserNotExist
		}
		if !a.isRoot(auth.Root) {
			return false, auth.ErrRootRoleNotExist
		}
		a.revision-- // as in etcd
		a.enabledAt = a.revision
		return true, nil
	case *auth.Disable:
		altered, a.enabledAt = a.enabled(), 0
		return altered, nil
	case *auth.RoleAdd:
		if _, ok := a.roles[c.Name]; ok {
			return false, auth.ErrRoleExists
		}
		a.roles[c.Name] = nil
		return true, nil
	case *auth.RoleGrant, *auth.RoleRevoke:
		return a.changeRole(c)
	default:
		return a.changeUser(c)
	}
}

func (a *authState) changeRole(c auth.Change) (bool, error) {
	var role string
	var key, end []byte
	grant, _ := c.(*auth.RoleGrant)
	if grant != nil {
		role, key, end = grant.Role, grant.Permission.Key, grant.Permission.End
	} else {
		revoke := c.(*auth.RoleRevoke)
		role, key, end = revoke.Role, revoke.Key, revoke.End
	}
	old, ok := a.roles[role]
	if !ok {
		return false, auth.ErrRoleNotFound
	}
	var list []auth.Permission
	for _, p := range old {
		if !bytes.Equal(p.Key, key) || !bytes.Equal(p.End, end) {
			list = append(list, p)
		}
	}
	if grant != nil {
		list = append(list, grant.Permission)
	} else if len(list) == len(old) {
		return false, auth.ErrPermissionNotGranted
	}
	a.roles[role] = list
	return true, nil
}

func (a *authState) changeUser(c auth.Change) (bool, error) {
	switch c := c.(type) {
	case *auth.UserAdd:
		if _, ok := a.users[c.Name]; ok {
			return false, auth.ErrUserExists
		}
		a.users[c.Name] = authUser{since: a.revision}
	case *auth.UserDelete:
		if _, ok := a.users[c.Name]; !ok {
			return false, auth.ErrUserNotFound
		}
		delete(a.users, c.Name)
	case *auth.UserPassword:
		u, ok := a.users[c.Name]
		if !ok {
			return false, auth.ErrUserNotFound
		}
		a.users[c.Name] = authUser{roles: u.roles, since: a.revision}
	case *auth.UserGrant:
		return a.setRole(c.User, c.Role, true)
	case *auth.UserRevoke:
		return a.setRole(c.User, c.Role, false)
	default:
		panic("sim: a change of users that the administrator never asks for")
	}
	return true, nil
}

func (a *authState) setRole(user, role string, has bool) (bool, error) {
	u, ok := a.users[user]
	_, known := a.roles[role]
	switch {
	case !ok:
		return false, auth.ErrUserNotFound
	case has && role != auth.Root && !known:
		return false, auth.ErrRoleNotFound
	case has && u.roles[role]:
		return false, nil
	case !has && !u.roles[role]:
		return false, auth.ErrRoleNotGranted
	}
	roles := copyOf(u.roles)
	if has {
		roles[role] = true
	} else {
		delete(roles, role)
	}
	a.users[user] = authUser{roles: roles, since: u.since}
	return true, nil
}
