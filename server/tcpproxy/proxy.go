package tcpproxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/internal/oneport"
)

const (
	// dialTimeout is how long an endpoint may take to accept.
	dialTimeout = 5 * time.Second
	// grace is what requests on their way get when the gateway stops. Connections
	// of gRPC never end by themselves.
	grace = 500 * time.Millisecond
)

// Proxy passes the connections of a listener on. Its fields don't change once it
// runs.
type Proxy struct {
	Listener   net.Listener
	Endpoints  []Endpoint
	RetryDelay time.Duration // how long an endpoint stays set aside until it is probed
	Log        *slog.Logger

	pool *pool
	dial func(ctx context.Context, address string) (net.Conn, error) // nil: TCP; for tests

	work sync.WaitGroup
	open oneport.Conns
}

// Run serves until ctx ends, and returns when the last connection is closed. An
// error is the listener's.
func (p *Proxy) Run(ctx context.Context) error {
	p.pool = newPool(p.Endpoints)
	if p.dial == nil {
		dialer := &net.Dialer{Timeout: dialTimeout}
		p.dial = func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}
	}
	var addresses []string
	for _, e := range p.Endpoints {
		addresses = append(addresses, e.Address)
	}
	p.Log.Info("ready to proxy client requests", "address", p.Listener.Addr().String(), "endpoints", addresses)
	ctx, cancel := context.WithCancel(ctx)
	closed := context.AfterFunc(ctx, func() { p.Listener.Close() })
	defer closed()
	err := p.accept(ctx)
	stopped := ctx.Err() != nil
	cancel()
	p.end()
	if stopped {
		return nil
	}
	return err
}

func (p *Proxy) accept(ctx context.Context) error {
	for {
		conn, err := p.Listener.Accept()
		switch {
		case err == nil:
			p.work.Go(func() { p.serve(ctx, conn) })
		case ctx.Err() != nil, errors.Is(err, net.ErrClosed):
			return err
		default:
			p.Log.Warn("cannot accept a connection", "error", err.Error())
			pause(ctx, 10*time.Millisecond) // out of descriptors: others must close first
		}
	}
}

// end gives what is open its grace, then closes it.
func (p *Proxy) end() {
	done := make(chan struct{})
	go func() { p.work.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-time.After(grace):
	}
	p.open.End()
	<-done
}

// close ends a connection.
func (p *Proxy) close(conn net.Conn) {
	conn.Close()
	p.open.Remove(conn)
}

// serve is one client's connection.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer p.close(client)
	if !p.open.Add(client) {
		return
	}
	server := p.connect(ctx)
	if server == nil {
		return
	}
	defer p.close(server)
	if p.open.Add(server) {
		join(client, server)
	}
}

// connect finds an endpoint that answers; nil: none does.
func (p *Proxy) connect(ctx context.Context) net.Conn {
	for ctx.Err() == nil {
		m := p.pool.pick()
		if m == nil {
			return p.lastResort(ctx)
		}
		conn, err := p.dial(ctx, m.Address)
		if err == nil {
			return conn
		}
		if ctx.Err() == nil {
			p.setAside(ctx, m, err)
		}
	}
	return nil
}

func (p *Proxy) setAside(ctx context.Context, m *member, err error) {
	if !p.pool.setAside(m) {
		return // another connection was first
	}
	p.Log.Warn("deactivated endpoint", "address", m.Address, "interval", p.RetryDelay, "error", err.Error())
	p.work.Go(func() { p.probe(ctx, m) })
}

// lastResort asks those that are set aside, in their order.
func (p *Proxy) lastResort(ctx context.Context) net.Conn {
	for _, m := range p.pool.members {
		if conn, err := p.dial(ctx, m.Address); err == nil {
			p.restore(m)
			return conn
		}
	}
	return nil
}

// probe asks an endpoint that was set aside until it answers.
func (p *Proxy) probe(ctx context.Context, m *member) {
	for pause(ctx, p.RetryDelay) {
		if !p.pool.isAside(m) {
			return
		}
		conn, err := p.dial(ctx, m.Address)
		if err == nil {
			conn.Close()
			p.restore(m)
			return
		}
		if ctx.Err() == nil {
			p.Log.Warn("failed to activate endpoint (stay inactive for another interval)", "address", m.Address, "interval", p.RetryDelay, "error", err.Error())
		}
	}
}

func (p *Proxy) restore(m *member) {
	if p.pool.restore(m) {
		p.Log.Info("activated", "address", m.Address)
	}
}

// pause is false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
