package api

import (
	"context"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// TestEveryMethodHasARule: what is served has a row, so that a method of a newer
// etcd is refused until somebody thought about it; and no row is stale.
func TestEveryMethodHasARule(t *testing.T) {
	s := grpc.NewServer()
	Register(s, newTester(t).svc)
	served := map[string]bool{}
	for service, info := range s.GetServiceInfo() {
		for _, m := range info.Methods {
			name := "/" + service + "/" + m.Name
			served[name] = true
			if rules[name] == denied {
				t.Errorf("%s has no rule", name)
			}
		}
	}
	for name := range rules {
		if !served[name] {
			t.Errorf("the rule for %s is for nothing", name)
		}
	}
	if len(served) < 40 {
		t.Errorf("%d methods are served", len(served))
	}
}

// as is a request's context with a token, "" for none.
func as(text string) context.Context {
	if text == "" {
		return metadata.NewIncomingContext(context.Background(), metadata.MD{})
	}
	return metadata.NewIncomingContext(context.Background(), metadata.Pairs("token", text))
}

// authOn makes root, bob, who may read and write "b", and eve, who may nothing.
// The tokens are the names.
func (t *tester) authOn() {
	t.Helper()
	for _, c := range []state.Body{
		&auth.UserAdd{Name: "root"}, &auth.UserGrant{User: "root", Role: "root"},
		&auth.UserAdd{Name: "bob"}, &auth.UserAdd{Name: "eve"}, &auth.RoleAdd{Name: "r"}, &auth.UserGrant{User: "bob", Role: "r"},
		&auth.RoleGrant{Role: "r", Permission: auth.Permission{Access: auth.ReadWrite, Key: []byte("b")}}, &auth.Enable{},
	} {
		t.apply(c)
	}
	t.tokens()
}

// tokens assigns each user his name.
func (t *tester) tokens() {
	v := t.b.Auth()
	v.AscendUsers(func(u *auth.User) bool {
		if _, err := t.b.tokens.Who(u.Name, v); err == nil {
			return true
		}
		t.b.tokens.Assigned(state.Token{Text: u.Name, User: u.Name, Since: u.Since, EnabledAt: v.EnabledAt()})
		return true
	})
}

// apply runs a command as root.
func (t *tester) apply(body state.Body) {
	t.Helper()
	ctx := withCaller(context.Background(), auth.Caller{Name: "root", Revision: t.b.Auth().Revision()})
	res, err := t.b.Propose(ctx, body)
	if err != nil || res.Err != nil {
		t.Fatalf("%T: %v, %+v", body, err, res)
	}
}

// TestRules: each method by nobody, by somebody without permissions and by root,
// with auth on. (What byRequest methods ask for is the other tests' affair.)
func TestRules(t *testing.T) {
	s := newTester(t)
	s.authOn()
	guard := NewGuard(s.b)
	for method, r := range rules {
		for user, want := range map[string]map[rule]error{
			"":     {anyone: nil, users: rpctypes.ErrGRPCUserEmpty, admins: rpctypes.ErrGRPCUserEmpty, byRequest: rpctypes.ErrGRPCPermissionDenied},
			"eve":  {anyone: nil, users: nil, admins: rpctypes.ErrGRPCPermissionDenied, byRequest: rpctypes.ErrGRPCPermissionDenied},
			"root": {anyone: nil, users: nil, admins: nil, byRequest: rpctypes.ErrGRPCPermissionDenied},
			"old":  {anyone: nil, users: rpctypes.ErrGRPCInvalidAuthToken, admins: rpctypes.ErrGRPCInvalidAuthToken, byRequest: rpctypes.ErrGRPCPermissionDenied},
		} {
			// The handler looks at nothing, as one would that forgot.
			resp, err := guard.Unary(as(user), &pb.StatusRequest{}, &grpc.UnaryServerInfo{FullMethod: method},
				func(context.Context, any) (any, error) { return "an answer", nil })
			if err != want[r] || err != nil && resp != nil {
				t.Errorf("%s by %q: %v, %v; want %v", method, user, resp, err, want[r])
			}
			stream := &silentStream{ctx: as(user)}
			err = guard.Stream(nil, stream, &grpc.StreamServerInfo{FullMethod: method},
				func(_ any, ss grpc.ServerStream) error { return ss.SendMsg("an answer") })
			if err != want[r] || stream.sent != (err == nil) {
				t.Errorf("%s as a stream by %q: %v, sent %t; want %v", method, user, err, stream.sent, want[r])
			}
		}
	}
	for _, user := range []string{"", "root"} {
		_, err := guard.Unary(as(user), &pb.StatusRequest{}, &grpc.UnaryServerInfo{FullMethod: "/etcdserverpb.KV/New"},
			func(context.Context, any) (any, error) { return "an answer", nil })
		if err != errNoRule {
			t.Errorf("a method without a rule: %v", err)
		}
	}
}

type silentStream struct {
	grpc.ServerStream
	ctx  context.Context
	sent bool
}

func (s *silentStream) Context() context.Context { return s.ctx }
func (s *silentStream) SendMsg(any) error        { s.sent = true; return nil }
