package torture

import (
	"slices"
	"strings"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// mirror is the state that a log of changes leads to: the newest version of each key.
type mirror map[string]lin.KeyValue

func newMirror(base []lin.KeyValue) mirror {
	m := mirror{}
	for _, kv := range base {
		m[kv.Key] = kv
	}
	return m
}

// apply makes a change and returns the version before it, nil if there was none.
func (m mirror) apply(c lin.Change) (previous *lin.KeyValue) {
	if kv, ok := m[c.KV.Key]; ok {
		previous = &kv
	}
	if c.Deleted {
		delete(m, c.KV.Key)
	} else {
		m[c.KV.Key] = c.KV
	}
	return previous
}

func (m mirror) sorted() []lin.KeyValue {
	var out []lin.KeyValue
	for _, kv := range m {
		out = append(out, kv)
	}
	slices.SortFunc(out, func(a, b lin.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	return out
}
