package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
)

// listen binds a URL. A socket file that a killed process left is replaced.
// "localhost" is bound for both IPv4 and IPv6, as far as the machine has them:
// clients resolve it to either. Several listeners may thus come of one URL.
func (s *settings) listen(u *url.URL) ([]net.Listener, error) {
	if isSocket(u) {
		return listenSocket(u.Host + u.Path)
	}
	if u.Hostname() != "localhost" {
		l, err := s.bind("tcp", u.Host)
		if err != nil {
			return nil, err
		}
		return []net.Listener{l}, nil
	}
	return s.listenLocalhost(u.Port())
}

// bind listens with the options that --socket-reuse-port sets.
func (s *settings) bind(network, address string) (net.Listener, error) {
	var config net.ListenConfig
	if s.SocketReusePort {
		config.Control = reusePort
	}
	return config.Listen(context.Background(), network, address)
}

func listenSocket(path string) ([]net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("listen unix %s: another process serves it", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

// listenLocalhost needs one of the two families; that the other is missing is
// normal, that its port is taken isn't.
func (s *settings) listenLocalhost(port string) ([]net.Listener, error) {
	four, err4 := s.bind("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err4 == nil && port == "0" {
		_, port, _ = net.SplitHostPort(four.Addr().String())
	}
	six, err6 := s.bind("tcp6", net.JoinHostPort("::1", port))
	var out []net.Listener
	for _, l := range []net.Listener{four, six} {
		if l != nil {
			out = append(out, l)
		}
	}
	if len(out) == 0 || err4 != nil && !unavailable(err4) || err6 != nil && !unavailable(err6) {
		closeAll(out)
		return nil, errors.Join(err4, err6)
	}
	return out, nil
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close() // best effort: nothing was accepted yet
	}
}
