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
	// only is "grpc" or "http" where the other is not served; "": both are.
	only string
}

// traffic names what is served.
func (e *endpoint) traffic() string {
	if e.only == "" {
		return "grpc+http"
	}
	return e.only
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

// listenClients binds what is said for clients. URLs for HTTP only take HTTP away
// from the others.
func (s *settings) listenClients() (out []*endpoint, err error) {
	if out, err = s.listenEndpoints(s.listenClient); err != nil {
		return nil, err
	}
	only, err := s.listenEndpoints(s.listenHTTP)
	if err != nil {
		closeEndpoints(out)
		return nil, err
	}
	for _, e := range only {
		e.only = "http"
	}
	for _, e := range out {
		if len(only) > 0 {
			e.only = "grpc"
		}
	}
	return append(out, only...), nil
}

// listenEndpoints binds each address once, whatever schemes it was given with.
func (s *settings) listenEndpoints(urls []*url.URL) (out []*endpoint, err error) {
	var bound []string
	for _, u := range urls {
		address := u.Host + u.Path
		if slices.Contains(bound, address) {
			continue
		}
		bound = append(bound, address)
		listeners, err := s.listen(u)
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
