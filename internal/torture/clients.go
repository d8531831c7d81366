package torture

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// clientsPerMember: writers share connections as the goroutines of a program do.
const clientsPerMember = 8

// dialTimeout bounds a connection's making, and the login with it.
const dialTimeout = 10 * time.Second

// clients are connections to each member alone: who asks, and whom, is part of the history.
type clients struct {
	members []*proc.Member
	lines   *lines
	of      [][]*clientv3.Client // member → those of writers and watchers
	admins  []*clientv3.Client   // member → who may do all
}

// connect dials all members; with an office with certificates, half of the users with a password besides.
func connect(members []*proc.Member, o *office) (*clients, error) {
	c := &clients{members: members, lines: newLines()}
	for _, m := range members {
		var own []*clientv3.Client
		for i := range clientsPerMember {
			client, err := c.dial(m.ClientURL, identities(o, []string{byPassword, byCertificate}[i%2]))
			if err != nil {
				return nil, errors.Join(err, c.close())
			}
			own = append(own, client)
		}
		c.of = append(c.of, own)
		admin, err := c.dial(m.ClientURL, identities(o, administrator))
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.admins = append(c.admins, admin)
	}
	return c, nil
}

// identities is what a user of a secure cluster shows; nothing, without an office.
func identities(o *office, user string) clientv3.Config {
	switch {
	case o == nil:
		return clientv3.Config{}
	case user == byCertificate:
		return clientv3.Config{TLS: o.config(user)}
	}
	return clientv3.Config{TLS: o.config(outsider), Username: user, Password: password}
}

// dial returns a client of one member that dials again soon: with gRPC's defaults a client waits a second and more
// after a member was down, and would miss most of what happens right after a restart. Requests to a member that is
// down fail at once, where the client library would have them wait: a writer goes elsewhere, and knows that this one
// never left.
func (c *clients) dial(url string, config clientv3.Config) (*clientv3.Client, error) {
	config.Endpoints, config.DialTimeout = []string{url}, dialTimeout
	config.DialOptions = []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 200 * time.Millisecond},
		MinConnectTimeout: time.Second,
	}), grpc.WithChainUnaryInterceptor(failFast), grpc.WithContextDialer(c.lines.dial)}
	return clientv3.New(config)
}

// get returns the client that a user with this number has for a member.
func (c *clients) get(member, user int) *clientv3.Client {
	return c.of[member][user%clientsPerMember]
}

// admin returns the client for what not everybody may do in a secure cluster.
func (c *clients) admin(member int) *clientv3.Client { return c.admins[member] }

func (c *clients) close() error {
	var errs []error
	for _, own := range append(c.of, c.admins) {
		for _, client := range own {
			errs = append(errs, client.Close())
		}
	}
	return errors.Join(errs...)
}

// failFast overrides what the client library asks for.
func failFast(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}

// lines are the connections of all clients, so that they can be broken: a connection shows its certificates once.
type lines struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

func newLines() *lines { return &lines{open: map[net.Conn]bool{}} }

// line is a connection that tells when it is closed.
type line struct {
	net.Conn
	lines *lines
}

func (l *lines) dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = true
	return &line{c, l}, nil
}

// Close closes the connection.
func (l *line) Close() error {
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	delete(l.lines.open, l.Conn)
	return l.Conn.Close()
}

// hangUp breaks all connections to an address; clients dial again.
func (l *lines) hangUp(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if c.RemoteAddr().String() == address {
			c.Close()
		}
	}
}

// shown is how a handshake at an address went.
func shown(ctx context.Context, address string, config *tls.Config) (*tls.ConnectionState, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config.ServerName = host
	d := tls.Dialer{Config: config}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	state := c.(*tls.Conn).ConnectionState()
	return &state, nil
}
