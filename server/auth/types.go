package auth

import "errors"

// Root is the name of the user and of the role that may do everything.
const Root = "root"

// NameBytesMax bounds the name of a user or a role.
const NameBytesMax = 1024

// Access is what a permission grants, or what a request needs; the numbers are
// etcd's.
type Access uint8

const (
	Read Access = iota
	Write
	ReadWrite
)

// Permission grants access to the keys in [Key, End), as a range reads them: no
// End means one key, "\x00" all keys from Key on.
type Permission struct {
	Access   Access
	Key, End []byte
}

// User is a row of the table. It is replaced, never changed.
type User struct {
	Name string
	// Hash is bcrypt's of the password; nobody logs in with an empty one.
	Hash []byte
	// NoPassword: can't log in, may come with a certificate.
	NoPassword bool
	// Roles are sorted. They may name roles that don't exist, "root" only.
	Roles []string
	// Since is the revision at which the user got the present password.
	Since uint64
}

// Role is a row of the table. It is replaced, never changed.
type Role struct {
	Name string
	// Permissions are sorted by key; those of one key stand as they were granted.
	Permissions []Permission

	read, write spans
}

// Caller is who asks: a name that was proved, and the revision of the table that
// the proof is good for. The zero value is nobody.
type Caller struct {
	Name     string
	Revision uint64
}

// Outcomes, the same on every replica. The API layer maps them to etcd's.
var (
	ErrRootUserNotExist     = errors.New("auth: root user does not exist")
	ErrRootRoleNotExist     = errors.New("auth: root user does not have root role")
	ErrUserExists           = errors.New("auth: user name already exists")
	ErrUserEmpty            = errors.New("auth: user name is empty")
	ErrUserNotFound         = errors.New("auth: user name not found")
	ErrRoleExists           = errors.New("auth: role name already exists")
	ErrRoleNotFound         = errors.New("auth: role name not found")
	ErrRoleEmpty            = errors.New("auth: role name is empty")
	ErrPermissionNotGranted = errors.New("auth: permission is not granted to the role")
	ErrRoleNotGranted       = errors.New("auth: role is not granted to the user")
	ErrInvalidManagement    = errors.New("auth: invalid auth management")
	ErrDenied               = errors.New("auth: permission denied")
	ErrNotEnabled           = errors.New("auth: authentication is not enabled")
	// ErrFailed: unknown user or wrong password; which of them isn't told.
	ErrFailed = errors.New("auth: authentication failed, invalid user ID or password")
	// ErrOldRevision: the table changed since the caller proved himself.
	ErrOldRevision = errors.New("auth: revision of auth store is old")
	// ErrNameTooLong: see NameBytesMax.
	ErrNameTooLong = errors.New("auth: name is too long")
)
