package token

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// Keeper makes tokens and says whose they are.
type Keeper interface {
	// Sign makes a token for a user whose password was compared at revision. ""
	// without an error: it takes a login in the log, under a Prefix.
	Sign(user string, revision uint64) (string, error)
	// Prefix is the random part of a token that the log completes.
	Prefix() string
	// Assigned hears of each login that this member applies.
	Assigned(state.Token)
	// Who returns whose token it is, judged by a view of the users:
	// auth.ErrInvalidToken if it proves nothing, or nothing any more.
	Who(text string, v *auth.View) (auth.Caller, error)
}

// ErrOptions: --auth-token can't be understood, or its files can't be used.
var ErrOptions = errors.New("auth: invalid auth options")

// New makes the keeper that --auth-token describes: "simple", or "jwt" with
// options NAME=VALUE behind commas. ttl is that of simple tokens. Warnings tell
// of options that have no effect.
func New(spec string, ttl time.Duration) (k Keeper, warnings []string, err error) {
	kind, rest, _ := strings.Cut(spec, ",")
	options, unknown, err := parseOptions(rest)
	if err != nil {
		return nil, nil, fmt.Errorf("--auth-token=%s: %w", kind, err)
	}
	switch kind {
	case "simple":
		return NewSimple(ttl), nil, nil
	case "jwt":
		if k, err = newJWT(options); err != nil {
			return nil, nil, fmt.Errorf("--auth-token=jwt: %w", err)
		}
		return k, unknown, nil
	}
	return nil, nil, fmt.Errorf("--auth-token=%s: %w: the kinds are simple and jwt", kind, ErrOptions)
}

var known = map[string]bool{"sign-method": true, "pub-key": true, "priv-key": true, "ttl": true}

func parseOptions(list string) (options map[string]string, unknown []string, err error) {
	options = map[string]string{}
	if list == "" {
		return options, nil, nil
	}
	for _, o := range strings.Split(list, ",") {
		name, value, ok := strings.Cut(o, "=")
		if !ok || strings.Contains(value, "=") {
			return nil, nil, fmt.Errorf("%w: %q is not NAME=VALUE", ErrOptions, o)
		}
		if _, twice := options[name]; twice {
			return nil, nil, fmt.Errorf("%w: %s is given twice", ErrOptions, name)
		}
		options[name] = value
		if !known[name] {
			unknown = append(unknown, "--auth-token: unknown JWT option "+name)
		}
	}
	return options, unknown, nil
}
