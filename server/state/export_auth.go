package state

import (
	"encoding/binary"

	"github.com/holdfast-db/holdfast/server/auth"
)

const userNoPassword byte = 1

// authRows lists what a snapshot holds of users and roles.
func authRows(v *auth.View) (roles []*auth.Role, users []*auth.User) {
	v.AscendRoles(func(r *auth.Role) bool { roles = append(roles, r); return true })
	v.AscendUsers(func(u *auth.User) bool { users = append(users, u); return true })
	return roles, users
}

func (e *Exporter) role(b []byte) ([]byte, bool) {
	if e.at == len(e.roles) {
		return nil, false
	}
	role := e.roles[e.at]
	b = appendBytes(b, role.Name)
	for _, p := range role.Permissions {
		b = appendPermission(b, p)
	}
	return b, true
}

func (e *Exporter) user(b []byte) ([]byte, bool) {
	if e.at == len(e.users) {
		return nil, false
	}
	u := e.users[e.at]
	var flags byte
	if u.NoPassword {
		flags |= userNoPassword
	}
	b = appendBytes(append(appendBytes(b, u.Name), flags), u.Hash)
	return appendStrings(binary.AppendUvarint(b, u.Since), u.Roles), true
}

// role takes a row; Finish sees to order and validity.
func (l *Loader) role(r *reader) {
	role := &auth.Role{Name: r.string()}
	for r.err == nil && len(r.b) > 0 {
		p := r.permission()
		p.Key, p.End = append([]byte(nil), p.Key...), append([]byte(nil), p.End...) // the record isn't kept
		role.Permissions = append(role.Permissions, p)
	}
	l.roles = append(l.roles, role)
}

func (l *Loader) user(r *reader) {
	u := &auth.User{Name: r.string(), NoPassword: r.flags(userNoPassword) != 0}
	u.Hash = append([]byte(nil), r.bytes()...)
	u.Since, u.Roles = r.uvarint(), r.strings()
	l.users = append(l.users, u)
}
