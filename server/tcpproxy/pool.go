package tcpproxy

import "sync"

// Endpoint is where a member listens.
type Endpoint struct {
	Address string // host:port
	// Priority and Weight are those of its SRV record; 0 without one.
	Priority, Weight uint16
}

// member is an endpoint and how it stands with it.
type member struct {
	Endpoint
	aside bool // it didn't answer
	// credit is what it has saved towards its next turn. The credits of all that
	// take turns together add up to 0 between turns.
	credit int
}

// pool decides whose turn it is.
type pool struct {
	mu      sync.Mutex
	members []*member
}

func newPool(endpoints []Endpoint) *pool {
	p := &pool{}
	for _, e := range endpoints {
		p.members = append(p.members, &member{Endpoint: e})
	}
	return p
}

// pick chooses an endpoint that isn't set aside; nil: there is none.
func (p *pool) pick() *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best []*member
	for _, m := range p.members {
		switch {
		case m.aside:
		case len(best) == 0 || m.Priority < best[0].Priority:
			best = []*member{m}
		case m.Priority == best[0].Priority:
			best = append(best, m)
		}
	}
	return turn(best)
}

// turn is the next by weight. Everybody earns what he weighs, the richest has his
// turn and pays for all: so turns are spread out and nobody is forgotten. Where
// others have a weight, one without gets the very small share that RFC 2782 wants
// him to have.
func turn(members []*member) (next *member) {
	weighted := false
	for _, m := range members {
		weighted = weighted || m.Weight > 0
	}
	total := 0
	for _, m := range members {
		earns := 1
		if weighted {
			earns = max(1, 100*int(m.Weight))
		}
		total += earns
		m.credit += earns
		if next == nil || m.credit > next.credit {
			next = m
		}
	}
	if next != nil {
		next.credit -= total
	}
	return next
}

// setAside tells whether the endpoint was in use until now.
func (p *pool) setAside(m *member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := m.aside
	m.aside = true
	return !was
}

func (p *pool) isAside(m *member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return m.aside
}

// restore tells whether the endpoint was set aside until now.
func (p *pool) restore(m *member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !m.aside {
		return false
	}
	m.aside = false
	for _, other := range p.members { // nobody pays for the time before
		other.credit = 0
	}
	return true
}
