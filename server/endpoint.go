package server

import (
	"fmt"
	"net"
	"net/url"
	"slices"
)

// endpoint is a listener for clients. One that was asked for as http and as https
// serves both: the first byte of a connection tells.
type endpoint struct {
	net.Listener
	plain, secure bool
}

// messages say in etcd's words how clients are served.
func (e *endpoint) messages() (out []string) {
	if e.plain {
		out = append(out, "serving client traffic insecurely; this is strongly discouraged!")
	}
	if e.secure {
		out = append(out, "serving client traffic securely")
	}
	return out
}

// listenClients binds each address once, whatever schemes it was given with.
func listenClients(urls []*url.URL) (out []*endpoint, err error) {
	var bound []string
	for _, u := range urls {
		address := u.Host + u.Path
		if slices.Contains(bound, address) {
			continue
		}
		bound = append(bound, address)
		listeners, err := listen(u)
		if err != nil {
			closeEndpoints(out)
			return nil, fmt.Errorf("listen on %s: %w", u, err)
		}
		for _, l := range listeners {
			e := &endpoint{Listener: l}
			for _, other := range urls {
				if other.Host+other.Path == address {
					e.secure = e.secure || isTLS(other)
					e.plain = e.plain || !isTLS(other)
				}
			}
			out = append(out, e)
		}
	}
	return out, nil
}

func closeEndpoints(endpoints []*endpoint) {
	for _, e := range endpoints {
		e.Close() // best effort: nothing was accepted yet
	}
}
