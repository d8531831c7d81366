package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/server/token"
)

// refused wants an error, and no reply with it.
func refused[T any](t *tester, resp *T, err, want error) {
	t.Helper()
	if err != want || err != nil && resp != nil {
		t.Errorf("%v, %v; want %v", resp, err, want)
	}
}

// TestAuthenticate: passwords are hashed at the gate, tokens work at once, and a
// wrong name can't be told from a wrong password.
func TestAuthenticate(t *testing.T) {
	s := newTester(t)
	_, err := s.svc.Authenticate(bg, &pb.AuthenticateRequest{Name: "root", Password: "pw"})
	refused[pb.AuthenticateResponse](s, nil, err, rpctypes.ErrGRPCAuthNotEnabled)
	add := func(r *pb.AuthUserAddRequest) {
		t.Helper()
		resp, err := s.svc.UserAdd(bg, r)
		ok(s, resp, err)
	}
	add(&pb.AuthUserAddRequest{Name: "root", Password: "pw"})
	add(&pb.AuthUserAddRequest{Name: "cert", Options: &authpb.UserAddOptions{NoPassword: true}})
	add(&pb.AuthUserAddRequest{Name: "empty"})
	if h := s.b.Auth().User("root").Hash; bcrypt.CompareHashAndPassword(h, []byte("pw")) != nil {
		t.Errorf("the hash is %q", h)
	}
	granted, err := s.svc.UserGrantRole(bg, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
	ok(s, granted, err)
	enabled, err := s.svc.AuthEnable(bg, &pb.AuthEnableRequest{})
	ok(s, enabled, err)
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"root", "pw", nil}, {"empty", "", nil},
		{"root", "", rpctypes.ErrGRPCAuthFailed}, {"root", "px", rpctypes.ErrGRPCAuthFailed},
		{"root", "pw" + strings.Repeat("x", 90), rpctypes.ErrGRPCAuthFailed},
		{"nobody", "pw", rpctypes.ErrGRPCAuthFailed}, {"", "", rpctypes.ErrGRPCAuthFailed},
		{"cert", "", rpctypes.ErrGRPCAuthFailed}, {"cert", "nobody's", rpctypes.ErrGRPCAuthFailed}, {"nobody", "nobody's", rpctypes.ErrGRPCAuthFailed},
	} {
		resp, err := s.svc.Authenticate(bg, &pb.AuthenticateRequest{Name: c.name, Password: c.password})
		refused(s, resp, err, c.want)
		if err == nil {
			prefix, index, _ := strings.Cut(resp.Token, ".")
			if len(prefix) != 23 || index == "" {
				t.Errorf("token %q", resp.Token)
			}
			_, err = s.svc.UserGet(as(resp.Token), &pb.AuthUserGetRequest{Name: c.name})
			if err != nil {
				t.Errorf("%s asks about himself: %v", c.name, err)
			}
		}
	}
}

func TestPasswordBounds(t *testing.T) {
	s := newTester(t)
	_, err := s.svc.UserAdd(bg, &pb.AuthUserAddRequest{Name: "u", Password: strings.Repeat("x", 73)})
	refused[pb.AuthUserAddResponse](s, nil, err, errPasswordTooLong)
	added, err := s.svc.UserAdd(bg, &pb.AuthUserAddRequest{Name: "u", Password: strings.Repeat("x", 72)})
	ok(s, added, err)
	cheap, err := bcrypt.GenerateFromPassword([]byte("p"), 4)
	ok(s, cheap, err)
	for text, want := range map[string]error{
		base64.StdEncoding.EncodeToString(cheap): nil,
		"":                                       nil, // nobody can log in any more
		"%%%":                                    rpctypes.ErrGRPCInvalidAuthMgmt,
		base64.StdEncoding.EncodeToString([]byte("text")):                                            rpctypes.ErrGRPCInvalidAuthMgmt,
		base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(cheap), "$04$", "$31$", 1))): rpctypes.ErrGRPCInvalidAuthMgmt,
	} {
		resp, err := s.svc.UserChangePassword(bg, &pb.AuthUserChangePasswordRequest{Name: "u", HashedPassword: text})
		refused(s, resp, err, want)
	}
	for _, cost := range []int{0, 3, 32, 99} {
		if p := newPasswords(cost); p.cost != bcrypt.DefaultCost {
			t.Errorf("cost %d gives %d", cost, p.cost)
		}
	}
}

// TestPasswordQueue: what waits for its turn is bounded, and can be given up.
func TestPasswordQueue(t *testing.T) {
	p := newPasswords(4)
	var taken []func()
	for range cap(p.turns) {
		done, err := p.turn(bg)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, done)
	}
	ctx, cancel := context.WithCancel(bg)
	results := make(chan error, passwordQueue+1)
	for range passwordQueue + 1 {
		go func() { _, err := p.hash(ctx, "x"); results <- err }()
	}
	if err := <-results; err != rpctypes.ErrGRPCRequestTooManyRequests {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	for range passwordQueue {
		if err := <-results; err == nil || err == rpctypes.ErrGRPCRequestTooManyRequests {
			t.Errorf("given up: %v", err)
		}
	}
	for _, done := range taken {
		done()
	}
	if _, err := p.hash(bg, "x"); err != nil {
		t.Error(err)
	}
}

// TestWhoAsks: where a caller is found, and when he is nobody.
func TestWhoAsks(t *testing.T) {
	s := newTester(t, func(b *fakeBackend) { b.limits.CertUsers = true })
	s.authOn()
	chain := func(names ...string) context.Context {
		var c []*x509.Certificate
		for _, n := range names {
			c = append(c, &x509.Certificate{Subject: pkix.Name{CommonName: n}})
		}
		info := credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{nil, c}, PeerCertificates: c}}
		return peer.NewContext(as(""), &peer.Peer{AuthInfo: info})
	}
	unverified := peer.NewContext(as(""), &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "root"}}}}}})
	with := func(ctx context.Context, pairs ...string) context.Context {
		return metadata.NewIncomingContext(ctx, metadata.Pairs(pairs...))
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		want string
		err  error
	}{
		"nothing":                       {bg, "", nil},
		"token":                         {as("bob"), "bob", nil},
		"HTTP's header":                 {with(bg, "authorization", "bob"), "bob", nil},
		"bearer":                        {with(bg, "authorization", "Bearer bob"), "bob", nil},
		"both: the token counts":        {with(bg, "authorization", "root", "token", "bob"), "bob", nil},
		"bad token":                     {as("none"), "", auth.ErrInvalidToken},
		"empty token":                   {with(bg, "token", ""), "", auth.ErrInvalidToken},
		"certificate":                   {chain("bob", "ca"), "bob", nil},
		"certificate without a name":    {chain("", "ca"), "", nil},
		"long name":                     {chain(strings.Repeat("x", auth.NameBytesMax+1)), "", nil},
		"certificate nobody verified":   {unverified, "", nil},
		"certificate of the gateway":    {with(chain("bob"), "grpcgateway-accept", "*/*"), "", nil},
		"certificate beside a token":    {with(chain("root"), "token", "bob"), "bob", nil},
		"certificate beside a bad one":  {with(chain("root"), "token", "none"), "", auth.ErrInvalidToken},
		"token of a user who has gone":  {as("gone"), "", auth.ErrInvalidToken},
		"certificate of no user's name": {chain("stranger"), "stranger", nil},
	} {
		got, err := s.svc.gate.caller(c.ctx, s.b.Auth())
		if err != c.err || got.Name != c.want {
			t.Errorf("%s: %+v, %v; want %q, %v", name, got, err, c.want, c.err)
		}
	}
	s.svc.gate.certUsers = false
	if got, _ := s.svc.gate.caller(chain("bob"), s.b.Auth()); got.Name != "" {
		t.Errorf("certificates name no users here, and %+v", got)
	}
	s.apply(&auth.Disable{})
	if got, err := s.svc.gate.caller(as("none"), s.b.Auth()); err != nil || got.Name != "" {
		t.Errorf("auth is off: %+v, %v", got, err)
	}
}

// behind is a member that hasn't applied the newest change of users: Auth is old
// until a linearizable view is taken.
type behind struct {
	*fakeBackend
	old *auth.View
}

func (b *behind) Auth() *auth.View {
	if b.old != nil {
		return b.old
	}
	return b.fakeBackend.Auth()
}

func (b *behind) View(ctx context.Context, linearizable bool) (*state.View, error) {
	if linearizable {
		b.old = nil
	}
	return b.fakeBackend.View(ctx, linearizable)
}

// TestRefusalsAreConfirmed: a member that lags doesn't refuse what was granted.
func TestRefusalsAreConfirmed(t *testing.T) {
	s := newTester(t)
	s.authOn()
	b := &behind{fakeBackend: s.b}
	svc := NewService(b)
	before := s.b.Auth()
	s.apply(&auth.RoleGrant{Role: "r", Permission: auth.Permission{Access: auth.ReadWrite, Key: []byte("new")}})
	b.old = before
	put, err := svc.Put(as("bob"), &pb.PutRequest{Key: []byte("new")})
	ok(s, put, err)
	b.old = before
	s.apply(&auth.UserAdd{Name: "ann"})
	s.tokens()
	b.old = before
	grant, err := svc.LeaseTimeToLive(as("ann"), &pb.LeaseTimeToLiveRequest{ID: 1})
	ok(s, grant, err)
	b.old = before
	denied, err := svc.Put(as("bob"), &pb.PutRequest{Key: []byte("other")})
	refused(s, denied, err, rpctypes.ErrGRPCPermissionDenied)
	if b.old != nil {
		t.Error("refused without a look at what is agreed on")
	}
}

// racing changes the users just before a command is applied, so many times.
type racing struct {
	*fakeBackend
	change func()
	times  int
}

func (b *racing) Propose(ctx context.Context, body state.Body) (*state.Result, error) {
	if b.times > 0 {
		b.times--
		b.change()
	}
	return b.fakeBackend.Propose(ctx, body)
}

// TestProposedAgain: who is still good for a command doesn't hear that the users
// changed under way; who isn't, does; and there is an end to it.
func TestProposedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change auth.Change
		times  int
		want   error
	}{
		"another role":      {&auth.RoleAdd{Name: "x"}, 1, nil},
		"permission taken":  {&auth.RoleRevoke{Role: "r", Key: []byte("b")}, 1, rpctypes.ErrGRPCPermissionDenied},
		"password changed":  {&auth.UserPassword{Name: "bob"}, 1, rpctypes.ErrGRPCInvalidAuthToken},
		"user gone":         {&auth.UserDelete{Name: "bob"}, 1, rpctypes.ErrGRPCInvalidAuthToken},
		"over and over":     {nil, 100, rpctypes.ErrGRPCAuthOldRevision},
		"auth off under it": {&auth.Disable{}, 1, nil},
	} {
		s := newTester(t)
		s.authOn()
		n := 0
		b := &racing{fakeBackend: s.b, times: c.times}
		b.change = func() {
			if c.change != nil {
				s.apply(c.change)
				return
			}
			n++
			s.apply(&auth.RoleAdd{Name: strings.Repeat("x", n)})
		}
		_, err := NewService(b).Put(as("bob"), &pb.PutRequest{Key: []byte("b")})
		if err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestOwnRowsOnly: users and roles are shown to administrators, and to those
// whom they are about.
func TestOwnRowsOnly(t *testing.T) {
	s := newTester(t)
	s.authOn()
	user := func(who, name string) error {
		resp, err := s.svc.UserGet(as(who), &pb.AuthUserGetRequest{Name: name})
		if err != nil && resp != nil {
			t.Error("an error with a reply")
		}
		return err
	}
	role := func(who, name string) error {
		_, err := s.svc.RoleGet(as(who), &pb.AuthRoleGetRequest{Role: name})
		return err
	}
	for _, c := range []struct{ got, want error }{
		{user("bob", "bob"), nil}, {user("bob", "eve"), rpctypes.ErrGRPCPermissionDenied}, {user("bob", "zed"), rpctypes.ErrGRPCPermissionDenied},
		{user("root", "bob"), nil}, {user("root", "zed"), rpctypes.ErrGRPCUserNotFound}, {user("", "bob"), rpctypes.ErrGRPCUserEmpty}, {user("", ""), rpctypes.ErrGRPCUserEmpty},
		{role("bob", "r"), nil}, {role("eve", "r"), rpctypes.ErrGRPCPermissionDenied}, {role("eve", "zed"), rpctypes.ErrGRPCPermissionDenied},
		{role("root", "r"), nil}, {role("root", "zed"), rpctypes.ErrGRPCRoleNotFound}, {role("", "r"), rpctypes.ErrGRPCUserEmpty},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	list, err := s.svc.UserList(as("root"), &pb.AuthUserListRequest{})
	if ok(s, list, err); !slices.Equal(list.Users, []string{"bob", "eve", "root"}) {
		t.Errorf("users %q", list.Users)
	}
}

// TestWatchPermissions: a watch needs READ, and lives as long as that does.
func TestWatchPermissions(t *testing.T) {
	s := newTester(t)
	w := openWatch(t, s.svc)
	w.create(&pb.WatchCreateRequest{Key: []byte("b")})
	w.expect(s, &pb.WatchResponse{Created: true, Header: header(1)})
	s.authOn() // ends the watch of who has no name
	w.expect(s, &pb.WatchResponse{Canceled: true, Header: header(1), CancelReason: rpctypes.ErrGRPCUserEmpty.Error()})
	w.create(&pb.WatchCreateRequest{Key: []byte("b")})
	w.expect(s, &pb.WatchResponse{WatchId: -1, Created: true, Canceled: true, Header: header(1), CancelReason: rpctypes.ErrGRPCUserEmpty.Error()})

	bob := openWatchAs(t, s.svc, "bob")
	bob.create(&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("c")})
	bob.expect(s, &pb.WatchResponse{WatchId: -1, Created: true, Canceled: true, Header: header(1), CancelReason: "rpc error: code = PermissionDenied desc = etcdserver: permission denied"})
	bob.create(&pb.WatchCreateRequest{Key: []byte("b"), StartRevision: -1})
	bob.expect(s, &pb.WatchResponse{WatchId: -1, Created: true, Canceled: true, Header: header(1), CancelReason: rpctypes.ErrCompacted.Error()})
	bob.create(&pb.WatchCreateRequest{Key: []byte("b")})
	bob.expect(s, &pb.WatchResponse{Created: true, Header: header(1)})
	put := func(value string) {
		t.Helper()
		resp, err := s.svc.Put(as("root"), &pb.PutRequest{Key: []byte("b"), Value: []byte(value)})
		ok(s, resp, err)
	}
	put("1")
	if got := bob.next(); len(got.Events) != 1 {
		t.Errorf("got %v", got)
	}
	s.apply(&auth.RoleRevoke{Role: "r", Key: []byte("b")})
	put("2")
	bob.expect(s, &pb.WatchResponse{Canceled: true, Header: header(2), CancelReason: rpctypes.ErrGRPCPermissionDenied.Error()})
	select {
	case got := <-bob.replies:
		t.Errorf("after the end: %v", got)
	case <-time.After(20 * time.Millisecond):
	}
}

func openWatchAs(t *testing.T, svc *Service, user string) *fakeWatch {
	w := newFakeWatch(t)
	w.ctx, w.end = context.WithCancelCause(as(user))
	w.serve(svc)
	return w
}

// TestLeasePermissions: a lease belongs to those who may write all its keys.
func TestLeasePermissions(t *testing.T) {
	s := newTester(t)
	for _, id := range []int64{1, 2} {
		resp, err := s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{ID: id, TTL: 60})
		ok(s, resp, err)
	}
	for key, id := range map[string]int64{"b": 1, "x": 2} {
		resp, err := s.svc.Put(bg, &pb.PutRequest{Key: []byte(key), Lease: id})
		ok(s, resp, err)
	}
	s.authOn()
	keepAlive := func(who string, id int64) error {
		return s.svc.keepAlive(as(who), &fakeKeepAlive{ctx: bg}, &pb.LeaseKeepAliveRequest{ID: id})
	}
	ttl := func(who string, id int64, keys bool) error {
		_, err := s.svc.LeaseTimeToLive(as(who), &pb.LeaseTimeToLiveRequest{ID: id, Keys: keys})
		return err
	}
	leases := func(who string) error {
		_, err := s.svc.LeaseLeases(as(who), &pb.LeaseLeasesRequest{})
		return err
	}
	no, nobody := rpctypes.ErrGRPCPermissionDenied, rpctypes.ErrGRPCUserEmpty
	for i, c := range []struct{ got, want error }{
		{keepAlive("bob", 1), nil}, {keepAlive("bob", 2), no}, {keepAlive("bob", 3), nil}, {keepAlive("root", 2), nil}, {keepAlive("", 1), nobody},
		{ttl("bob", 1, true), nil}, {ttl("bob", 2, true), no}, {ttl("bob", 2, false), nil}, {ttl("", 2, false), nobody}, {ttl("", 2, true), nobody}, {ttl("root", 2, true), nil},
		{leases("bob"), no}, {leases("root"), nil}, {leases(""), nobody},
	} {
		if c.got != c.want {
			t.Errorf("case %d: %v, want %v", i, c.got, c.want)
		}
	}
}

// TestVerifyOnlyMember: with a public key only nobody gets a token here.
func TestVerifyOnlyMember(t *testing.T) {
	s := newTester(t, func(b *fakeBackend) { b.tokens = verifyOnly{} })
	hash, err := bcrypt.GenerateFromPassword([]byte("pw"), 4)
	ok(s, hash, err)
	s.apply(&auth.UserAdd{Name: "root", Hash: hash})
	s.apply(&auth.UserGrant{User: "root", Role: "root"})
	s.apply(&auth.Enable{})
	_, err = s.svc.Authenticate(bg, &pb.AuthenticateRequest{Name: "root", Password: "pw"})
	refused[pb.AuthenticateResponse](s, nil, err, errVerifyOnly)
}

type verifyOnly struct{ token.Keeper }

func (verifyOnly) Sign(string, uint64) (string, error) { return "", token.ErrVerifyOnly }
