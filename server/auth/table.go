package auth

import (
	"fmt"

	"github.com/google/btree"
)

// Table is the users and roles of a replicated state. One goroutine owns it,
// the apply actor; others read Views.
//
// Invariants:
//  1. It is a function of the changes applied, in order, and of nothing else.
//  2. Users' and roles' names are neither empty nor longer than NameBytesMax;
//     a user's roles are sorted, and exist, but for root.
//  3. While it is enabled, user root exists and has the role root.
//  4. sum is the sum of the hashes of all rows.
//  5. shared is nil or equals the table.
type Table struct {
	View
	sum    uint64
	shared *View
}

const degree = 16

// NewTable returns an empty table, of revision 1 as in etcd.
func NewTable() *Table {
	return &Table{View: View{
		revision: 1,
		users:    btree.NewG(degree, func(a, b *User) bool { return a.Name < b.Name }),
		roles:    btree.NewG(degree, func(a, b *Role) bool { return a.Name < b.Name }),
	}}
}

// Share returns the present state. Only a table that changed since is copied,
// in O(1).
func (t *Table) Share() *View {
	if t.shared == nil {
		v := t.View
		v.users, v.roles = t.users.Clone(), t.roles.Clone()
		t.shared = &v
	}
	return t.shared
}

// Hash folds the table into one number: equal tables, equal hashes.
func (t *Table) Hash() uint64 {
	return mix(mix(mix(t.sum, t.revision), t.enabledAt), uint64(t.users.Len()))
}

func (t *Table) setUser(u *User) {
	if old, had := t.users.ReplaceOrInsert(u); had {
		t.sum -= old.hash()
	}
	t.sum += u.hash()
}

func (t *Table) setRole(r *Role) {
	r.index()
	if old, had := t.roles.ReplaceOrInsert(r); had {
		t.sum -= old.hash()
	}
	t.sum += r.hash()
}

// index computes what the permissions cover.
func (r *Role) index() {
	var read, write []span
	for _, p := range r.Permissions {
		s := spanOf(p.Key, p.End)
		if p.Access != Write {
			read = append(read, s)
		}
		if p.Access != Read {
			write = append(write, s)
		}
	}
	r.read, r.write = merge(read), merge(write)
}

// Restore fills an empty table from a snapshot, rows in order of their names.
// It checks the invariants; the caller compares hashes.
func Restore(revision, enabledAt uint64, roles []*Role, users []*User) (*Table, error) {
	t := NewTable()
	t.revision, t.enabledAt = revision, enabledAt
	if revision == 0 || enabledAt > revision {
		return nil, fmt.Errorf("auth: revision %d, enabled at %d", revision, enabledAt)
	}
	for i, r := range roles {
		if checkName(r.Name, ErrRoleEmpty) != nil || i > 0 && roles[i-1].Name >= r.Name || !r.sound() {
			return nil, fmt.Errorf("auth: bad role %q", r.Name)
		}
		t.setRole(r)
	}
	for i, u := range users {
		if checkName(u.Name, ErrUserEmpty) != nil || i > 0 && users[i-1].Name >= u.Name || !t.sound(u) {
			return nil, fmt.Errorf("auth: bad user %q", u.Name)
		}
		t.setUser(u)
	}
	if err := t.rooted(); t.Enabled() && err != nil {
		return nil, err
	}
	return t, nil
}

// sound tells whether permissions are valid and in order.
func (r *Role) sound() bool {
	for i, p := range r.Permissions {
		if p.check() != nil || i > 0 && string(r.Permissions[i-1].Key) > string(p.Key) {
			return false
		}
	}
	return true
}

// sound tells whether a user's roles are in order and exist.
func (t *Table) sound(u *User) bool {
	for i, name := range u.Roles {
		if name != Root && t.Role(name) == nil || i > 0 && u.Roles[i-1] >= name {
			return false
		}
	}
	return u.Since <= t.revision
}

// rooted tells what is missing before auth can be turned on.
func (t *Table) rooted() error {
	u := t.User(Root)
	switch {
	case u == nil:
		return ErrRootUserNotExist
	case !u.Has(Root):
		return ErrRootRoleNotExist
	}
	return nil
}
