package tcp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// inbounds keeps the connections that were accepted: those that still shake
// hands, bounded in number, and at most one link and one snapshot stream a peer.
type inbounds struct {
	handshakesMax int

	mu     sync.Mutex
	closed bool
	// shaking are the connections that still shake hands, the oldest first.
	shaking  []net.Conn
	open     map[net.Conn]bool
	admitted map[inboundKey]inbound
	// receiving holds, by sender, what is closed when its transfer has ended.
	receiving map[raft.NodeID]chan struct{}
}

type inboundKey struct {
	from     raft.NodeID
	snapshot bool
}

type inbound struct {
	conn  net.Conn
	hello transport.Hello
}

func newInbounds(handshakesMax int) *inbounds {
	return &inbounds{
		handshakesMax: handshakesMax,
		open:          map[net.Conn]bool{},
		admitted:      map[inboundKey]inbound{},
		receiving:     map[raft.NodeID]chan struct{}{},
	}
}

// enter registers a connection that will shake hands. If too many do, the oldest
// gives way: a member is done in milliseconds, so what has taken longest is most
// likely a stranger that says nothing, and such must not keep members out.
func (in *inbounds) enter(conn net.Conn) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	if len(in.shaking) >= in.handshakesMax {
		hangUp(in.shaking[0])
		in.shaking = slices.Delete(in.shaking, 0, 1)
	}
	in.shaking = append(in.shaking, conn)
	in.open[conn] = true
	return true
}

// greeted ends the handshake of a connection, however it went.
func (in *inbounds) greeted(conn net.Conn) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if i := slices.Index(in.shaking, conn); i >= 0 {
		in.shaking = slices.Delete(in.shaking, i, i+1)
	}
}

// check refuses a process that is older than the one we are connected with: a
// member was started twice, and its first start still runs somewhere.
func (in *inbounds) check(peer transport.Hello) *transport.Refusal {
	in.mu.Lock()
	defer in.mu.Unlock()
	old, ok := in.admitted[inboundKey{from: peer.From}]
	if !ok || old.hello.Incarnation != peer.Incarnation || old.hello.Boot <= peer.Boot {
		return nil
	}
	return &transport.Refusal{Code: transport.RefusedIncarnation, Reason: fmt.Sprintf(
		"start %d of member %v is connected, this is start %d", old.hello.Boot, peer.From, peer.Boot)}
}

// admit lets a connection in. The one that it replaces is closed: its dialler
// would not dial again if it still used it.
func (in *inbounds) admit(conn net.Conn, peer transport.Hello) {
	key := inboundKey{from: peer.From, snapshot: peer.Snapshot}
	in.mu.Lock()
	defer in.mu.Unlock()
	if old, ok := in.admitted[key]; ok {
		hangUp(old.conn)
	}
	in.admitted[key] = inbound{conn: conn, hello: peer}
}

// leave forgets a connection.
func (in *inbounds) leave(conn net.Conn, key inboundKey) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.open, conn)
	if in.admitted[key].conn == conn {
		delete(in.admitted, key)
	}
}

// has tells whether the member's link to us stands.
func (in *inbounds) has(id raft.NodeID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	_, ok := in.admitted[inboundKey{from: id}]
	return ok
}

func (in *inbounds) closeFrom(id raft.NodeID) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, snapshot := range [...]bool{false, true} {
		if old, ok := in.admitted[inboundKey{from: id, snapshot: snapshot}]; ok {
			hangUp(old.conn)
		}
	}
}

func (in *inbounds) closeAll() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	for conn := range in.open {
		hangUp(conn)
	}
}

// accept takes connections until the listener is closed.
func (t *Transport) accept(listener net.Listener) {
	defer t.work.Done()
	pause := newBackoff(&t.config)
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			pause.reset()
			t.receive(conn)
		case errors.Is(err, net.ErrClosed):
			return
		default: // e.g. no file descriptors left: it may pass
			t.config.Logger.Warn("accepting a peer failed", "error", err.Error())
			if !pause.wait(t.ctx, nil) {
				return
			}
		}
	}
}

func (t *Transport) receive(conn net.Conn) {
	if !t.inbounds.enter(conn) || t.begin() != nil {
		hangUp(conn)
		return
	}
	go func() {
		defer t.work.Done()
		t.serve(conn)
	}()
}

// serve shakes hands and reads until the connection ends.
func (t *Transport) serve(conn net.Conn) {
	var unknown atomic.Uint64
	secured := t.secured(conn)
	first, request := t.first(conn, secured)
	if !secured || request {
		t.inbounds.greeted(conn)
		t.inbounds.leave(conn, inboundKey{})
		if request {
			t.config.HTTP(first)
		} else {
			hangUp(conn)
		}
		return
	}
	defer hangUp(conn)
	s := newStream(first, t.config.ReadTimeout, t.config.WriteTimeout, &unknown, &unknown)
	peer, err := t.welcome(s)
	t.inbounds.greeted(conn)
	key := inboundKey{from: peer.From, snapshot: peer.Snapshot}
	defer t.inbounds.leave(conn, key)
	if err == nil {
		t.inbounds.admit(conn, peer)
		t.met(peer)
		err = t.readPeer(s, peer)
		t.inbounds.leave(conn, key)
		t.left(peer.From)
	}
	if err != nil && t.ctx.Err() == nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		t.config.Logger.Warn("connection from peer ended", "peer", peer.From.String(),
			"remote", conn.RemoteAddr().String(), "error", err.Error())
	}
}

// secured does the TLS handshake, if there is one to do. (Its client may learn
// that it failed only with its first read: in TLS 1.3 it is done before us.)
func (t *Transport) secured(conn net.Conn) bool {
	c, ok := conn.(*tls.Conn)
	if !ok {
		return true
	}
	err := c.SetDeadline(time.Now().Add(t.config.HandshakeTimeout))
	if err == nil {
		err = c.Handshake()
	}
	if err == nil {
		return c.SetDeadline(time.Time{}) == nil
	}
	if t.config.Rejected != nil && t.ctx.Err() == nil {
		t.config.Rejected(c, err)
	}
	return false
}

func (t *Transport) readPeer(s *stream, peer transport.Hello) error {
	counted := t.inboundCounters(peer.From)
	s.patient.sent, s.patient.arrived = &counted.sent, &counted.received
	if peer.Snapshot {
		s.patient.read, s.patient.write = t.config.SnapshotTimeout, t.config.SnapshotTimeout
		return t.receiveSnapshot(s, peer)
	}
	return t.readFrames(s, peer, counted)
}

// inboundCounters are those of the peer's row in Stats, if it has one.
func (t *Transport) inboundCounters(id raft.NodeID) *counters {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if l := t.links[id]; l != nil {
		return &l.stats.inbound
	}
	return &counters{}
}

// readFrames hands frames over and answers pings, until something is wrong.
func (t *Transport) readFrames(s *stream, peer transport.Hello, counted *counters) error {
	for {
		f, err := s.reader.NextOf(transport.KindRaft, transport.KindForward, transport.KindForwardReply, transport.KindPing)
		if err != nil {
			return err
		}
		if f.Kind == transport.KindPing {
			err = s.send(pingFrame)
		} else {
			counted.frames.Add(1)
			err = t.config.Handler.OnFrame(peer.From, peer.Incarnation, f)
		}
		if err != nil {
			return err
		}
	}
}

// keepAlive sends pings until the returned function is called, which waits for
// the last one: afterwards the caller may write.
func keepAlive(s *stream, interval time.Duration) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if s.send(pingFrame) != nil {
					return // the reader will notice
				}
			}
		}
	}()
	return func() { close(done); <-stopped }
}
