package auth

import (
	"slices"

	"github.com/google/btree"
)

// View is the table as it was at one time. It never changes; any goroutine may
// read it.
type View struct {
	revision uint64
	// enabledAt is the revision at which auth was last turned on; 0: it is off.
	enabledAt uint64
	users     *btree.BTreeG[*User]
	roles     *btree.BTreeG[*Role]
}

// Revision is incremented by every change; an untouched table's is 1.
func (v *View) Revision() uint64 { return v.revision }

// Enabled tells whether permissions count.
func (v *View) Enabled() bool { return v.enabledAt != 0 }

// EnabledAt is the revision at which auth was turned on; 0: it is off. It never
// repeats: turning auth off is a change.
func (v *View) EnabledAt() uint64 { return v.enabledAt }

// User returns a user; nil: there is none. Shared: don't modify.
func (v *View) User(name string) *User {
	u, _ := v.users.Get(&User{Name: name})
	return u
}

// Role returns a role; nil: there is none. Shared: don't modify.
func (v *View) Role(name string) *Role {
	r, _ := v.roles.Get(&Role{Name: name})
	return r
}

// Users is the number of users.
func (v *View) Users() int { return v.users.Len() }

// Roles is the number of roles.
func (v *View) Roles() int { return v.roles.Len() }

// AscendUsers visits the users by name until visit returns false.
func (v *View) AscendUsers(visit func(*User) bool) { v.users.Ascend(visit) }

// AscendRoles visits the roles by name until visit returns false.
func (v *View) AscendRoles(visit func(*Role) bool) { v.roles.Ascend(visit) }

// Has tells whether the user has a role.
func (u *User) Has(role string) bool {
	_, has := slices.BinarySearch(u.Roles, role)
	return has
}

// Login tells whether somebody's caller may be made now: nil, or why a request
// without a name is refused.
func (v *View) Login(c Caller) error {
	if v.Enabled() && c.Name == "" {
		return ErrUserEmpty
	}
	return nil
}

// Admin returns nil if the caller may administer: auth is off, or he has the
// role root. As in etcd the caller's revision doesn't matter, only what he may
// do now: his own changes would make it old.
func (v *View) Admin(c Caller) error {
	if !v.Enabled() {
		return nil
	}
	if c.Name == "" {
		return ErrUserEmpty
	}
	u := v.User(c.Name)
	switch {
	case u == nil:
		return ErrUserNotFound
	case !u.Has(Root):
		return ErrDenied
	}
	return nil
}

// Keys returns nil if the caller has access to all keys of [key, end).
func (v *View) Keys(c Caller, access Access, key, end []byte) error {
	if !v.Enabled() {
		return nil
	}
	if c.Revision == 0 {
		return ErrUserEmpty
	}
	if c.Revision < v.revision {
		return ErrOldRevision
	}
	u := v.User(c.Name)
	if u == nil {
		return ErrDenied
	}
	if u.Has(Root) || cover(v.grants(u, access), spanOf(key, end)) {
		return nil
	}
	return ErrDenied
}

// grants lists the spans that a user's roles give him.
func (v *View) grants(u *User, access Access) []spans {
	lists := make([]spans, 0, len(u.Roles))
	for _, name := range u.Roles {
		r := v.Role(name)
		switch {
		case r == nil:
		case access == Read:
			lists = append(lists, r.read)
		case access == Write:
			lists = append(lists, r.write)
		default:
			panic("auth: a request needs to read or to write")
		}
	}
	return lists
}
