package auth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// naive is the table written the slow and obvious way: sets, and permissions
// that are asked key by key. It shares the requests and errors only.
type naive struct {
	revision uint64
	on       bool
	users    map[string]*naiveUser
	roles    map[string][]Permission
}

type naiveUser struct {
	hash       string
	noPassword bool
	roles      map[string]bool
}

func newNaive() *naive {
	return &naive{revision: 1, users: map[string]*naiveUser{}, roles: map[string][]Permission{}}
}

func (n *naive) apply(c Change) error {
	changed, err := n.change(c)
	if changed {
		n.revision++
	}
	return err
}

func (n *naive) change(c Change) (bool, error) {
	switch c := c.(type) {
	case *Enable:
		root := n.users["root"]
		switch {
		case n.on:
		case root == nil:
			return false, ErrRootUserNotExist
		case !root.roles["root"]:
			return false, ErrRootRoleNotExist
		}
		n.on = true
		return false, nil
	case *Disable:
		was := n.on
		n.on = false
		return was, nil
	case *RoleAdd:
		if _, ok := n.roles[c.Name]; ok {
			return false, ErrRoleExists
		}
		n.roles[c.Name] = nil
		return true, nil
	case *RoleDelete:
		if n.on && c.Name == "root" {
			return false, ErrInvalidManagement
		}
		if _, ok := n.roles[c.Name]; !ok {
			return false, ErrRoleNotFound
		}
		delete(n.roles, c.Name)
		for _, u := range n.users {
			delete(u.roles, c.Name)
		}
		return true, nil
	case *RoleGrant, *RoleRevoke:
		return n.permission(c)
	}
	return n.user(c)
}

func (n *naive) permission(c Change) (bool, error) {
	role, key, end := "", []byte(nil), []byte(nil)
	var grant *Permission
	switch c := c.(type) {
	case *RoleGrant:
		role, key, end, grant = c.Role, c.Permission.Key, c.Permission.End, &c.Permission
	case *RoleRevoke:
		role, key, end = c.Role, c.Key, c.End
	}
	list, ok := n.roles[role]
	if !ok {
		return false, ErrRoleNotFound
	}
	at := slices.IndexFunc(list, func(p Permission) bool { return string(p.Key) == string(key) && string(p.End) == string(end) })
	switch {
	case grant != nil && at >= 0:
		list[at].Access = grant.Access
	case grant != nil:
		n.roles[role] = append(list, *grant)
	case at >= 0:
		n.roles[role] = slices.Delete(list, at, at+1)
	default:
		return false, ErrPermissionNotGranted
	}
	return true, nil
}

func (n *naive) user(c Change) (bool, error) {
	switch c := c.(type) {
	case *UserAdd:
		if n.users[c.Name] != nil {
			return false, ErrUserExists
		}
		n.users[c.Name] = &naiveUser{hash: string(c.Hash), noPassword: c.NoPassword, roles: map[string]bool{}}
	case *UserDelete:
		if n.on && c.Name == "root" {
			return false, ErrInvalidManagement
		}
		if n.users[c.Name] == nil {
			return false, ErrUserNotFound
		}
		delete(n.users, c.Name)
	case *UserPassword:
		if n.users[c.Name] == nil {
			return false, ErrUserNotFound
		}
		n.users[c.Name].hash = string(c.Hash)
	case *UserGrant:
		_, ok := n.roles[c.Role]
		switch {
		case n.users[c.User] == nil:
			return false, ErrUserNotFound
		case c.Role != "root" && !ok:
			return false, ErrRoleNotFound
		case n.users[c.User].roles[c.Role]:
			return false, nil
		}
		n.users[c.User].roles[c.Role] = true
	case *UserRevoke:
		switch {
		case n.on && c.User == "root" && c.Role == "root":
			return false, ErrInvalidManagement
		case n.users[c.User] == nil:
			return false, ErrUserNotFound
		case !n.users[c.User].roles[c.Role]:
			return false, ErrRoleNotGranted
		}
		delete(n.users[c.User].roles, c.Role)
	}
	return true, nil
}

// grid has the keys and the ends of all ranges.
var grid = []string{"\x00", "a", "ab", "b", "ba", "c", "d", "\xff"}

// points are all keys in which two ranges with ends among them can differ: each
// is the least key of a stretch that no range cuts.
var points = func() (list []string) {
	for _, k := range grid {
		list = append(list, k, k+"\x00")
	}
	slices.Sort(list)
	return slices.Compact(list)
}()

// within tells whether [key, end) holds a key.
func within(k, key, end string) bool {
	switch end {
	case "":
		return k == key
	case "\x00":
		return k >= key
	}
	return k >= key && k < end
}

func (n *naive) keys(c Caller, access Access, key, end string) error {
	switch u := n.users[c.Name]; {
	case !n.on:
		return nil
	case c.Revision == 0:
		return ErrUserEmpty
	case c.Revision < n.revision:
		return ErrOldRevision
	case u == nil:
		return ErrDenied
	case u.roles["root"]:
		return nil
	}
	if end != "" && end != "\x00" && end <= key {
		end = "" // an empty range needs what its first key does
	}
	for _, k := range points {
		if within(k, key, end) && !n.key(c.Name, access, k) {
			return ErrDenied
		}
	}
	return nil
}

// key tells whether some permission of some role grants access to one key.
func (n *naive) key(user string, access Access, k string) bool {
	for role := range n.users[user].roles {
		for _, p := range n.roles[role] {
			if (p.Access == access || p.Access == ReadWrite) && within(k, string(p.Key), string(p.End)) {
				return true
			}
		}
	}
	return false
}

// String prints all of it but what only the table keeps.
func (n *naive) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, n.revision, n.on)
	for _, name := range slices.Sorted(maps.Keys(n.roles)) {
		list := slices.Clone(n.roles[name])
		slices.SortStableFunc(list, func(a, b Permission) int { return strings.Compare(string(a.Key), string(b.Key)) })
		fmt.Fprintf(&b, "role %s %q\n", name, list)
	}
	for _, name := range slices.Sorted(maps.Keys(n.users)) {
		u := n.users[name]
		fmt.Fprintf(&b, "user %s %q %t %q\n", name, u.hash, u.noPassword, slices.Sorted(maps.Keys(u.roles)))
	}
	return b.String()
}

func describe(v *View) string {
	var b strings.Builder
	fmt.Fprintln(&b, v.Revision(), v.Enabled())
	v.AscendRoles(func(r *Role) bool {
		fmt.Fprintf(&b, "role %s %q\n", r.Name, slices.Clone(r.Permissions))
		return true
	})
	v.AscendUsers(func(u *User) bool {
		fmt.Fprintf(&b, "user %s %q %t %q\n", u.Name, string(u.Hash), u.NoPassword, slices.Clone(u.Roles))
		return true
	})
	return b.String()
}

var (
	names = rapid.SampledFrom([]string{"root", "ann", "bob"})
	grain = rapid.SampledFrom([]string{"root", "r1", "r2", "r3"})
	keyIn = rapid.SampledFrom(grid)
)

func drawRange(t *rapid.T) (key, end string) {
	key = keyIn.Draw(t, "key")
	switch rapid.IntRange(0, 3).Draw(t, "range") {
	case 0:
		end = "\x00"
	case 1, 2:
		end = keyIn.Draw(t, "end")
	}
	return key, end
}

func drawChange(t *rapid.T) Change {
	switch rapid.IntRange(0, 17).Draw(t, "change") {
	case 0:
		return &Disable{}
	case 1, 2:
		return &Enable{}
	case 3, 4:
		return &UserAdd{Name: names.Draw(t, "user"), Hash: []byte("h")}
	case 5:
		return &UserAdd{Name: names.Draw(t, "user"), NoPassword: true}
	case 6:
		return &UserDelete{Name: names.Draw(t, "user")}
	case 7:
		return &UserPassword{Name: names.Draw(t, "user")}
	case 8, 9, 10:
		return &UserGrant{User: names.Draw(t, "user"), Role: grain.Draw(t, "role")}
	case 11:
		return &UserRevoke{User: names.Draw(t, "user"), Role: grain.Draw(t, "role")}
	case 12:
		return &RoleAdd{Name: grain.Draw(t, "role")}
	case 13:
		return &RoleDelete{Name: grain.Draw(t, "role")}
	case 14:
		key, end := drawRange(t)
		return &RoleRevoke{Role: grain.Draw(t, "role"), Key: []byte(key), End: []byte(end)}
	}
	key, end := drawRange(t)
	return &RoleGrant{Role: grain.Draw(t, "role"), Permission: Permission{
		Access: Access(rapid.IntRange(0, 2).Draw(t, "access")), Key: []byte(key), End: []byte(end)}}
}

// restored is the table as a snapshot would bring it back.
func restored(v *View) (*Table, error) {
	var roles []*Role
	var users []*User
	v.AscendRoles(func(r *Role) bool {
		roles = append(roles, &Role{Name: r.Name, Permissions: r.Permissions})
		return true
	})
	v.AscendUsers(func(u *User) bool { users = append(users, u); return true })
	return Restore(v.Revision(), v.EnabledAt(), roles, users)
}

// TestModel: random changes and questions; the table says what the naive one
// does, old views say what they said, and a copy is a copy.
func TestModel(t *testing.T) { rapid.Check(t, tableModel) }

func FuzzModel(f *testing.F) { fuzz.Model(f, tableModel) }

func tableModel(t *rapid.T) {
	table, model := NewTable(), newNaive()
	old, said := table.Share(), describe(table.Share())
	change := func(t *rapid.T) {
		c := drawChange(t)
		if err := c.Check(); err != nil {
			if g, ok := c.(*RoleGrant); !ok || !spanOf(g.Permission.Key, g.Permission.End).empty() {
				t.Fatalf("%+v refused: %v", c, err)
			}
			return
		}
		if got, want := table.Apply(c), model.apply(c); !errors.Is(got, want) || want == nil && got != nil {
			t.Fatalf("%T %+v: %v, want %v", c, c, got, want)
		}
	}
	ask := func(t *rapid.T) {
		c := Caller{Name: names.Draw(t, "caller"), Revision: table.Revision() - uint64(rapid.SampledFrom([]int{0, 0, 0, 0, 1}).Draw(t, "age"))}
		access := Access(rapid.IntRange(0, 1).Draw(t, "access"))
		key, end := drawRange(t)
		if got, want := table.Keys(c, access, []byte(key), []byte(end)), model.keys(c, access, key, end); got != want {
			t.Fatalf("%+v, access %d to %q %q: %v, want %v\n%s", c, access, key, end, got, want, model)
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"change": change, "another change": change, "ask": ask, "ask again": ask,
		"view": func(*rapid.T) { old, said = table.Share(), describe(table.Share()) },
		"restore": func(t *rapid.T) {
			copied, err := restored(table.Share())
			if err != nil || copied.Hash() != table.Hash() {
				t.Fatalf("%v, hash %x, was %x", err, copied.Hash(), table.Hash())
			}
			table = copied
		},
		"": func(t *rapid.T) {
			if got := describe(table.Share()); got != model.String() {
				t.Fatalf("table:\n%s, want\n%s", got, model)
			}
			if describe(old) != said {
				t.Fatalf("an old view changed:\n%s, was\n%s", describe(old), said)
			}
		},
	})
}
