package tcpproxy

import (
	"strings"
	"testing"
)

// TestTurns: who gets which connection, by weight and priority.
func TestTurns(t *testing.T) {
	for name, c := range map[string]struct {
		endpoints []Endpoint
		aside     string // addresses that don't answer
		want      string
	}{
		"without weights: round robin":       {[]Endpoint{{Address: "a"}, {Address: "b"}, {Address: "c"}}, "", "abcabcabc"},
		"one is set aside":                   {[]Endpoint{{Address: "a"}, {Address: "b"}, {Address: "c"}}, "b", "acacacaca"},
		"weights are shares, spread out":     {[]Endpoint{{"a", 0, 2}, {"b", 0, 1}}, "", "abaabaaba"},
		"the better priority gets all":       {[]Endpoint{{"a", 2, 0}, {"b", 1, 0}, {"c", 1, 0}}, "", "bcbcbcbcb"},
		"until nobody of it answers":         {[]Endpoint{{"a", 2, 0}, {"b", 1, 0}, {"c", 1, 0}}, "bc", "aaaaaaaaa"},
		"nobody answers":                     {[]Endpoint{{Address: "a"}}, "a", "---------"},
		"no weight among weights: hardly":    {[]Endpoint{{"a", 0, 0}, {"b", 0, 1}}, "", "bbbbbbbbb"},
		"no weight, and the others are gone": {[]Endpoint{{"a", 0, 0}, {"b", 0, 1}}, "b", "aaaaaaaaa"},
	} {
		p := newPool(c.endpoints)
		for _, m := range p.members {
			m.aside = strings.Contains(c.aside, m.Address)
		}
		got := ""
		for range 9 {
			if m := p.pick(); m != nil {
				got += m.Address
			} else {
				got += "-"
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestNoWeightIsNotNever: an endpoint without a weight gets a connection now and then (RFC 2782).
func TestNoWeightIsNotNever(t *testing.T) {
	p := newPool([]Endpoint{{"a", 0, 0}, {"b", 0, 1}})
	count := map[string]int{}
	for range 1010 {
		count[p.pick().Address]++
	}
	if count["a"] != 10 || count["b"] != 1000 {
		t.Errorf("%v", count)
	}
}
