package auth

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Change is a request that changes the table: one of the types below.
type Change interface {
	// Check refuses what must not be proposed: every replica can apply the rest.
	Check() error
	change(t *Table) (altered bool, err error)
}

type (
	// Enable turns auth on. It needs user root with role root.
	Enable struct{}
	// Disable turns auth off; all tokens are void.
	Disable struct{}
	// UserAdd makes a user without roles. Hash is bcrypt's of the password; with
	// NoPassword there is none.
	UserAdd struct {
		Name       string
		NoPassword bool
		Hash       []byte
	}
	// UserDelete removes a user.
	UserDelete struct{ Name string }
	// UserPassword gives a user another password; one of NoPassword stays so.
	UserPassword struct {
		Name string
		Hash []byte
	}
	// UserGrant gives a user a role; one that he has is no change.
	UserGrant struct{ User, Role string }
	// UserRevoke takes a role from a user.
	UserRevoke struct{ User, Role string }
	// RoleAdd makes a role without permissions.
	RoleAdd struct{ Name string }
	// RoleDelete removes a role, also from its users.
	RoleDelete struct{ Name string }
	// RoleGrant gives a role a permission, in place of one on the same range.
	RoleGrant struct {
		Role       string
		Permission Permission
	}
	// RoleRevoke takes the permission on exactly [Key, End) from a role.
	RoleRevoke struct {
		Role     string
		Key, End []byte
	}
)

// Apply makes a change, whole or not at all.
func (t *Table) Apply(c Change) error {
	t.shared = nil
	altered, err := c.change(t)
	if altered {
		t.revision++
	}
	return err
}

// next is the revision that the change which is being made will have.
func (t *Table) next() uint64 { return t.revision + 1 }

func checkName(name string, empty error) error {
	switch {
	case name == "":
		return empty
	case len(name) > NameBytesMax:
		return ErrNameTooLong
	}
	return nil
}

// bounded refuses names that no row has; whether there is such a row is found
// out when the change is applied.
func bounded(names ...string) error {
	for _, n := range names {
		if len(n) > NameBytesMax {
			return ErrNameTooLong
		}
	}
	return nil
}

func (p Permission) check() error {
	switch s := spanOf(p.Key, p.End); {
	case p.Access > ReadWrite:
		return fmt.Errorf("%w: access %d", ErrInvalidManagement, p.Access)
	case len(p.Key) == 0, s.empty():
		return ErrInvalidManagement
	}
	return nil
}

func (*Enable) Check() error         { return nil }
func (*Disable) Check() error        { return nil }
func (c *UserAdd) Check() error      { return checkName(c.Name, ErrUserEmpty) }
func (c *UserDelete) Check() error   { return bounded(c.Name) }
func (c *UserPassword) Check() error { return bounded(c.Name) }
func (c *UserGrant) Check() error    { return bounded(c.User, c.Role) }
func (c *UserRevoke) Check() error   { return bounded(c.User, c.Role) }
func (c *RoleAdd) Check() error      { return checkName(c.Name, ErrRoleEmpty) }
func (c *RoleDelete) Check() error   { return bounded(c.Name) }
func (c *RoleRevoke) Check() error   { return bounded(c.Role) }

func (c *RoleGrant) Check() error {
	if err := c.Permission.check(); err != nil {
		return err
	}
	return bounded(c.Role)
}

func (*Enable) change(t *Table) (bool, error) {
	if t.Enabled() {
		return false, nil
	}
	if err := t.rooted(); err != nil {
		return false, err
	}
	t.enabledAt = t.revision // etcd leaves the revision as it is
	return false, nil
}

func (*Disable) change(t *Table) (bool, error) {
	if !t.Enabled() {
		return false, nil
	}
	t.enabledAt = 0
	return true, nil
}

func (c *UserAdd) change(t *Table) (bool, error) {
	if t.User(c.Name) != nil {
		return false, ErrUserExists
	}
	u := &User{Name: c.Name, NoPassword: c.NoPassword, Since: t.next()}
	if !c.NoPassword {
		u.Hash = bytes.Clone(c.Hash)
	}
	t.setUser(u)
	return true, nil
}

func (c *UserDelete) change(t *Table) (bool, error) {
	if t.Enabled() && c.Name == Root {
		return false, ErrInvalidManagement
	}
	u, had := t.users.Delete(&User{Name: c.Name})
	if !had {
		return false, ErrUserNotFound
	}
	t.sum -= u.hash()
	return true, nil
}

func (c *UserPassword) change(t *Table) (bool, error) {
	old := t.User(c.Name)
	if old == nil {
		return false, ErrUserNotFound
	}
	u := *old
	u.Since = t.next()
	if !u.NoPassword {
		u.Hash = bytes.Clone(c.Hash)
	}
	t.setUser(&u)
	return true, nil
}

func (c *UserGrant) change(t *Table) (bool, error) {
	old := t.User(c.User)
	switch {
	case old == nil:
		return false, ErrUserNotFound
	case c.Role != Root && t.Role(c.Role) == nil:
		return false, ErrRoleNotFound
	}
	at, has := slices.BinarySearch(old.Roles, c.Role)
	if has {
		return false, nil
	}
	u := *old
	u.Roles = slices.Insert(slices.Clone(old.Roles), at, strings.Clone(c.Role))
	t.setUser(&u)
	return true, nil
}

func (c *UserRevoke) change(t *Table) (bool, error) {
	if t.Enabled() && c.User == Root && c.Role == Root {
		return false, ErrInvalidManagement
	}
	u := t.User(c.User)
	switch {
	case u == nil:
		return false, ErrUserNotFound
	case !u.Has(c.Role):
		return false, ErrRoleNotGranted
	}
	t.take(u, c.Role)
	return true, nil
}

// take removes a role from a user.
func (t *Table) take(old *User, role string) {
	u := *old
	u.Roles = slices.DeleteFunc(slices.Clone(old.Roles), func(name string) bool { return name == role })
	t.setUser(&u)
}

func (c *RoleAdd) change(t *Table) (bool, error) {
	if t.Role(c.Name) != nil {
		return false, ErrRoleExists
	}
	t.setRole(&Role{Name: c.Name})
	return true, nil
}

func (c *RoleDelete) change(t *Table) (bool, error) {
	if t.Enabled() && c.Name == Root {
		return false, ErrInvalidManagement
	}
	r, had := t.roles.Delete(&Role{Name: c.Name})
	if !had {
		return false, ErrRoleNotFound
	}
	t.sum -= r.hash()
	var holders []*User
	t.users.Ascend(func(u *User) bool {
		if u.Has(c.Name) {
			holders = append(holders, u)
		}
		return true
	})
	for _, u := range holders {
		t.take(u, c.Name)
	}
	return true, nil
}

func (c *RoleGrant) change(t *Table) (bool, error) {
	old := t.Role(c.Role)
	if old == nil {
		return false, ErrRoleNotFound
	}
	p := Permission{Access: c.Permission.Access, Key: bytes.Clone(c.Permission.Key), End: bytes.Clone(c.Permission.End)}
	list := slices.Clone(old.Permissions)
	if at := slices.IndexFunc(list, func(q Permission) bool { return q.on(p.Key, p.End) }); at >= 0 {
		list[at] = p
	} else {
		list = append(list, p)
		slices.SortStableFunc(list, func(a, b Permission) int { return bytes.Compare(a.Key, b.Key) })
	}
	t.setRole(&Role{Name: old.Name, Permissions: list})
	return true, nil
}

func (c *RoleRevoke) change(t *Table) (bool, error) {
	old := t.Role(c.Role)
	if old == nil {
		return false, ErrRoleNotFound
	}
	gone := func(p Permission) bool { return p.on(c.Key, c.End) }
	if !slices.ContainsFunc(old.Permissions, gone) {
		return false, ErrPermissionNotGranted
	}
	t.setRole(&Role{Name: old.Name, Permissions: slices.DeleteFunc(slices.Clone(old.Permissions), gone)})
	return true, nil
}

// on tells whether the permission is on exactly that range.
func (p Permission) on(key, end []byte) bool {
	return bytes.Equal(p.Key, key) && bytes.Equal(p.End, end)
}
