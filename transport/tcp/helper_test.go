package tcp

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for machines that are busy with other tests.
const patience = 10 * time.Second

// member is a Transport and all that its handler was told.
type member struct {
	*Transport
	t   *testing.T
	id  raft.NodeID
	url string

	mu      sync.Mutex
	changed chan struct{} // closed at each event
	events  []string
	frames  map[raft.NodeID][]string
	last    error // of OnUnreachable

	onFrame    func(from raft.NodeID, f transport.Frame) error
	onSnapshot func(from raft.NodeID, offer SnapshotOffer) (SnapshotSink, error)
}

func (m *member) note(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *member) OnFrame(from raft.NodeID, _ raft.Incarnation, f transport.Frame) error {
	if m.onFrame != nil {
		if err := m.onFrame(from, f); err != nil {
			return err
		}
	}
	m.note(func() { m.frames[from] = append(m.frames[from], string(f.Payload)) })
	return nil
}

func (m *member) event(format string, args ...any) {
	m.note(func() { m.events = append(m.events, fmt.Sprintf(format, args...)) })
}

func (m *member) OnConnected(id raft.NodeID, peer transport.Hello) {
	m.event("connected %v boot %d", id, peer.Boot)
}

func (m *member) OnUnreachable(id raft.NodeID, err error) {
	m.note(func() { m.last = err })
	m.event("unreachable %v", id)
}

func (m *member) OnPeerClosed(id raft.NodeID) { m.event("closed %v", id) }

func (m *member) OnSnapshot(from raft.NodeID, _ raft.Incarnation, offer SnapshotOffer) (SnapshotSink, error) {
	if m.onSnapshot == nil {
		return nil, errors.New("no snapshots here")
	}
	return m.onSnapshot(from, offer)
}

// await waits until the condition holds; it is asked after each event.
func (m *member) await(what string, holds func() bool) {
	m.t.Helper()
	deadline := time.After(patience)
	for {
		m.mu.Lock()
		ok, changed := holds(), m.changed
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-time.After(5 * time.Millisecond): // for conditions on Stats
		case <-deadline:
			m.mu.Lock()
			defer m.mu.Unlock()
			m.t.Fatalf("member %v: %s does not come; events %q, last error %v", m.id, what, m.events, m.last)
		}
	}
}

func (m *member) awaitEvent(event string) {
	m.t.Helper()
	m.await(event, func() bool { return m.count(event) > 0 })
}

// count needs mu.
func (m *member) count(event string) int {
	n := 0
	for _, e := range m.events {
		if e == event {
			n++
		}
	}
	return n
}

func (m *member) counted(event string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count(event)
}

// say sends a forward frame, whose payload is opaque, until it has arrived:
// frames may be lost while links come up.
func (m *member) say(to *member, payload string) {
	m.t.Helper()
	to.await("frame "+payload, func() bool {
		for _, p := range to.frames[m.id] {
			if p == payload {
				return true
			}
		}
		m.Send(to.id, transport.AppendFrame(nil, transport.KindForward, []byte(payload)))
		return false
	})
}

func (m *member) stats(id raft.NodeID) PeerStats {
	for _, row := range m.Stats() {
		if row.ID == id {
			return row
		}
	}
	return PeerStats{}
}

type option func(*Config, *transport.Hello)

// start makes a member that listens on an URL of its own.
func start(t *testing.T, id raft.NodeID, listen string, options ...option) *member {
	t.Helper()
	m := &member{t: t, id: id, changed: make(chan struct{}), frames: map[raft.NodeID][]string{}}
	hello := transport.Hello{Cluster: 0xc, From: id, Incarnation: raft.Incarnation(id) * 100, Boot: 1}
	config := Config{
		Handler:      m,
		PingInterval: 20 * time.Millisecond, ReadTimeout: time.Second,
		WriteTimeout: time.Second, HandshakeTimeout: patience,
		BackoffMin: 5 * time.Millisecond, BackoffMax: 50 * time.Millisecond,
	}
	for _, o := range options {
		o(&config, &hello)
	}
	config.Self = func() transport.Hello { return hello }
	var err error
	if m.Transport, err = New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.url = m.listen(listen)
	return m
}

func (m *member) listen(raw string) string {
	m.t.Helper()
	address, err := m.Listen(raw)
	if err != nil {
		m.t.Fatal(err)
	}
	if address.Network() == "unix" {
		return raw
	}
	u, _ := parseURL(raw)
	return u.Scheme + "://" + address.String()
}

func (m *member) peers(peers ...*member) {
	m.t.Helper()
	var rows []Peer
	for _, p := range peers {
		rows = append(rows, Peer{ID: p.id, URLs: []string{p.url}})
	}
	if err := m.SetPeers(rows); err != nil {
		m.t.Fatal(err)
	}
}

const loopback = "http://127.0.0.1:0"

func boot(n uint64) option        { return func(_ *Config, h *transport.Hello) { h.Boot = n } }
func cluster(id uint64) option    { return func(_ *Config, h *transport.Hello) { h.Cluster = id } }
func with(f func(*Config)) option { return func(c *Config, _ *transport.Hello) { f(c) } }

// stranger is a bare connection to a member, for bytes that no Transport sends.
func stranger(t *testing.T, to *member) net.Conn {
	t.Helper()
	u, _ := parseURL(to.url)
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// greetAs shakes hands on a bare connection.
func greetAs(t *testing.T, conn net.Conn, h transport.Hello) {
	t.Helper()
	if _, err := conn.Write(transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil, h))); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(patience))
	if f, err := transport.NewReader(conn).Next(); err != nil || f.Kind != transport.KindHello {
		t.Fatalf("answer to hello: %v, %v", f.Kind, err)
	}
}

// hungUp waits until the other end closes the connection.
func hungUp(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	buffer := make([]byte, 4096)
	for {
		if _, err := conn.Read(buffer); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("the connection still stands")
			}
			return
		}
	}
}
