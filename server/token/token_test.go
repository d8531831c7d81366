package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// table is one with root, bob and auth on.
func table(t testing.TB) *auth.Table {
	t.Helper()
	a := auth.NewTable()
	for _, c := range []auth.Change{&auth.UserAdd{Name: "root"}, &auth.UserGrant{User: "root", Role: "root"},
		&auth.UserAdd{Name: "bob", Hash: []byte("1")}, &auth.Enable{}} {
		if err := a.Apply(c); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func assigned(v *auth.View, user, text string) state.Token {
	return state.Token{Text: text, User: user, Since: v.User(user).Since, EnabledAt: v.EnabledAt()}
}

// clock is a time that a test sets.
type clock struct{ now time.Time }

func simpleAt(c *clock, ttl time.Duration) *Simple {
	s := NewSimple(ttl)
	s.now = func() time.Time { return c.now }
	return s
}

// A token lives ttl from its last use, not from its first.
func TestSimpleExpires(t *testing.T) {
	a, c := table(t), &clock{time.Unix(1000, 0)}
	s := simpleAt(c, 10*time.Second)
	s.Assigned(assigned(a.Share(), "bob", "used.1"))
	s.Assigned(assigned(a.Share(), "bob", "left.2"))
	who := func(text string, want error) {
		t.Helper()
		got, err := s.Who(text, a.Share())
		if err != want || err == nil && got != (auth.Caller{Name: "bob", Revision: a.Revision()}) {
			t.Errorf("%s: %+v, %v; want %v", text, got, err, want)
		}
	}
	for range 4 {
		who("used.1", nil)
		c.now = c.now.Add(6 * time.Second)
	}
	who("left.2", auth.ErrInvalidToken)
	who("none.3", auth.ErrInvalidToken)
	who("", auth.ErrInvalidToken)
	who("used.1", nil)
	c.now = c.now.Add(11 * time.Second)
	who("used.1", auth.ErrInvalidToken)
	if s.Len() != 0 {
		t.Errorf("%d tokens kept", s.Len())
	}
}

func TestSimpleIsBounded(t *testing.T) {
	a, c := table(t), &clock{time.Unix(1000, 0)}
	s := simpleAt(c, time.Hour)
	for i := range SimpleMax + 3 {
		s.Assigned(assigned(a.Share(), "bob", fmt.Sprint("t.", i)))
		if i == 2 {
			if _, err := s.Who("t.0", a.Share()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.Len() != SimpleMax {
		t.Errorf("%d tokens", s.Len())
	}
	for text, want := range map[string]error{"t.1": auth.ErrInvalidToken, "t.2": auth.ErrInvalidToken, "t.0": auth.ErrInvalidToken, "t.4": nil} {
		if _, err := s.Who(text, a.Share()); (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

// What voids a token, and what doesn't.
func TestSimpleIsVoid(t *testing.T) {
	for name, c := range map[string]struct {
		changes []auth.Change
		want    error
	}{
		"other user's password": {[]auth.Change{&auth.UserPassword{Name: "root"}}, nil},
		"role":                  {[]auth.Change{&auth.RoleAdd{Name: "r"}, &auth.UserGrant{User: "bob", Role: "r"}}, nil},
		"password":              {[]auth.Change{&auth.UserPassword{Name: "bob", Hash: []byte("1")}}, auth.ErrInvalidToken},
		"deleted":               {[]auth.Change{&auth.UserDelete{Name: "bob"}}, auth.ErrInvalidToken},
		"made again":            {[]auth.Change{&auth.UserDelete{Name: "bob"}, &auth.UserAdd{Name: "bob"}}, auth.ErrInvalidToken},
		"auth off and on":       {[]auth.Change{&auth.Disable{}, &auth.Enable{}}, auth.ErrInvalidToken},
	} {
		a, s := table(t), NewSimple(time.Hour)
		s.Assigned(assigned(a.Share(), "bob", "x.1"))
		for _, change := range c.changes {
			if err := a.Apply(change); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Who("x.1", a.Share()); err != c.want || err == nil && got.Revision != a.Revision() {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, c.want)
		}
	}
}

func TestPrefix(t *testing.T) {
	seen, s := map[string]bool{}, NewSimple(time.Hour)
	for range 1000 {
		p := s.Prefix()
		if len(p) != prefixLen || seen[p] || strings.Trim(p, letters) != "" {
			t.Fatalf("prefix %q", p)
		}
		seen[p] = true
	}
}

// files holds one key pair of each kind.
type files struct {
	dir  string
	keys map[string]any
}

func makeFiles(t testing.TB) *files {
	f := &files{dir: t.TempDir(), keys: map[string]any{}}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.pair(t, "rsa", r, &r.PublicKey)
	f.pair(t, "ec", e, &e.PublicKey)
	f.pair(t, "other", other, &other.PublicKey)
	f.pair(t, "ed", d, d.Public())
	f.write(t, "secret.key", []byte("0123456789abcdef0123456789abcdef"))
	return f
}

func (f *files) write(t testing.TB, name string, b []byte) {
	if err := os.WriteFile(filepath.Join(f.dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *files) pair(t testing.TB, name string, private, public any) {
	f.keys[name] = private
	a, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: a}))
	f.write(t, name+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b}))
}

// spec replaces @name by the path of a file.
func (f *files) spec(s string) string { return strings.ReplaceAll(s, "@", f.dir+"/") }

func (f *files) jwt(t testing.TB, spec string) *JWT {
	t.Helper()
	k, warnings, err := New(f.spec(spec), 0)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%s: %v, %q", spec, err, warnings)
	}
	return k.(*JWT)
}

func TestJWT(t *testing.T) {
	f, a := makeFiles(t), table(t)
	for _, spec := range []string{
		"jwt,sign-method=RS256,priv-key=@rsa.key,pub-key=@rsa.pub", "jwt,sign-method=PS512,priv-key=@rsa.key",
		"jwt,sign-method=ES256,priv-key=@ec.key,pub-key=@ec.pub", "jwt,sign-method=EdDSA,priv-key=@ed.key,ttl=1m",
		"jwt,sign-method=HS384,priv-key=@secret.key",
	} {
		k := f.jwt(t, spec)
		text, err := k.Sign("bob", a.Revision())
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		if c, err := k.Who(text, a.Share()); err != nil || c != (auth.Caller{Name: "bob", Revision: a.Revision()}) {
			t.Errorf("%s: %+v, %v", spec, c, err)
		}
		for i := 0; i < len(text); i += 7 {
			b := []byte(text)
			b[i] ^= 4
			if c, err := k.Who(string(b), a.Share()); err == nil && string(b) != text && !sameBytes(text, string(b)) {
				t.Errorf("%s with byte %d changed is %+v's", spec, i, c)
			}
		}
		k.signNow = func() time.Time { return time.Now().Add(-time.Hour) }
		text, err = k.Sign("bob", a.Revision())
		if _, bad := k.Who(text, a.Share()); err != nil || bad != auth.ErrInvalidToken {
			t.Errorf("%s: an expired one: %v, %v", spec, err, bad)
		}
	}
}

// sameBytes: the last letter of base64 has bits that mean nothing.
func sameBytes(a, b string) bool {
	last := func(s string) []byte {
		d, _ := base64.RawURLEncoding.DecodeString(s[strings.LastIndex(s, ".")+1:])
		return d
	}
	cut := func(s string) string { return s[:strings.LastIndex(s, ".")] }
	return cut(a) == cut(b) && len(last(b)) > 0 && string(last(a)) == string(last(b))
}

// No algorithm but the configured one, whatever the token says of itself.
func TestJWTAlgorithmIsPinned(t *testing.T) {
	f, a := makeFiles(t), table(t)
	k := f.jwt(t, "jwt,sign-method=RS256,priv-key=@rsa.key,pub-key=@rsa.pub")
	pub, err := os.ReadFile(filepath.Join(f.dir, "rsa.pub"))
	if err != nil {
		t.Fatal(err)
	}
	good := jwt.MapClaims{"username": "root", "revision": a.Revision()}
	for name, c := range map[string]struct {
		method jwt.SigningMethod
		key    any
	}{
		"none":                  {jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType},
		"public key as secret":  {jwt.SigningMethodHS256, pub},
		"longer hash":           {jwt.SigningMethodRS512, f.keys["rsa"]},
		"other padding":         {jwt.SigningMethodPS256, f.keys["rsa"]},
		"other key's algorithm": {jwt.SigningMethodES256, f.keys["ec"]},
	} {
		text, err := jwt.NewWithClaims(c.method, good).SignedString(c.key)
		if err != nil {
			t.Fatal(err)
		}
		if who, err := k.Who(text, a.Share()); err != auth.ErrInvalidToken {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

func TestJWTClaims(t *testing.T) {
	f, a := makeFiles(t), table(t)
	k := f.jwt(t, "jwt,sign-method=ES256,priv-key=@ec.key")
	since := a.User("bob").Since
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		want   error
	}{
		"etcd's":                      {jwt.MapClaims{"username": "bob", "revision": since}, nil},
		"more than needed":            {jwt.MapClaims{"username": "bob", "revision": since, "x": []int{1}}, nil},
		"no user":                     {jwt.MapClaims{"revision": since}, auth.ErrInvalidToken},
		"user is a number":            {jwt.MapClaims{"username": 1, "revision": since}, auth.ErrInvalidToken},
		"user is null":                {jwt.MapClaims{"username": nil, "revision": since}, auth.ErrInvalidToken},
		"no revision":                 {jwt.MapClaims{"username": "bob"}, auth.ErrInvalidToken},
		"revision is a string":        {jwt.MapClaims{"username": "bob", "revision": "4"}, auth.ErrInvalidToken},
		"revision is negative":        {jwt.MapClaims{"username": "bob", "revision": -1}, auth.ErrInvalidToken},
		"revision is no whole number": {jwt.MapClaims{"username": "bob", "revision": 5.5}, auth.ErrInvalidToken},
		"revision too large":          {jwt.MapClaims{"username": "bob", "revision": 1e30}, auth.ErrInvalidToken},
		"older than the password":     {jwt.MapClaims{"username": "bob", "revision": since - 1}, auth.ErrInvalidToken},
		"expired":                     {jwt.MapClaims{"username": "bob", "revision": since, "exp": 1}, auth.ErrInvalidToken},
		"not valid yet":               {jwt.MapClaims{"username": "bob", "revision": since, "nbf": time.Now().Add(time.Hour).Unix()}, auth.ErrInvalidToken},
		"name too long":               {jwt.MapClaims{"username": strings.Repeat("b", auth.NameBytesMax+1), "revision": since}, auth.ErrInvalidToken},
	} {
		text, err := jwt.NewWithClaims(k.method, c.claims).SignedString(k.sign)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Who(text, a.Share()); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, text := range []string{"", "a.b", "a.b.c", "...", strings.Repeat("a", textMax+1)} {
		if _, err := k.Who(text, a.Share()); err != auth.ErrInvalidToken {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestVerifyOnly(t *testing.T) {
	f, a := makeFiles(t), table(t)
	for spec, signer := range map[string]string{
		"jwt,sign-method=RS256,pub-key=@rsa.pub": "jwt,sign-method=RS256,priv-key=@rsa.key",
		"jwt,sign-method=ES256,pub-key=@ec.pub":  "jwt,sign-method=ES256,priv-key=@ec.key",
		"jwt,sign-method=EdDSA,pub-key=@ed.pub":  "jwt,sign-method=EdDSA,priv-key=@ed.key",
	} {
		k := f.jwt(t, spec)
		if _, err := k.Sign("bob", 1); !errors.Is(err, ErrVerifyOnly) {
			t.Errorf("%s signs: %v", spec, err)
		}
		text, err := f.jwt(t, signer).Sign("bob", a.Revision())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Who(text, a.Share()); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestNew(t *testing.T) {
	f := makeFiles(t)
	for spec, want := range map[string]string{
		"simple":                                 "",
		"":                                       "--auth-token=: auth: invalid auth options: the kinds are simple and jwt",
		"basic":                                  "--auth-token=basic: auth: invalid auth options: the kinds are simple and jwt",
		"jwt":                                    "sign-method= is none of",
		"jwt,sign-method=RS256":                  "missing key data",
		"jwt,sign-method=none,priv-key=@rsa.key": "sign-method has no keys",
		"jwt,sign-method=RS999,priv-key=@rsa.key":                        "sign-method=RS999 is none of",
		"jwt,sign-method=RS256,priv-key=@missing":                        "no such file",
		"jwt,sign-method=RS256,priv-key=@ec.key":                         "priv-key: ",
		"jwt,sign-method=RS256,pub-key=@ec.pub":                          "pub-key: ",
		"jwt,sign-method=ES256,priv-key=@ec.key,pub-key=@other.pub":      "don't match",
		"jwt,sign-method=HS256,pub-key=@rsa.pub":                         "missing key data",
		"jwt,sign-method=ES256,priv-key=@ec.key,ttl=soon":                "ttl=soon",
		"jwt,sign-method=ES256,priv-key=@ec.key,ttl=-1s":                 "ttl=-1s",
		"jwt,sign-method=ES256,priv-key=@ec.key,ttl":                     `"ttl" is not NAME=VALUE`,
		"jwt,sign-method=ES256,sign-method=ES256,priv-key=@ec.key":       "sign-method is given twice",
		"jwt,sign-method=ES256,priv-key=@ec.key,pub-key=@ec.pub,ttl=10s": "",
	} {
		_, warnings, err := New(f.spec(spec), time.Minute)
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), want)) || len(warnings) > 0 {
			t.Errorf("%q: %v, %q; want %q", spec, err, warnings, want)
		}
	}
	if _, warnings, err := New(f.spec("jwt,sign-method=ES256,priv-key=@ec.key,colour=red"), 0); err != nil || len(warnings) != 1 {
		t.Errorf("unknown option: %v, %q", err, warnings)
	}
}

func FuzzJWT(f *testing.F) {
	k, a := makeFiles(f).jwt(f, "jwt,sign-method=HS256,priv-key=@secret.key"), table(f)
	good, err := k.Sign("bob", a.Revision())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := k.Who(text, a.Share()); err == nil && text != good && !sameBytes(good, text) {
			t.Fatalf("%q is %+v's", text, c)
		}
	})
}
