package torture

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// NetworkKind says what lies between members.
type NetworkKind string

// The kinds.
const (
	Proxies    NetworkKind = "proxy"      // in-process TCP proxies on loopback
	Namespaces NetworkKind = "namespaces" // a network namespace for each member: Linux, with the rights of root
	AnyNetwork NetworkKind = "auto"       // namespaces where they are possible, proxies elsewhere; see Resolve
)

// ParseNetwork reads a kind.
func ParseNetwork(text string) (NetworkKind, error) {
	kinds := []NetworkKind{AnyNetwork, Proxies, Namespaces}
	if k := NetworkKind(text); slices.Contains(kinds, k) {
		return k, nil
	}
	return "", fmt.Errorf("there is no network %q; there are %v", text, kinds)
}

// Resolve decides, by trying, what auto is on this machine; why says why it isn't namespaces.
func (k NetworkKind) Resolve() (is NetworkKind, why error) {
	if k != AnyNetwork {
		return k, nil
	}
	n, err := newNamespaces(1)
	if err != nil {
		return Proxies, err
	}
	defer n.close()
	if err := n.reachable(); err != nil {
		return Proxies, err
	}
	return Namespaces, nil
}

// direction is what one member sends to another.
type direction struct{ from, to int }

// Who isn't one of the members.
const (
	untold = -1 // a member, but it could not be told which
	client = -2 // this process, to which nothing is ever cut
)

func (d direction) back() direction { return direction{d.to, d.from} }

// network is what lies between members: proxies or namespaces. Each direction between two members has a condition of
// its own.
type network interface {
	// lay tells a cluster that is about to be started where its members live.
	lay(*proc.Options)
	// setCut cuts directions, or mends them. What a cut direction is sent doesn't arrive while it is cut, and nobody is
	// told. sever breaks connections as well, and refuses new ones.
	setCut(cut, sever bool, ds ...direction)
	// setDelay makes what is sent in these directions arrive so much later.
	setDelay(d time.Duration, ds ...direction)
	// heal mends everything.
	heal()
	// hangUp breaks all connections of a member with others; they dial again.
	hangUp(member int)
	// down is called as a member's process ends, up before it starts.
	down(member int)
	up(member int) error
	// close removes all that was made.
	close()
}

func newNetwork(c Config) (network, error) {
	if c.Network != Namespaces {
		return newProxies(), nil
	}
	n, err := newNamespaces(c.Members)
	if err != nil {
		return nil, err
	}
	if err := n.reachable(); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}
