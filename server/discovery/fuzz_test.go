package discovery

import (
	"errors"
	"strings"
	"testing"
)

// FuzzRegistry: whatever others have put under a token, a list of members comes out
// of it that is one, each of them once, or none.
func FuzzRegistry(f *testing.F) {
	f.Add("3", "1 n1=http://a:1\n2 n2=http://b:1,n2=http://b:2\n3 n3=http://c:1")
	f.Add("1", "1 rubbish\n2 =http://a:1\n3 a=http://a:1,b=http://b:1\n4/5 x=http://a:1\n6 x=")
	f.Add("2", "1 n1=http://a:1\n2 n1=http://b:1")
	f.Add("-1", "")
	f.Add("99999999999999999999", "1 a=b")
	f.Add("", "1 a==\n2 a=b,\n a=b\n")
	f.Fuzz(func(t *testing.T, size, members string) {
		var kvs []string
		for line := range strings.SplitSeq(members, "\n") {
			id, info, _ := strings.Cut(line, " ")
			kvs = append(kvs, memberKey("tok", id), info)
		}
		r, err := read("tok", answer(sizeKey("tok"), size), answer(kvs...))
		if err != nil {
			if !errors.Is(err, ErrBadSize) {
				t.Fatal(err)
			}
			return
		}
		if len(r.members()) > r.size || len(r.entries)+len(r.useless) != len(kvs)/2 || r.complete() != (len(r.members()) == r.size) {
			t.Fatalf("%d members, %d of use, %d not, of %d", r.size, len(r.entries), len(r.useless), len(kvs)/2)
		}
		checkCluster(t, r)
	})
}

func checkCluster(t *testing.T, r *registry) {
	list, err := r.cluster()
	if err != nil {
		if !errors.Is(err, ErrSameName) {
			t.Fatal(err)
		}
		return
	}
	names := map[string]bool{}
	for part := range strings.SplitSeq(list, ",") {
		name, url, ok := strings.Cut(part, "=")
		if len(r.entries) > 0 && (!ok || name == "" || url == "") {
			t.Fatalf("%q in %q", part, list)
		}
		names[name] = true
	}
	if len(r.entries) > 0 && len(names) != len(r.members()) {
		t.Fatalf("%d names of %d members: %q", len(names), len(r.members()), list)
	}
	for _, e := range r.members() {
		if place := r.place(e.id); place == nil || place.id != e.id {
			t.Fatalf("%q has no place", e.id)
		}
	}
}

// FuzzConfig: what Check takes can be used.
func FuzzConfig(f *testing.F) {
	f.Add("t", "a:1,http://b:1", "u:p", "")
	f.Add("t/u", "a:1,", "u", "p")
	f.Add("", "", ":", ":")
	f.Fuzz(func(t *testing.T, token, endpoints, user, password string) {
		c := DefaultConfig()
		c.Token, c.Endpoints, c.User, c.Password = token, endpoints, user, password
		if c.Check() != nil || !c.Wanted() {
			return
		}
		if name, secret := c.login(); token == "" || strings.Contains(token, "/") || (name == "") != (secret == "") {
			t.Fatalf("%q %q %q", token, name, secret)
		}
		for _, e := range c.endpoints() {
			if e == "" {
				t.Fatalf("an empty endpoint in %q", endpoints)
			}
		}
	})
}
