package token

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/server/auth"
)

// FuzzSimple: only the text of a token that was assigned is one.
func FuzzSimple(f *testing.F) {
	a := table(f)
	for _, text := range []string{"abc.7", "abc.70", "abc", "", "abc.7 ", "ABC.7", "\x00", "Bearer abc.7", "gone.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &clock{time.Unix(1000, 0)}
		s := simpleAt(c, 10*time.Second)
		s.Assigned(assigned(a.Share(), "bob", "gone.1"))
		c.now = c.now.Add(11 * time.Second)
		s.Assigned(assigned(a.Share(), "bob", "abc.7"))
		s.Assigned(assigned(a.Share(), "root", "abc.70"))
		who, err := s.Who(text, a.Share())
		want := map[string]string{"abc.7": "bob", "abc.70": "root"}[text]
		if who.Name != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, auth.ErrInvalidToken) {
			t.Fatalf("%q is %+v's, %v", text, who, err)
		}
		if s.Assigned(assigned(a.Share(), "bob", text)); text == "abc.7" {
			_, err = s.Who(text, a.Share())
			if err == nil {
				t.Fatal("a token that was assigned twice is somebody's")
			}
		}
	})
}

// FuzzOptions: a specification makes a keeper whose tokens it knows, or is refused
// as one.
func FuzzOptions(f *testing.F) {
	keys, a := makeFiles(f), table(f)
	for _, spec := range []string{"simple", "", "jwt", "jwt,sign-method=HS256,priv-key=@secret.key", "jwt,sign-method=ES256,priv-key=@ec.key,pub-key=@ec.pub,ttl=10s",
		"jwt,sign-method=RS256,pub-key=@rsa.pub", "jwt,sign-method=none", "jwt,,", "jwt,ttl=1ns,sign-method=EdDSA,priv-key=@secret.key", "jwt,sign-method=HS256,priv-key=@secret.key,ttl=9999999h"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.Contains(spec, "/") {
			return // a file of this machine
		}
		k, _, err := New(keys.spec(spec), time.Minute)
		if err != nil {
			if !errors.Is(err, ErrOptions) {
				t.Fatal(err)
			}
			return
		}
		text, err := k.Sign("bob", a.Revision())
		if err != nil || text == "" {
			return // it only verifies, or needs the log
		}
		if who, err := k.Who(text, a.Share()); err == nil && who.Name != "bob" {
			t.Fatalf("%s: %+v", spec, who)
		}
	})
}
