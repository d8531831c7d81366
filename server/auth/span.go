package auth

import (
	"cmp"
	"slices"
	"strings"
)

// span is the keys in [lo, hi), or from lo on if it is open.
type span struct {
	lo, hi string
	open   bool
}

// spanOf reads key and end as etcd does: no end means the one key, "\x00" means
// all keys from key on.
func spanOf(key, end []byte) span {
	switch {
	case len(end) == 0:
		return span{lo: string(key), hi: string(key) + "\x00"}
	case len(end) == 1 && end[0] == 0:
		return span{lo: string(key), open: true}
	}
	return span{lo: string(key), hi: string(end)}
}

func (s span) empty() bool { return !s.open && s.hi <= s.lo }

// spans are sorted and disjoint, and don't touch.
type spans []span

// merge makes spans of any list, which it sorts.
func merge(list []span) spans {
	slices.SortFunc(list, func(a, b span) int { return strings.Compare(a.lo, b.lo) })
	var out spans
	for _, s := range list {
		if s.empty() {
			continue
		}
		if n := len(out); n > 0 && (out[n-1].open || s.lo <= out[n-1].hi) {
			out[n-1].open = out[n-1].open || s.open
			out[n-1].hi = max(out[n-1].hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	return out
}

// at returns the span that holds key.
func (l spans) at(key string) (span, bool) {
	i, exact := slices.BinarySearchFunc(l, key, func(s span, key string) int { return cmp.Compare(s.lo, key) })
	if !exact {
		i--
	}
	if i < 0 || !l[i].open && l[i].hi <= key {
		return span{}, false
	}
	return l[i], true
}

// cover tells whether the lists together hold all of q. An empty range shows no
// key; who asks for one needs what he would need for its first key.
func cover(lists []spans, q span) bool {
	if q.empty() {
		q = span{lo: q.lo, hi: q.lo + "\x00"}
	}
	for key := q.lo; ; {
		far, ok := furthest(lists, key)
		if !ok || far.open || !q.open && far.hi >= q.hi {
			return ok
		}
		key = far.hi
	}
}

// furthest is, of the spans that hold key, one that reaches furthest.
func furthest(lists []spans, key string) (far span, ok bool) {
	for _, l := range lists {
		s, holds := l.at(key)
		if holds && (!ok || s.open || !far.open && s.hi > far.hi) {
			far, ok = s, true
		}
	}
	return far, ok
}
