package differential

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"
)

// Login gets a token of each server, for steps As that user. The tokens differ; whether there is one must not.
type Login struct {
	User, Password string
	JSON           bool // through the gateway
}

func (s Login) String() string {
	return fmt.Sprintf("Login %s %s, JSON %t", s.User, s.Password, s.JSON)
}

func (s Login) request() *pb.AuthenticateRequest {
	return &pb.AuthenticateRequest{Name: s.User, Password: s.Password}
}

func (s Login) do(ctx context.Context, t *target) outcome {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	var o outcome
	if s.JSON {
		o = t.json(ctx, authenticatePath, s.request(), &pb.AuthenticateResponse{}, false)
	} else {
		r, err := pb.NewAuthClient(t.conn).Authenticate(ctx, s.request())
		if err != nil {
			return outcome{err: err}
		}
		o = outcome{message: r}
	}
	if r, ok := o.message.(*pb.AuthenticateResponse); ok {
		t.tokens[s.User] = r.Token
	}
	return o
}

// As is a step of a user who has logged in; of one who hasn't, or "", it shows no token.
type As struct {
	User string
	Step Step
}

func (s As) String() string { return "as " + s.User + ": " + s.Step.String() }

func (s As) do(ctx context.Context, t *target) outcome {
	if text, ok := t.tokens[s.User]; ok {
		ctx = metadata.AppendToOutgoingContext(ctx, "token", text)
	}
	return s.Step.do(ctx, t)
}

// AuthGenerator draws steps about users and roles, and requests of users.
type AuthGenerator struct {
	*Generator
	on bool // auth is
}

// NewAuthGenerator returns a generator whose steps depend on the seed, and on what etcd answers.
func NewAuthGenerator(seed uint64) *AuthGenerator {
	return &AuthGenerator{Generator: NewGenerator(seed)}
}

var (
	userNames = []string{"root", "ann", "bob", "cat"}
	roleNames = []string{"root", "r1", "r2", "r3"}
)

// loginless is a user without a password. It doesn't log in: etcd tells that there is such a user.
const loginless = "dan"

// hashOf is what a client may send in the place of a password: base64 of bcrypt's text, for "hashed".
const hashOf = "JDJhJDA0JGdKQWQwYm1seC9qbnpYcVVndmdZOS5iT0t2N0dRUU80Yy5sSmVMYkhCNnc4VDYvRi52Ymhp"

// ends has one end for each key: on several ranges that begin alike etcd grants twice what should replace.
var ends = map[string]string{"a": "", "ab": "b", "b": "c", "ba": "\x00", "c": "d", "k1": "l"}

// Prepare are the first steps: so that auth can be turned on, and is.
func (g *AuthGenerator) Prepare() []Step {
	enable := Call{"AuthEnable", &pb.AuthEnableRequest{}}
	return []Step{
		enable, enable, enable, JSON{Call: enable}, enable, enable, enable, JSON{Call: enable},
		Call{"UserAdd", &pb.AuthUserAddRequest{Name: "root", Password: "root"}},
		enable, JSON{Call: enable},
		Call{"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}},
		Call{"UserAdd", &pb.AuthUserAddRequest{Name: "ann", Password: "ann"}}, Call{"UserAdd", &pb.AuthUserAddRequest{Name: "bob", Password: "bob"}},
		Call{"RoleAdd", &pb.AuthRoleAddRequest{Name: "r1"}}, Call{"RoleAdd", &pb.AuthRoleAddRequest{Name: "r2"}},
		Call{"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "ann", Role: "r1"}}, Call{"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "bob", Role: "r2"}},
		Call{"AuthEnable", &pb.AuthEnableRequest{}}, Login{User: "root", Password: "root"}, Login{User: "ann", Password: "ann"}, Login{User: "bob", Password: "bob", JSON: true},
	}
}

// Next draws a step.
func (g *AuthGenerator) Next() Step {
	switch n := g.random.IntN(100); {
	case n < 8:
		user := pick(g.Generator, append(slices.Clone(userNames), "root", "root")...)
		return Login{user, pick(g.Generator, user, user, user, user, "x", "hashed"), g.one(3)}
	case n < 40:
		return As{pick(g.Generator, "root", "root", "root", "root", "root", "ann", ""), g.maybeJSON(g.change(), 3)}
	case n < 48:
		return As{pick(g.Generator, append(slices.Clone(userNames), "")...), g.maybeJSON(g.question(), 2)}
	default:
		return As{pick(g.Generator, "root", "ann", "ann", "bob", "bob", "cat", ""), g.byJSON(g.request())}
	}
}

func (g *AuthGenerator) user() string { return pick(g.Generator, userNames...) }
func (g *AuthGenerator) role() string { return pick(g.Generator, roleNames...) }

func (g *AuthGenerator) span() (key, end []byte) {
	k := pick(g.Generator, "a", "ab", "b", "ba", "c", "k1")
	return []byte(k), []byte(ends[k])
}

func (g *AuthGenerator) change() Step {
	key, end := g.span()
	switch g.random.IntN(28) {
	case 16, 27:
		if g.on {
			return g.ofRoot()
		}
		return Call{"AuthStatus", &pb.AuthStatusRequest{}}
	case 17:
		return Call{"UserAdd", &pb.AuthUserAddRequest{Name: pick(g.Generator, loginless, loginless, ""), HashedPassword: pick(g.Generator, "", hashOf), Options: &authpb.UserAddOptions{NoPassword: true}}}
	case 18:
		return Call{"UserDelete", &pb.AuthUserDeleteRequest{Name: loginless}}
	case 19:
		return g.hashed()
	case 0, 25:
		return Call{"AuthDisable", &pb.AuthDisableRequest{}}
	case 1, 2, 15:
		return Call{"AuthEnable", &pb.AuthEnableRequest{}}
	case 3:
		u := g.user()
		return Call{"UserAdd", &pb.AuthUserAddRequest{Name: u, Password: u}}
	case 4:
		return Call{"UserDelete", &pb.AuthUserDeleteRequest{Name: pick(g.Generator, "ann", "bob", "cat", g.user())}}
	case 5:
		u := g.user()
		return Call{"UserChangePassword", &pb.AuthUserChangePasswordRequest{Name: u, Password: u}}
	case 6, 7:
		return Call{"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: g.user(), Role: g.role()}}
	case 8, 26:
		return Call{"UserRevokeRole", &pb.AuthUserRevokeRoleRequest{Name: g.user(), Role: g.role()}}
	case 9, 20, 21, 22:
		return Call{"RoleAdd", &pb.AuthRoleAddRequest{Name: pick(g.Generator, g.role(), g.role(), g.role(), "")}}
	case 10:
		return Call{"RoleDelete", &pb.AuthRoleDeleteRequest{Role: g.role()}}
	case 11, 23, 24:
		return Call{"RoleRevokePermission", &pb.AuthRoleRevokePermissionRequest{Role: g.role(), Key: key, RangeEnd: end}}
	case 12:
		return Call{"RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{Name: g.role()}} // nothing is granted
	default:
		return Call{"RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{Name: g.role(), Perm: &authpb.Permission{
			PermType: authpb.Permission_Type(g.random.IntN(3)), Key: key, RangeEnd: end}}}
	}
}

// ofRoot takes from root what auth can't be on without.
func (g *AuthGenerator) ofRoot() Step {
	return pick[Step](g.Generator, Call{"UserDelete", &pb.AuthUserDeleteRequest{Name: "root"}},
		Call{"UserRevokeRole", &pb.AuthUserRevokeRoleRequest{Name: "root", Role: "root"}},
		Call{"RoleDelete", &pb.AuthRoleDeleteRequest{Role: "root"}})
}

// hashed are requests with a hash in the place of a password, or beside one, which then counts.
func (g *AuthGenerator) hashed() Step {
	u := g.user()
	switch g.random.IntN(3) {
	case 0:
		return Call{"UserAdd", &pb.AuthUserAddRequest{Name: u, Password: u, HashedPassword: hashOf}}
	case 1:
		return Call{"UserChangePassword", &pb.AuthUserChangePasswordRequest{Name: u, Password: u, HashedPassword: hashOf}}
	default: // not root's: most steps are root's
		return Call{"UserChangePassword", &pb.AuthUserChangePasswordRequest{Name: pick(g.Generator, "cat", "cat", "bob", "eve"), HashedPassword: hashOf}}
	}
}

func (g *AuthGenerator) question() Step {
	switch g.random.IntN(5) {
	case 0:
		return Call{"UserGet", &pb.AuthUserGetRequest{Name: g.user()}}
	case 1:
		return Call{"UserList", &pb.AuthUserListRequest{}}
	case 2:
		return Call{"RoleGet", &pb.AuthRoleGetRequest{Role: g.role()}}
	case 3:
		return Call{"RoleList", &pb.AuthRoleListRequest{}}
	default:
		return Call{"AuthStatus", &pb.AuthStatusRequest{}}
	}
}

// request draws what a client asks of keys and leases. Ranges don't end before they begin: what is needed for an empty
// one is nobody's rule.
func (g *AuthGenerator) request() Step {
	key, end := g.span()
	if g.one(3) {
		end = nil
	}
	switch n := g.random.IntN(100); {
	case n < 25:
		return Call{"Put", &pb.PutRequest{Key: key, Value: g.value(), PrevKv: g.one(4), Lease: g.leaseID()}}
	case n < 45:
		return Call{"Range", &pb.RangeRequest{Key: key, RangeEnd: end, CountOnly: g.one(5), Serializable: g.one(3)}}
	case n < 55:
		return Call{"DeleteRange", &pb.DeleteRangeRequest{Key: key, RangeEnd: end, PrevKv: g.one(3)}}
	case n < 75:
		r := ordered(spare(g.txn(2)))
		r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}) // not nothing
		return Call{"Txn", r}
	case n < 90:
		return g.lease()
	case n < 92:
		return Call{"Compact", &pb.CompactionRequest{Revision: g.compactTo()}}
	case n < 94:
		return Call{"HashKV", &pb.HashKVRequest{}}
	case n < 96:
		return Call{"MemberList", &pb.MemberListRequest{}}
	case n < 98:
		return Call{"Status", &pb.StatusRequest{}}
	default:
		return Call{"Alarm", &pb.AlarmRequest{}}
	}
}

// ordered makes each range of a transaction one that doesn't end before it begins.
func ordered(r *pb.TxnRequest) *pb.TxnRequest {
	fix := func(key []byte, end *[]byte) {
		if len(*end) > 0 && string(*end) != "\x00" && string(*end) <= string(key) {
			*end = nil
		}
	}
	for _, c := range r.Compare {
		fix(c.Key, &c.RangeEnd)
	}
	for _, op := range slices.Concat(r.Success, r.Failure) {
		if q := op.GetRequestRange(); q != nil {
			fix(q.Key, &q.RangeEnd)
		}
		if d := op.GetRequestDeleteRange(); d != nil {
			fix(d.Key, &d.RangeEnd)
		}
		if t := op.GetRequestTxn(); t != nil {
			ordered(t)
		}
	}
	return r
}

// Done tells the generator what etcd answered.
func (g *AuthGenerator) Done(s Step, o outcome) {
	g.Generator.Done(s, o)
	if o.err != nil {
		return
	}
	switch _, request := asked(s); request.(type) {
	case *pb.AuthEnableRequest:
		g.on = true
	case *pb.AuthDisableRequest:
		g.on = false
	}
}
