package state

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-db/holdfast/server/auth"
)

// Bodies about users and roles (primitives: wire.go):
//
//	+------+---------------------------------------------------------------+
//	| kind | fields                                                        |
//	+------+---------------------------------------------------------------+
//	| 32   | login          user bytes, since uvarint, prefix bytes        |
//	| 33   | enable         –                                              |
//	| 34   | disable        –                                              |
//	| 35   | user add       name bytes, no password byte, hash bytes       |
//	| 36   | user delete    name bytes                                     |
//	| 37   | user password  name bytes, hash bytes                         |
//	| 38   | user grant     user bytes, role bytes                         |
//	| 39   | user revoke    user bytes, role bytes                         |
//	| 40   | role add       name bytes                                     |
//	| 41   | role delete    name bytes                                     |
//	| 42   | role grant     role bytes, access byte, key bytes, end bytes  |
//	| 43   | role revoke    role bytes, key bytes, end bytes               |
//	+------+---------------------------------------------------------------+
const (
	kindLogin bodyKind = iota + 32
	kindAuthEnable
	kindAuthDisable
	kindUserAdd
	kindUserDelete
	kindUserPassword
	kindUserGrant
	kindUserRevoke
	kindRoleAdd
	kindRoleDelete
	kindRoleGrant
	kindRoleRevoke
)

func appendAuth(dst []byte, body Body) []byte {
	switch b := body.(type) {
	case *LoginRequest:
		dst = binary.AppendUvarint(appendFields(dst, kindLogin, b.User), b.Since)
		return appendBytes(dst, b.Prefix)
	case *auth.Enable:
		return append(dst, byte(kindAuthEnable))
	case *auth.Disable:
		return append(dst, byte(kindAuthDisable))
	case *auth.UserAdd:
		return appendBytes(appendBool(appendFields(dst, kindUserAdd, b.Name), b.NoPassword), b.Hash)
	case *auth.UserDelete:
		return appendFields(dst, kindUserDelete, b.Name)
	case *auth.UserPassword:
		return appendBytes(appendFields(dst, kindUserPassword, b.Name), b.Hash)
	case *auth.UserGrant:
		return appendFields(dst, kindUserGrant, b.User, b.Role)
	case *auth.UserRevoke:
		return appendFields(dst, kindUserRevoke, b.User, b.Role)
	case *auth.RoleAdd:
		return appendFields(dst, kindRoleAdd, b.Name)
	case *auth.RoleDelete:
		return appendFields(dst, kindRoleDelete, b.Name)
	case *auth.RoleGrant:
		return appendPermission(appendFields(dst, kindRoleGrant, b.Role), b.Permission)
	case *auth.RoleRevoke:
		return appendBytes(appendBytes(appendFields(dst, kindRoleRevoke, b.Role), b.Key), b.End)
	}
	panic(fmt.Sprintf("state: unknown body %T", body))
}

func appendFields(dst []byte, kind bodyKind, fields ...string) []byte {
	dst = append(dst, byte(kind))
	for _, f := range fields {
		dst = appendBytes(dst, f)
	}
	return dst
}

func appendPermission(dst []byte, p auth.Permission) []byte {
	return appendBytes(appendBytes(append(dst, byte(p.Access)), p.Key), p.End)
}

func (r *reader) auth(kind bodyKind) Body {
	switch kind {
	case kindLogin:
		return &LoginRequest{User: r.string(), Since: r.uvarint(), Prefix: r.string()}
	case kindAuthEnable:
		return &auth.Enable{}
	case kindAuthDisable:
		return &auth.Disable{}
	case kindUserAdd:
		return &auth.UserAdd{Name: r.string(), NoPassword: r.bool(), Hash: r.bytes()}
	case kindUserDelete:
		return &auth.UserDelete{Name: r.string()}
	case kindUserPassword:
		return &auth.UserPassword{Name: r.string(), Hash: r.bytes()}
	case kindUserGrant:
		return &auth.UserGrant{User: r.string(), Role: r.string()}
	case kindUserRevoke:
		return &auth.UserRevoke{User: r.string(), Role: r.string()}
	case kindRoleAdd:
		return &auth.RoleAdd{Name: r.string()}
	case kindRoleDelete:
		return &auth.RoleDelete{Name: r.string()}
	case kindRoleGrant:
		return &auth.RoleGrant{Role: r.string(), Permission: r.permission()}
	case kindRoleRevoke:
		return &auth.RoleRevoke{Role: r.string(), Key: r.bytes(), End: r.bytes()}
	default:
		r.unknown("command kind", uint64(kind))
		return nil
	}
}

func (r *reader) permission() auth.Permission {
	return auth.Permission{Access: auth.Access(r.enum("access", byte(auth.ReadWrite))), Key: r.bytes(), End: r.bytes()}
}
