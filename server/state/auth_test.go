package state

import (
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// enableAuth makes bob, who may read and write "k" and "l" and read "m", and
// turns auth on.
func enableAuth(f *fixture) {
	f.Helper()
	for _, c := range []Body{
		&auth.UserAdd{Name: "root", Hash: []byte("h")}, &auth.UserGrant{User: "root", Role: "root"},
		&auth.UserAdd{Name: "bob", Hash: []byte("h")}, &auth.RoleAdd{Name: "r"}, &auth.UserGrant{User: "bob", Role: "r"},
		grantTo("r", auth.ReadWrite, "k", "m"), grantTo("r", auth.Read, "m", ""), &auth.Enable{},
	} {
		f.must(c)
	}
}

func grantTo(role string, a auth.Access, key, end string) Body {
	return &auth.RoleGrant{Role: role, Permission: auth.Permission{Access: a, Key: []byte(key), End: []byte(end)}}
}

// ask applies a command of a user, whose proof is fresh.
func (f *fixture) ask(user string, body Body) *Result {
	f.Helper()
	e := Encoded{ID: f.id(), Term: f.now, Body: AppendBody(nil, body)}
	if user != "" {
		e.Caller = auth.Caller{Name: user, Revision: f.auth.Revision()}
	}
	return f.send(e)
}

func (f *fixture) as(user string, body Body) *Result {
	f.Helper()
	r := f.ask(user, body)
	if r.Err != nil {
		f.Fatalf("%s: %T: %v", user, body, r.Err)
	}
	return r
}

// TestPermit goes through the rules; View.Permit says the same as Apply.
func TestPermit(t *testing.T) {
	f := newFixture(t)
	for _, id := range []int64{7, 8, 9} {
		f.must(&LeaseGrantRequest{ID: id, TTL: 60})
	}
	f.must(put("k", "1", 7))
	f.must(put("x", "1", 8))
	enableAuth(f)
	key := func(k string) []byte { return []byte(k) }
	get := mvcc.Op{Range: &mvcc.RangeRequest{Key: key("x")}}
	set := mvcc.Op{Put: put("x", "", 0)}
	drop := mvcc.Op{Delete: &mvcc.DeleteRangeRequest{Key: key("k"), PrevKV: true}}
	nested := func(op mvcc.Op) mvcc.Op {
		return mvcc.Op{Txn: &mvcc.TxnRequest{Failure: []mvcc.Op{{Txn: &mvcc.TxnRequest{Success: []mvcc.Op{op}}}}}}
	}
	compare := func(k, end string) []mvcc.Compare { return []mvcc.Compare{{Key: key(k), End: key(end)}} }
	for name, c := range map[string]struct {
		user string
		body Body
		want error
	}{
		"put":                           {"bob", put("k", "2", 0), nil},
		"put of nobody":                 {"", put("k", "2", 0), auth.ErrUserEmpty},
		"put of a stranger":             {"eve", put("k", "2", 0), auth.ErrDenied},
		"put elsewhere":                 {"bob", put("x", "2", 0), auth.ErrDenied},
		"put where only read":           {"bob", put("m", "2", 0), auth.ErrDenied},
		"put with own lease":            {"bob", put("k", "2", 7), nil},
		"put with a foreign lease":      {"bob", put("l", "2", 8), auth.ErrDenied},
		"put with an empty lease":       {"bob", put("l", "2", 9), nil},
		"put with a missing lease":      {"bob", put("l", "2", 10), ErrLeaseNotFound},
		"put elsewhere, missing lease":  {"bob", put("x", "2", 10), auth.ErrDenied},
		"put, prev_kv":                  {"bob", &mvcc.PutRequest{Key: key("k"), PrevKV: true}, nil},
		"delete":                        {"bob", &mvcc.DeleteRangeRequest{Key: key("k"), End: key("m"), PrevKV: true}, nil},
		"delete too far":                {"bob", &mvcc.DeleteRangeRequest{Key: key("k"), End: key("m\x00")}, auth.ErrDenied},
		"delete to the end":             {"bob", &mvcc.DeleteRangeRequest{Key: key("k"), End: key("\x00")}, auth.ErrDenied},
		"delete to the end, by root":    {"root", &mvcc.DeleteRangeRequest{Key: key("q"), End: key("\x00")}, nil},
		"nothing at all, by nobody":     {"", &mvcc.TxnRequest{}, auth.ErrUserEmpty},
		"nothing at all":                {"bob", &mvcc.TxnRequest{}, nil},
		"compare":                       {"bob", &mvcc.TxnRequest{Compare: compare("m", "")}, nil},
		"compare elsewhere":             {"bob", &mvcc.TxnRequest{Compare: compare("x", "")}, auth.ErrDenied},
		"compare too far":               {"bob", &mvcc.TxnRequest{Compare: compare("k", "x")}, auth.ErrDenied},
		"read in the branch that runs":  {"bob", &mvcc.TxnRequest{Success: []mvcc.Op{get}}, auth.ErrDenied},
		"read in the one that doesn't":  {"bob", &mvcc.TxnRequest{Failure: []mvcc.Op{get}}, auth.ErrDenied},
		"put in the one that doesn't":   {"bob", &mvcc.TxnRequest{Failure: []mvcc.Op{set}}, auth.ErrDenied},
		"nested read":                   {"bob", &mvcc.TxnRequest{Success: []mvcc.Op{nested(get)}}, auth.ErrDenied},
		"nested put":                    {"bob", &mvcc.TxnRequest{Failure: []mvcc.Op{nested(set)}}, auth.ErrDenied},
		"nested delete":                 {"bob", &mvcc.TxnRequest{Success: []mvcc.Op{nested(drop)}}, nil},
		"revoke":                        {"bob", &LeaseRevokeRequest{ID: 7}, nil},
		"revoke of nobody":              {"", &LeaseRevokeRequest{ID: 9}, auth.ErrUserEmpty},
		"revoke of an empty lease":      {"bob", &LeaseRevokeRequest{ID: 9}, nil},
		"revoke of a foreign lease":     {"bob", &LeaseRevokeRequest{ID: 8}, auth.ErrDenied},
		"revoke by root":                {"root", &LeaseRevokeRequest{ID: 8}, nil},
		"expiry":                        {"", &LeaseRevokeRequest{ID: 8, Expired: true}, nil},
		"role by bob":                   {"bob", &auth.RoleAdd{Name: "s"}, auth.ErrDenied},
		"role by nobody":                {"", &auth.RoleAdd{Name: "s"}, auth.ErrUserEmpty},
		"own role by bob":               {"bob", &auth.UserGrant{User: "bob", Role: "root"}, auth.ErrDenied},
		"end of auth by bob":            {"bob", &auth.Disable{}, auth.ErrDenied},
		"end of auth by root":           {"root", &auth.Disable{}, nil},
		"grant of a lease, by the gate": {"", &LeaseGrantRequest{ID: 11, TTL: 5}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			copied, err := reload(f.State) // each case meets the same state, and one from a snapshot
			if err != nil {
				t.Fatal(err)
			}
			g := &fixture{TB: t, State: copied, now: f.now, seq: f.seq, replies: map[RequestID]*Result{}}
			caller := auth.Caller{}
			if c.user != "" {
				caller = auth.Caller{Name: c.user, Revision: g.auth.Revision()}
			}
			before := g.View().Permit(caller, c.body)
			if c.want != ErrLeaseNotFound && before != c.want {
				t.Errorf("the gate says %v, want %v", before, c.want)
			}
			r := g.ask(c.user, c.body)
			if !errors.Is(r.Err, c.want) || c.want == nil && r.Err != nil {
				t.Errorf("%v, want %v", r.Err, c.want)
			}
			if c.want != nil && r.Revision != f.Revision() {
				t.Errorf("refused, and left revision %d", r.Revision)
			}
		})
	}
}

// Without READ nothing of the value before may come back, in any form.
func TestPrevNeedsRead(t *testing.T) {
	f := newFixture(t)
	f.must(put("k", "secret", 0))
	f.must(&auth.UserAdd{Name: "bob"})
	f.must(&auth.RoleAdd{Name: "w"})
	f.must(grantTo("w", auth.Write, "k", ""))
	f.must(&auth.UserGrant{User: "bob", Role: "w"})
	f.must(&auth.UserAdd{Name: "root"})
	f.must(&auth.UserGrant{User: "root", Role: "root"})
	f.must(&auth.Enable{})
	for _, body := range []Body{
		&mvcc.PutRequest{Key: []byte("k"), PrevKV: true}, &mvcc.DeleteRangeRequest{Key: []byte("k"), PrevKV: true},
		&mvcc.TxnRequest{Success: []mvcc.Op{{Put: &mvcc.PutRequest{Key: []byte("k"), PrevKV: true}}}},
		&mvcc.TxnRequest{Failure: []mvcc.Op{{Delete: &mvcc.DeleteRangeRequest{Key: []byte("k"), PrevKV: true}}}},
		&mvcc.TxnRequest{Compare: []mvcc.Compare{{Key: []byte("k"), Target: mvcc.CompareVersion}}},
	} {
		if r := f.ask("bob", body); r.Err != auth.ErrDenied || r.Put != nil || r.Delete != nil || r.Txn != nil {
			t.Errorf("%+v: %+v", body, r)
		}
	}
	f.as("bob", put("k", "2", 0))
}

func TestLogin(t *testing.T) {
	var assigned []Token
	f := newFixture(t)
	f.options.TokenAssigned = func(t Token) { assigned = append(assigned, t) }
	login := func(user string, since uint64) Body { return &LoginRequest{User: user, Since: since, Prefix: "abc"} }
	f.fails(login("bob", 1), auth.ErrNotEnabled)
	enableAuth(f)
	f.as("root", &auth.UserAdd{Name: "cert", NoPassword: true})
	since := f.auth.User("bob").Since
	f.fails(login("eve", 1), auth.ErrFailed)
	f.fails(login("cert", f.auth.User("cert").Since), auth.ErrFailed)
	f.fails(login("bob", since-1), auth.ErrOldRevision)
	if r := f.must(login("bob", since)); r.Token != "abc.14" || !slices.Equal(assigned, []Token{{"abc.14", "bob", since, f.auth.EnabledAt()}}) {
		t.Errorf("token %q, assigned %+v", r.Token, assigned)
	}
	f.as("root", &auth.UserPassword{Name: "bob", Hash: []byte("2")})
	f.fails(login("bob", since), auth.ErrOldRevision)
}

// Changes are heard of before what is applied after them.
func TestAuthChangedIsHeard(t *testing.T) {
	var heard []uint64
	f := newFixture(t)
	f.options.AuthChanged = func(v *auth.View) { heard = append(heard, v.Revision()) }
	f.must(&auth.UserAdd{Name: "u"})
	f.fails(&auth.UserAdd{Name: "u"}, auth.ErrUserExists)
	f.must(put("k", "1", 0))
	f.must(&auth.UserDelete{Name: "u"})
	if !slices.Equal(heard, []uint64{2, 3}) || f.View().Auth().Revision() != 3 || f.Auth() != f.View().Auth() {
		t.Errorf("heard of %v", heard)
	}
}
