package disk

import (
	"maps"
	"slices"
)

// Volatile lists the files that a power loss at this moment could take away or
// change: something that was written to them is not synced, or their name isn't,
// or their sync has failed.
func (m *Mem) Volatile() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.names)) {
		n := m.names[name]
		if m.durable[name] != n || len(n.pending) > 0 || len(n.stale) > 0 || m.renamed(name) {
			names = append(names, name)
		}
	}
	return names
}

// renamed tells whether a change of this name waits for its directory's sync.
func (m *Mem) renamed(name string) bool {
	return slices.ContainsFunc(m.changes, func(c nameChange) bool { return c.new == name || c.old == name })
}
