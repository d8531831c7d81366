//go:build !linux

package torture

import "errors"

// namespaces are Linux's.
type namespaces struct{ *proxies }

func newNamespaces(int) (*namespaces, error) {
	return nil, errors.New("network namespaces are Linux's; --network proxy works everywhere")
}

func (*namespaces) reachable() error { return nil }
