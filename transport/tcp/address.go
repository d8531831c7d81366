package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"syscall"
)

// dialURL opens a connection; for https and unixs the TLS handshake runs with
// the first bytes, under the handshake's deadline.
func (t *Transport) dialURL(ctx context.Context, raw string) (net.Conn, error) {
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.DialTimeout)
	defer cancel()
	network, address := networkOf(u)
	conn, err := t.dialer(network).DialContext(ctx, network, address)
	if err != nil || u.Scheme == "http" || u.Scheme == "unix" {
		return conn, err
	}
	secured, err := t.dialTLS(conn, u)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

func (t *Transport) dialer(network string) *net.Dialer {
	if t.config.LocalAddress == nil || network != "tcp" {
		return &net.Dialer{}
	}
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: t.config.LocalAddress}}
}

func (t *Transport) dialTLS(conn net.Conn, u *url.URL) (net.Conn, error) {
	if t.config.DialTLS == nil {
		return nil, fmt.Errorf("tcp: %s: no TLS configuration for peers", u)
	}
	config, err := t.config.DialTLS(u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("tcp: %s: %w", u, err)
	}
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName = u.Hostname()
	}
	return tls.Client(conn, config), nil
}

func networkOf(u *url.URL) (network, address string) {
	if u.Scheme == "unix" || u.Scheme == "unixs" {
		return "unix", socketPath(u)
	}
	return "tcp", u.Host
}

// Listen opens a listener at a peer URL and serves it. It returns the address
// that it got, which tells the port if the URL asked for port 0.
func (t *Transport) Listen(raw string) (net.Addr, error) {
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	secure := u.Scheme == "https" || u.Scheme == "unixs"
	if secure && t.config.ListenTLS == nil {
		return nil, fmt.Errorf("tcp: %s: no TLS configuration for peers", raw)
	}
	network, address := networkOf(u)
	if network == "unix" {
		removeStaleSocket(address)
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("tcp: listen on %s: %w", raw, err)
	}
	if secure {
		listener = tls.NewListener(listener, &tls.Config{
			MinVersion:         tls.VersionTLS12,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.config.ListenTLS() },
		})
	}
	if err := t.Serve(listener); err != nil {
		return nil, err
	}
	return listener.Addr(), nil
}

// removeStaleSocket removes the socket file of a process that was killed. One
// that still answers is left alone: Listen then says that it is in use.
func removeStaleSocket(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return
	}
	if refused(err) {
		os.Remove(path)
	}
}

// refused tells that nobody listens at an address: the machine answers, the
// process is not there.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
