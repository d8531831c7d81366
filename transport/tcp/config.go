package tcp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// Config is fixed for the life of a Transport. Only Self and Handler are
// needed; a zero value elsewhere means the default that stands beside it.
type Config struct {
	// Self returns what this member says of itself now: Cluster, From,
	// Incarnation, Boot, Term, Durable. It is asked at every handshake and must
	// not block. The rest of the Hello is filled in here.
	Self func() transport.Hello
	// Advertise lists the URLs where others can dial this member.
	Advertise []string
	// Handler gets what happens.
	Handler Handler
	// Vet, if set, has the last word on a peer's Hello, dialled or accepted:
	// removed members, incarnations that are not the bound one. nil lets it in.
	Vet func(peer transport.Hello) *transport.Refusal

	// DialTLS and ListenTLS are asked at every https connection, so that
	// certificates can change while the process runs. nil: no https.
	DialTLS   func(host string) (*tls.Config, error)
	ListenTLS func() (*tls.Config, error)
	// Rejected, if set, hears of accepted connections whose TLS handshake failed.
	Rejected func(conn *tls.Conn, err error)

	// HTTP, if set, takes over accepted connections, past TLS, that begin with an
	// HTTP/1.1 request instead of a Hello: a member that wants to join can't greet
	// a cluster whose id it has yet to ask for.
	HTTP func(net.Conn)

	// LocalAddress, if set, is the IP address that links are dialled from.
	LocalAddress net.IP

	// Jitter draws from [0, 1); it spreads redials. Default math/rand/v2.
	Jitter func() float64
	// Logger gets connections, losses and refusals. Default: none.
	Logger *slog.Logger

	DialTimeout      time.Duration // one address; 3 s
	HandshakeTimeout time.Duration // TLS and both Hellos; 5 s
	// PingInterval is the time between pings on a link. 500 ms.
	PingInterval time.Duration
	// ReadTimeout ends a connection on which nothing at all has arrived for so
	// long. It must be well above PingInterval. 5 s.
	ReadTimeout time.Duration
	// WriteTimeout ends a link on which not a single piece of 256 KiB could be
	// written in so long. 5 s.
	WriteTimeout time.Duration
	// BackoffMin doubles with each failed dial up to BackoffMax; a wait is
	// between half of it and all of it. 10 ms, 1 s.
	BackoffMin, BackoffMax time.Duration

	// QueueFramesMax and QueueBytesMax bound what waits for one peer's link.
	// One frame always fits into an empty queue. 4096, 64 MiB.
	QueueFramesMax, QueueBytesMax int
	// HandshakesMax bounds the accepted connections that have not been let in
	// yet; beyond it the oldest is closed. 64.
	HandshakesMax int

	// SnapshotTimeout is ReadTimeout and WriteTimeout on snapshot streams,
	// where a receiver may be busy with its disk. 30 s.
	SnapshotTimeout time.Duration
	// SnapshotTriesMax bounds the connections in a row that got a snapshot no
	// further. 5.
	SnapshotTriesMax int
}

func (c *Config) setDefaults() error {
	if c.Self == nil || c.Handler == nil {
		return errors.New("tcp: Config.Self and Config.Handler are needed")
	}
	if len(strings.Join(c.Advertise, ",")) > transport.HelloURLsBytesMax {
		return fmt.Errorf("tcp: advertised peer URLs are longer than %d bytes together", transport.HelloURLsBytesMax)
	}
	for _, u := range c.Advertise {
		if _, err := parseURL(u); err != nil {
			return err
		}
	}
	c.setTimes()
	c.setLimits()
	if c.ReadTimeout <= c.PingInterval {
		return fmt.Errorf("tcp: read timeout %v must be above the ping interval %v", c.ReadTimeout, c.PingInterval)
	}
	return nil
}

func (c *Config) setTimes() {
	defaultTo(&c.DialTimeout, 3*time.Second)
	defaultTo(&c.HandshakeTimeout, 5*time.Second)
	defaultTo(&c.PingInterval, 500*time.Millisecond)
	defaultTo(&c.ReadTimeout, 5*time.Second)
	defaultTo(&c.WriteTimeout, 5*time.Second)
	defaultTo(&c.BackoffMin, 10*time.Millisecond)
	defaultTo(&c.BackoffMax, time.Second)
	defaultTo(&c.SnapshotTimeout, 30*time.Second)
}

func (c *Config) setLimits() {
	defaultTo(&c.QueueFramesMax, 4096)
	defaultTo(&c.QueueBytesMax, 64<<20)
	defaultTo(&c.HandshakesMax, 64)
	defaultTo(&c.SnapshotTriesMax, 5)
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func defaultTo[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Peer is a row of the address book.
type Peer struct {
	ID raft.NodeID
	// URLs are dialled in turn, the one that answered last first.
	URLs []string
}

// parseURL accepts what etcd accepts as a peer URL: http, https, unix, unixs,
// with a host and port (for sockets: any name) and no path.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("tcp: peer URL: %w", err)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" && u.Port() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" {
			return nil, fmt.Errorf("tcp: peer URL %q: scheme://host:port is needed", raw)
		}
	case "unix", "unixs":
		if socketPath(u) == "" {
			return nil, fmt.Errorf("tcp: peer URL %q: the socket has no name", raw)
		}
	default:
		return nil, fmt.Errorf("tcp: peer URL %q: scheme must be http, https, unix or unixs", raw)
	}
	return u, nil
}

// CheckURL tells what is wrong with a peer URL.
func CheckURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

// Address is where a peer URL is dialled.
func Address(u *url.URL) (network, address string) { return networkOf(u) }

// socketPath is the file of a unix URL: unix://name:1 is a file of that name in
// the working directory, unix:///run/x.sock an absolute one (as etcd has it).
func socketPath(u *url.URL) string { return u.Host + u.Path }
