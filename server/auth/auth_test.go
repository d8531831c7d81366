package auth

import (
	"errors"
	"strings"
	"testing"
)

// build makes a table by changes that must succeed.
func build(t testing.TB, changes ...Change) *Table {
	t.Helper()
	table := NewTable()
	for _, c := range changes {
		if err := errors.Join(c.Check(), table.Apply(c)); err != nil {
			t.Fatalf("%T %+v: %v", c, c, err)
		}
	}
	return table
}

func grant(role string, a Access, key, end string) Change {
	return &RoleGrant{Role: role, Permission: Permission{Access: a, Key: []byte(key), End: []byte(end)}}
}

// rooted begins a table whose auth can be turned on.
func rooted(more ...Change) []Change {
	return append([]Change{&UserAdd{Name: "root", Hash: []byte("h")}, &UserGrant{User: "root", Role: "root"}}, more...)
}

func TestRevisionCountsChanges(t *testing.T) {
	table := NewTable()
	for i, step := range []struct {
		change Change
		want   error
		at     uint64
	}{
		{&Disable{}, nil, 1},
		{&Enable{}, ErrRootUserNotExist, 1},
		{&UserAdd{Name: "root"}, nil, 2},
		{&Enable{}, ErrRootRoleNotExist, 2},
		{&UserGrant{User: "root", Role: "root"}, nil, 3},
		{&UserGrant{User: "root", Role: "root"}, nil, 3},
		{&Enable{}, nil, 3},
		{&Enable{}, nil, 3},
		{&UserAdd{Name: "root"}, ErrUserExists, 3},
		{&UserDelete{Name: "root"}, ErrInvalidManagement, 3},
		{&UserRevoke{User: "root", Role: "root"}, ErrInvalidManagement, 3},
		{&RoleDelete{Name: "root"}, ErrInvalidManagement, 3},
		{&RoleAdd{Name: "r"}, nil, 4},
		{&RoleAdd{Name: "r"}, ErrRoleExists, 4},
		{grant("r", Read, "a", ""), nil, 5},
		{grant("r", Read, "a", ""), nil, 6},
		{&RoleRevoke{Role: "r", Key: []byte("b")}, ErrPermissionNotGranted, 6},
		{&RoleRevoke{Role: "x", Key: []byte("b")}, ErrRoleNotFound, 6},
		{&UserGrant{User: "root", Role: "x"}, ErrRoleNotFound, 6},
		{&UserGrant{User: "x", Role: "r"}, ErrUserNotFound, 6},
		{&UserRevoke{User: "root", Role: "r"}, ErrRoleNotGranted, 6},
		{&UserPassword{Name: "root", Hash: []byte("2")}, nil, 7},
		{&Disable{}, nil, 8},
		{&UserRevoke{User: "root", Role: "root"}, nil, 9},
		{&Enable{}, ErrRootRoleNotExist, 9},
	} {
		if err := table.Apply(step.change); !errors.Is(err, step.want) || table.Revision() != step.at {
			t.Errorf("step %d, %T %+v: %v at %d, want %v at %d", i, step.change, step.change, err, table.Revision(), step.want, step.at)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	long := strings.Repeat("n", NameBytesMax+1)
	for _, c := range []struct {
		change Change
		want   error
	}{
		{&UserAdd{}, ErrUserEmpty},
		{&UserAdd{Name: long}, ErrNameTooLong},
		{&RoleAdd{}, ErrRoleEmpty},
		{&RoleAdd{Name: long}, ErrNameTooLong},
		{&UserGrant{User: "u", Role: long}, ErrNameTooLong},
		{&UserRevoke{User: long, Role: "r"}, ErrNameTooLong},
		{&UserDelete{Name: long}, ErrNameTooLong},
		{&UserPassword{Name: long}, ErrNameTooLong},
		{&RoleDelete{Name: long}, ErrNameTooLong},
		{&RoleRevoke{Role: long}, ErrNameTooLong},
		{grant(long, Read, "a", ""), ErrNameTooLong},
		{grant("r", Read, "", ""), ErrInvalidManagement},
		{grant("r", Read, "", "\x00"), ErrInvalidManagement},
		{grant("r", Read, "b", "a"), ErrInvalidManagement},
		{grant("r", Read, "b", "b"), ErrInvalidManagement},
		{grant("r", 3, "b", ""), ErrInvalidManagement},
		{&UserAdd{Name: long[1:]}, nil},
		{grant("r", Write, "\x00", "\x00"), nil},
		{grant("r", Write, "b", "\x00"), nil},
	} {
		if err := c.change.Check(); !errors.Is(err, c.want) {
			t.Errorf("%T: %v, want %v", c.change, err, c.want)
		}
	}
}

// Spans of several roles add up, adjacent ones too; a gap of one key doesn't.
func TestKeys(t *testing.T) {
	table := build(t, rooted(
		&UserAdd{Name: "bob"}, &RoleAdd{Name: "r"}, &RoleAdd{Name: "s"},
		&UserGrant{User: "bob", Role: "r"}, &UserGrant{User: "bob", Role: "s"},
		grant("r", Read, "a", "c"), grant("s", Read, "c", "e"), grant("r", Read, "e", ""), grant("s", Read, "f", "\x00"),
		grant("r", Write, "w", "x"), grant("s", ReadWrite, "x", ""), &Enable{})...)
	bob := Caller{Name: "bob", Revision: table.Revision()}
	for _, c := range []struct {
		access   Access
		key, end string
		want     error
	}{
		{Read, "a", "e", nil},
		{Read, "a", "e\x00", nil},
		{Read, "a", "e\x00\x00", ErrDenied},
		{Read, "a", "f", ErrDenied},
		{Read, "e", "", nil},
		{Read, "e\x00", "", ErrDenied},
		{Read, "f", "\x00", nil},
		{Read, "zz", "zzz", nil},
		{Read, "e", "\x00", ErrDenied},
		{Read, "\x00", "\x00", ErrDenied},
		{Read, "b", "a", nil}, // empty, at a key that is granted
		{Read, "0", "0", ErrDenied},
		{Write, "w", "x\x00", nil},
		{Write, "w", "y", ErrDenied},
		{Write, "a", "", ErrDenied},
	} {
		if err := table.Keys(bob, c.access, []byte(c.key), []byte(c.end)); err != c.want {
			t.Errorf("access %d to [%q, %q): %v, want %v", c.access, c.key, c.end, err, c.want)
		}
	}
	for _, c := range []struct {
		caller Caller
		want   error
	}{
		{Caller{}, ErrUserEmpty},
		{Caller{Name: "bob", Revision: table.Revision() - 1}, ErrOldRevision},
		{Caller{Name: "eve", Revision: table.Revision()}, ErrDenied},
		{Caller{Name: "root", Revision: table.Revision()}, nil},
		{Caller{Name: "root", Revision: table.Revision() - 1}, ErrOldRevision},
	} {
		if err := table.Keys(c.caller, Write, []byte("q"), nil); err != c.want {
			t.Errorf("%+v: %v, want %v", c.caller, err, c.want)
		}
	}
}

func TestAdmin(t *testing.T) {
	table := build(t, rooted(&UserAdd{Name: "bob"})...)
	if err := table.Admin(Caller{}); err != nil {
		t.Errorf("auth is off: %v", err)
	}
	if err := errors.Join(table.Apply(&Enable{})); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want error
	}{{"", ErrUserEmpty}, {"eve", ErrUserNotFound}, {"bob", ErrDenied}, {"root", nil}} {
		if err := table.Admin(Caller{Name: c.name, Revision: 1}); err != c.want {
			t.Errorf("%q: %v, want %v", c.name, err, c.want)
		}
	}
}

// A permission that is granted again replaces the first, also behind another on
// the same key, where etcd leaves both.
func TestGrantReplaces(t *testing.T) {
	table := build(t, rooted(&UserAdd{Name: "bob"}, &RoleAdd{Name: "r"}, &UserGrant{User: "bob", Role: "r"},
		grant("r", ReadWrite, "a", "b"), grant("r", ReadWrite, "a", "c"), grant("r", Read, "a", "c"), &Enable{})...)
	if n := len(table.Role("r").Permissions); n != 2 {
		t.Errorf("%d permissions", n)
	}
	bob := Caller{Name: "bob", Revision: table.Revision()}
	if err := table.Keys(bob, Write, []byte("b"), nil); err != ErrDenied {
		t.Errorf("WRITE was taken back, and is still there: %v", err)
	}
}

// Who changes his password, or is another user of the same name, is told apart.
func TestSince(t *testing.T) {
	table := build(t, &UserAdd{Name: "bob", Hash: []byte("1")})
	first := table.User("bob").Since
	for _, c := range []Change{&UserPassword{Name: "bob", Hash: []byte("1")}, &UserDelete{Name: "bob"}, &UserAdd{Name: "bob", Hash: []byte("1")}} {
		if err := table.Apply(c); err != nil {
			t.Fatal(err)
		}
		if u := table.User("bob"); u != nil && u.Since <= first {
			t.Errorf("after %T since %d, was %d", c, u.Since, first)
		} else if u != nil {
			first = u.Since
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	role := func(name string, p ...Permission) *Role { return &Role{Name: name, Permissions: p} }
	perm := func(key, end string) Permission { return Permission{Key: []byte(key), End: []byte(end)} }
	for name, c := range map[string]struct {
		revision, enabledAt uint64
		roles               []*Role
		users               []*User
	}{
		"revision 0":            {},
		"enabled in the future": {revision: 3, enabledAt: 4},
		"enabled without root":  {revision: 3, enabledAt: 2},
		"roles out of order":    {revision: 3, roles: []*Role{role("b"), role("a")}},
		"role twice":            {revision: 3, roles: []*Role{role("b"), role("b")}},
		"role without a name":   {revision: 3, roles: []*Role{role("")}},
		"permissions unsorted":  {revision: 3, roles: []*Role{role("b", perm("b", ""), perm("a", ""))}},
		"empty permission":      {revision: 3, roles: []*Role{role("b", perm("b", "a"))}},
		"user without a name":   {revision: 3, users: []*User{{}}},
		"users out of order":    {revision: 3, users: []*User{{Name: "b"}, {Name: "a"}}},
		"missing role":          {revision: 3, users: []*User{{Name: "b", Roles: []string{"r"}}}},
		"roles unsorted":        {revision: 3, roles: []*Role{role("a"), role("b")}, users: []*User{{Name: "b", Roles: []string{"b", "a"}}}},
		"password to come":      {revision: 3, users: []*User{{Name: "b", Since: 4}}},
	} {
		if _, err := Restore(c.revision, c.enabledAt, c.roles, c.users); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
}

// Each field of a row is in the hash.
func TestHash(t *testing.T) {
	base := func() *Table {
		return build(t, &UserAdd{Name: "u", Hash: []byte("h")}, &RoleAdd{Name: "r"}, grant("r", Read, "a", "b"), &UserGrant{User: "u", Role: "r"})
	}
	seen := map[uint64]string{base().Hash(): "base"}
	for name, change := range map[string]func(*Table){
		"revision":    func(t *Table) { t.revision++ },
		"enabled":     func(t *Table) { t.enabledAt = 1 },
		"user":        func(t *Table) { t.setUser(&User{Name: "v"}) },
		"hash":        func(t *Table) { u := *t.User("u"); u.Hash = []byte("i"); t.setUser(&u) },
		"no password": func(t *Table) { u := *t.User("u"); u.NoPassword = true; t.setUser(&u) },
		"roles":       func(t *Table) { t.take(t.User("u"), "r") },
		"since":       func(t *Table) { u := *t.User("u"); u.Since++; t.setUser(&u) },
		"role":        func(t *Table) { t.setRole(&Role{Name: "s"}) },
		"access": func(t *Table) {
			t.setRole(&Role{Name: "r", Permissions: []Permission{{Write, []byte("a"), []byte("b")}}})
		},
		"key": func(t *Table) {
			t.setRole(&Role{Name: "r", Permissions: []Permission{{Read, []byte("0"), []byte("b")}}})
		},
		"end":        func(t *Table) { t.setRole(&Role{Name: "r", Permissions: []Permission{{Read, []byte("a"), nil}}}) },
		"permission": func(t *Table) { t.setRole(&Role{Name: "r"}) },
	} {
		table := base()
		change(table)
		if other, taken := seen[table.Hash()]; taken {
			t.Errorf("%q and %q have the same hash", name, other)
		}
		seen[table.Hash()] = name
	}
}

// TestSharedViewsAreCheap: an unchanged table gives the same view again.
func TestSharedViewsAreCheap(t *testing.T) {
	table := build(t, &UserAdd{Name: "u"})
	v := table.Share()
	if table.Share() != v {
		t.Error("a view was made twice")
	}
	if err := table.Apply(&UserDelete{Name: "u"}); err != nil || table.Share() == v || v.User("u") == nil {
		t.Errorf("%v; the old view: %v", err, v.User("u"))
	}
}

// A session ends with the password, the user, the permission, or auth.
func TestStill(t *testing.T) {
	table := build(t, rooted(&UserAdd{Name: "bob"}, &RoleAdd{Name: "r"}, &UserGrant{User: "bob", Role: "r"}, grant("r", Read, "a", "c"))...)
	nobody := table.Session(Caller{})
	if err := table.Still(nobody, []byte("z"), nil); err != nil {
		t.Errorf("auth is off: %v", err)
	}
	if err := table.Apply(&Enable{}); err != nil {
		t.Fatal(err)
	}
	bob := table.Session(Caller{Name: "bob", Revision: table.Revision()})
	still := func(what string, s Session, end string, want error) {
		t.Helper()
		if err := table.Still(s, []byte("a"), []byte(end)); err != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	apply := func(c Change) {
		t.Helper()
		if err := table.Apply(c); err != nil {
			t.Fatal(err)
		}
	}
	still("who came before auth", nobody, "", ErrUserEmpty)
	still("bob", bob, "c", nil)
	still("bob, more", bob, "d", ErrDenied)
	apply(grant("r", Write, "a", "c"))
	still("permission gone", bob, "c", ErrDenied)
	apply(grant("r", Read, "a", "z"))
	still("and back", bob, "d", nil)
	apply(&UserPassword{Name: "bob"})
	still("another password", bob, "c", ErrInvalidToken)
	bob = table.Session(Caller{Name: "bob", Revision: table.Revision()})
	still("with the new one", bob, "c", nil)
	apply(&Disable{})
	still("auth off", bob, "\x00", nil)
	apply(&Enable{})
	still("auth on again", bob, "c", ErrInvalidToken)
	apply(&UserDelete{Name: "bob"})
	still("user gone", bob, "c", ErrDenied)
	apply(&UserAdd{Name: "bob"})
	still("another bob", bob, "c", ErrInvalidToken)
}
