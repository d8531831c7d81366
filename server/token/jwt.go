package token

import (
	"crypto"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// DefaultJWTTTL is how long a JWT is good for if the options don't say.
const DefaultJWTTTL = 5 * time.Minute

// JWT signs and verifies JSON web tokens. It is safe for all goroutines.
type JWT struct {
	method  jwt.SigningMethod
	sign    any // nil: verifies only
	verify  any
	ttl     time.Duration
	parser  *jwt.Parser
	signNow func() time.Time
}

// claims are etcd's. Pointers tell what is missing.
type claims struct {
	Username *string  `json:"username"`
	Revision *float64 `json:"revision"`
	jwt.RegisteredClaims
}

// ErrVerifyOnly: this member can't sign; etcd's words.
var ErrVerifyOnly = errors.New("auth: token signing attempted with verify-only key")

// newJWT reads the keys that options name.
func newJWT(options map[string]string) (*JWT, error) {
	t := &JWT{ttl: DefaultJWTTTL, signNow: time.Now}
	if v := options["ttl"]; v != "" {
		var err error
		if t.ttl, err = time.ParseDuration(v); err != nil || t.ttl <= 0 {
			return nil, fmt.Errorf("%w: ttl=%s is no duration like 5m", ErrOptions, v)
		}
	}
	t.method = jwt.GetSigningMethod(options["sign-method"])
	if t.method == nil {
		return nil, fmt.Errorf("%w: sign-method=%s is none of RS, PS, ES, HS with 256, 384 or 512, or EdDSA", ErrOptions, options["sign-method"])
	}
	public, err := keyFile(options, "pub-key")
	if err != nil {
		return nil, err
	}
	private, err := keyFile(options, "priv-key")
	if err != nil {
		return nil, err
	}
	if err := t.keys(private, public); err != nil {
		return nil, err
	}
	t.parser = jwt.NewParser(jwt.WithValidMethods([]string{t.method.Alg()}))
	return t, nil
}

func keyFile(options map[string]string, name string) ([]byte, error) {
	file := options[name]
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrOptions, name, err)
	}
	return b, nil
}

// keys chooses what to sign and verify with.
func (t *JWT) keys(private, public []byte) error {
	if len(private) == 0 && (len(public) == 0 || isHMAC(t.method)) {
		return fmt.Errorf("%w: missing key data", ErrOptions)
	}
	if isHMAC(t.method) {
		t.sign, t.verify = private, private
		return nil
	}
	if len(public) > 0 {
		key, err := parsePublic(t.method, public)
		if err != nil {
			return fmt.Errorf("%w: pub-key: %w", ErrOptions, err)
		}
		t.verify = key
	}
	if len(private) == 0 {
		return nil
	}
	key, err := parsePrivate(t.method, private)
	if err != nil {
		return fmt.Errorf("%w: priv-key: %w", ErrOptions, err)
	}
	own := key.Public()
	if t.verify != nil && !own.(interface{ Equal(crypto.PublicKey) bool }).Equal(t.verify) {
		return fmt.Errorf("%w: public and private keys don't match", ErrOptions)
	}
	t.sign, t.verify = key, own
	return nil
}

func isHMAC(m jwt.SigningMethod) bool {
	_, is := m.(*jwt.SigningMethodHMAC)
	return is
}

var errMethod = errors.New("sign-method has no keys")

func parsePublic(m jwt.SigningMethod, pem []byte) (any, error) {
	switch m.(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		return jwt.ParseRSAPublicKeyFromPEM(pem)
	case *jwt.SigningMethodECDSA:
		return jwt.ParseECPublicKeyFromPEM(pem)
	case *jwt.SigningMethodEd25519:
		return jwt.ParseEdPublicKeyFromPEM(pem)
	}
	return nil, errMethod
}

func parsePrivate(m jwt.SigningMethod, pem []byte) (crypto.Signer, error) {
	switch m.(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		return jwt.ParseRSAPrivateKeyFromPEM(pem)
	case *jwt.SigningMethodECDSA:
		return jwt.ParseECPrivateKeyFromPEM(pem)
	case *jwt.SigningMethodEd25519:
		key, err := jwt.ParseEdPrivateKeyFromPEM(pem)
		if err != nil {
			return nil, err
		}
		return key.(crypto.Signer), nil
	}
	return nil, errMethod
}

// Sign implements Keeper.
func (t *JWT) Sign(user string, revision uint64) (string, error) {
	if t.sign == nil {
		return "", ErrVerifyOnly
	}
	r := float64(revision)
	return jwt.NewWithClaims(t.method, claims{Username: &user, Revision: &r,
		RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(t.signNow().Add(t.ttl))},
	}).SignedString(t.sign)
}

// Prefix implements Keeper.
func (*JWT) Prefix() string { return "" }

// Assigned implements Keeper: nobody keeps a JWT.
func (*JWT) Assigned(state.Token) {}

// textMax bounds what is parsed at all; ours have some hundred bytes.
const textMax = 8 << 10

// Who implements Keeper. A token from before the user's password is void, whatever
// is asked for.
func (t *JWT) Who(text string, v *auth.View) (auth.Caller, error) {
	if len(text) > textMax || strings.Count(text, ".") != 2 {
		return auth.Caller{}, auth.ErrInvalidToken
	}
	var c claims
	parsed, err := t.parser.ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return t.verify, nil })
	if err != nil || !parsed.Valid || c.Username == nil || c.Revision == nil {
		return auth.Caller{}, auth.ErrInvalidToken
	}
	r := *c.Revision
	if r < 0 || r != math.Trunc(r) || r >= 1<<63 || len(*c.Username) > auth.NameBytesMax {
		return auth.Caller{}, auth.ErrInvalidToken
	}
	caller := auth.Caller{Name: *c.Username, Revision: uint64(r)}
	if u := v.User(caller.Name); u != nil && caller.Revision < u.Since {
		return auth.Caller{}, auth.ErrInvalidToken
	}
	return caller, nil
}
