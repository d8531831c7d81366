package api

import (
	"context"
	"errors"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/holdfast-db/holdfast/server/auth"
)

// gate finds out who a request's caller is and whether he may do what he asks.
type gate struct {
	backend Backend
	// certUsers: a verified client certificate's common name is a user.
	certUsers bool
}

// caller returns who asks, judged by a view of users and roles: nobody while
// auth is off, or if the request shows nothing. An error is about what it shows.
func (g gate) caller(ctx context.Context, v *auth.View) (auth.Caller, error) {
	if !v.Enabled() {
		return auth.Caller{}, nil
	}
	md, ok := metadata.FromIncomingContext(ctx)
	if !ok {
		return auth.Caller{}, nil
	}
	if text, shown := shownToken(md); shown {
		c, err := g.backend.Tokens().Who(text, v)
		if err != nil || c.Name == "" || c.Revision == 0 {
			return auth.Caller{}, err
		}
		return c, nil
	}
	if name := g.certName(ctx, md); name != "" {
		return auth.Caller{Name: name, Revision: v.Revision()}, nil
	}
	return auth.Caller{}, nil
}

// shownToken is the token in a request's metadata, where the Go client puts it
// or where HTTP has it. As in etcd an empty one isn't none.
func shownToken(md metadata.MD) (string, bool) {
	for _, field := range [...]string{rpctypes.TokenFieldNameGRPC, rpctypes.TokenFieldNameSwagger} {
		if v := md.Get(field); len(v) > 0 {
			return strings.TrimPrefix(v[0], "Bearer "), true
		}
	}
	return "", false
}

// certName is the common name of the client's certificate, if it was verified. A
// request of the JSON gateway is not its client's: it shows no certificate.
func (g gate) certName(ctx context.Context, md metadata.MD) string {
	p, ok := peer.FromContext(ctx)
	if !g.certUsers || !ok || len(md.Get("grpcgateway-accept")) > 0 {
		return ""
	}
	tls, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return ""
	}
	for _, chain := range tls.State.VerifiedChains {
		if len(chain) > 0 {
			return boundedName(chain[0].Subject.CommonName)
		}
	}
	return ""
}

// boundedName passes over names that no user has, and that no command may carry.
func boundedName(name string) string {
	if len(name) > auth.NameBytesMax {
		return ""
	}
	return name
}

// require tells whether check lets the caller through. A refusal by what this
// member has applied is confirmed by what the cluster has agreed on: a token, a
// user or a permission may be so new that it hasn't come here yet.
func (g gate) require(ctx context.Context, check func(*auth.View, auth.Caller) error) (auth.Caller, error) {
	v := g.backend.Auth()
	c, err := g.caller(ctx, v)
	if err == nil {
		err = check(v, c)
	}
	if err == nil {
		return c, nil
	}
	newest, viewErr := g.backend.View(ctx, true)
	if viewErr != nil {
		return auth.Caller{}, err
	}
	if c, err = g.caller(ctx, newest.Auth()); err == nil {
		err = check(newest.Auth(), c)
	}
	return c, err
}

func login(v *auth.View, c auth.Caller) error { return v.Login(c) }
func admin(v *auth.View, c auth.Caller) error { return v.Admin(c) }

// callerKey is where a context has the caller of a request on its way to the log.
type callerKey struct{}

// withCaller returns a context for Backend.Propose.
func withCaller(ctx context.Context, c auth.Caller) context.Context {
	if c == (auth.Caller{}) {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is whose command Backend.Propose gets; nobody's are the member's own,
// or everybody's while auth is off.
func CallerOf(ctx context.Context) auth.Caller {
	c, _ := ctx.Value(callerKey{}).(auth.Caller)
	return c
}

// unproved tells that a refusal is about what the caller showed, or when: with
// another look, or another proof, it may be no refusal.
func unproved(err error) bool {
	return errors.Is(err, auth.ErrInvalidToken) || errors.Is(err, auth.ErrOldRevision) || errors.Is(err, auth.ErrUserEmpty)
}
