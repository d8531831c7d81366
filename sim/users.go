package sim

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// In some runs the clients are people with names: an administrator makes users
// and roles, turns auth on, and goes on changing what they may while they work.
// The gate, which proves names (server/api, server/token), is not here; what it
// hands on is: a name, and the revision of the table that this member had then.

// usersMax is how many there are besides root; each has a role of its own.
const usersMax = 3

func userName(i int) string {
	if i%(usersMax+1) == 0 {
		return auth.Root
	}
	return fmt.Sprintf("u%d", i%(usersMax+1))
}

func roleName(i int) string { return fmt.Sprintf("r%d", i) }

// administrator is the client that looks after users.
type administrator struct {
	w    *World
	step int // of the beginning
}

func (l *workload) startUsers() {
	if !l.w.plan.Load.Users {
		return
	}
	for i, c := range l.clients {
		c.user = userName(i)
	}
	c := &client{w: l.w, id: len(l.clients) + 1, user: auth.Root, role: &administrator{w: l.w}}
	l.clients = append(l.clients, c)
	c.next(nil)
}

// next goes on with what was not done for certain, or draws another change.
func (a *administrator) next(c *client, ended *op) {
	if ended != nil && ended.answer == AnswerOK && a.done(ended.result.Err) {
		a.step++
		c.w.count.add("changes of users and roles")
	}
	pause := c.w.loadDraw.around(60 * millisecond)
	c.w.at(pause, whatClient, 0, func() {
		if c.stop || c.busy != nil {
			return
		}
		change := a.change()
		if change == nil {
			c.next(nil)
			return
		}
		c.chooseNode()
		c.send(&op{kind: opAuth, body: change})
	})
}

// done: a step that a lost answer hid is found done when it is tried again.
func (a *administrator) done(err error) bool {
	return err == nil || errors.Is(err, auth.ErrUserExists) || errors.Is(err, auth.ErrRoleExists)
}

// change is the next one; nil: none now. When the faults are over auth is turned
// off for good, so that everybody gets everything that he waits for.
func (a *administrator) change() state.Body {
	switch begin := a.beginning(); {
	case a.w.phase >= PhaseConverge && a.w.oracle.model.auth.now().enabled():
		return &auth.Disable{}
	case a.w.phase >= PhaseConverge:
		return nil
	case a.step < len(begin):
		return begin[a.step]
	}
	return a.any()
}

func (a *administrator) beginning() []state.Body {
	list := []state.Body{&auth.UserAdd{Name: auth.Root, NoPassword: true}, &auth.RoleAdd{Name: auth.Root}, &auth.UserGrant{User: auth.Root, Role: auth.Root}}
	half := keyName(a.w.plan.Load.Keys / 2)
	all := auth.Permission{Access: auth.Read, Key: []byte{0}, End: []byte{0}}
	low := auth.Permission{Access: auth.ReadWrite, Key: keyName(0), End: half}
	high := auth.Permission{Access: auth.ReadWrite, Key: half, End: []byte{0}}
	for i, p := range []auth.Permission{low, high, all} {
		list = append(list, &auth.RoleAdd{Name: roleName(i + 1)}, &auth.RoleGrant{Role: roleName(i + 1), Permission: p},
			&auth.UserAdd{Name: userName(i + 1), NoPassword: true}, &auth.UserGrant{User: userName(i + 1), Role: roleName(i + 1)})
	}
	return append(list, &auth.Enable{})
}

// any draws a change: of a permission most often, now and then of a user, of the
// password that his sessions rest on, or of all.
func (a *administrator) any() state.Body {
	d := a.w.loadDraw
	user, role := userName(1+d.IntN(usersMax)), roleName(1+d.IntN(usersMax))
	switch n := d.IntN(100); {
	case n < 40:
		key, end := watchSpan(d, a.w.plan.Load.Keys)
		return &auth.RoleGrant{Role: role, Permission: auth.Permission{Access: auth.Access(d.IntN(3)), Key: key, End: end}}
	case n < 60:
		return a.revoke(role)
	case n < 75:
		return &auth.UserGrant{User: user, Role: role}
	case n < 83:
		return &auth.UserRevoke{User: user, Role: role}
	case n < 87:
		return &auth.UserDelete{Name: user}
	case n < 92:
		return &auth.UserAdd{Name: user, NoPassword: true}
	case n < 95:
		return &auth.UserPassword{Name: user}
	case n < 96:
		return &auth.Disable{}
	}
	return &auth.Enable{}
}

// revoke takes back one of the permissions that a role has, as far as is known.
func (a *administrator) revoke(role string) state.Body {
	list := a.w.oracle.model.auth.now().roles[role]
	if len(list) == 0 {
		return &auth.RoleRevoke{Role: role, Key: keyName(0)}
	}
	p := list[a.w.loadDraw.IntN(len(list))]
	return &auth.RoleRevoke{Role: role, Key: p.Key, End: p.End}
}

// caller is who the gate of a member says that somebody is.
func (n *Node) caller(user string) auth.Caller {
	v := stateOf(n.rep).Auth()
	if user == "" || !v.Enabled() {
		return auth.Caller{}
	}
	return auth.Caller{Name: user, Revision: v.Revision()}
}

// authNow is the model of the table that the member has at this moment.
func (n *Node) authNow() *authState {
	v := stateOf(n.rep).Auth()
	a := n.w.oracle.model.auth.at(v.Revision(), v.Enabled())
	if a == nil {
		n.w.unsafe("M1 equal index, equal state", uint8(n.id), "users and roles at revision %d, enabled %v: there was never such a table", v.Revision(), v.Enabled())
	}
	return a
}

// mayRead is what the gate asks before it evaluates a read, of the view that it
// reads, held against the model (A1).
func (w *World) mayRead(o *op, view *state.View) error {
	if o.client == 0 || !w.plan.Load.Users {
		return nil
	}
	v := view.Auth()
	a := w.oracle.model.auth.at(v.Revision(), v.Enabled())
	if a == nil {
		w.unsafe("M1 equal index, equal state", uint8(o.node.id), "a view has users and roles at revision %d, enabled %v: there was never such a table", v.Revision(), v.Enabled())
	}
	err, want := view.PermitRange(o.caller, o.query.Key, o.query.End), a.may(o.caller, auth.Read, o.query.Key, o.query.End)
	if err != want {
		w.unsafe("A1 nobody sees what he may not", uint8(o.node.id), "%s of %q: %v, the model has %v", o.details(), o.caller.Name, err, want)
	}
	return err
}
