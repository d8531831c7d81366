package tcp

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("tcp: transport is closed")

// guestsMax bounds the links to members that are not in the address book.
const guestsMax = 16

// Transport is a member's network. All methods may be called from any
// goroutine.
type Transport struct {
	config   Config
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	inbounds *inbounds

	// mu is held shortly, and by Send for reading only.
	mu        sync.RWMutex
	closed    bool
	links     map[raft.NodeID]*link
	listeners []net.Listener
}

var _ transport.Network = (*Transport)(nil)

// New returns a Transport that neither listens nor dials yet.
func New(config Config) (*Transport, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Transport{config: config, ctx: ctx, cancel: cancel, links: map[raft.NodeID]*link{}}
	t.inbounds = newInbounds(config.HandshakesMax)
	return t, nil
}

// Send implements transport.Network: it queues the frame for the link that we
// dial to the member. Without a link, or with a full queue, the frame is lost
// and counted.
func (t *Transport) Send(to raft.NodeID, frame []byte) {
	t.mu.RLock()
	l := t.links[to]
	t.mu.RUnlock()
	if l != nil {
		l.put(frame)
	}
}

// SetPeers replaces the address book. A link to a new member is dialled at
// once; one whose URL is gone from its row is dialled anew; connections to and
// from members that are no longer listed end. This member's own row is ignored.
// A URL that can't be parsed is an error, and then nothing has changed.
func (t *Transport) SetPeers(peers []Peer) error {
	for _, p := range peers {
		for _, u := range p.URLs {
			if _, err := parseURL(u); err != nil {
				return err
			}
		}
	}
	self := t.config.Self().From
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	listed := map[raft.NodeID]bool{}
	for _, p := range peers {
		if p.ID != self {
			listed[p.ID] = true
			t.setPeer(p)
		}
	}
	for id, l := range t.links {
		if !listed[id] && !l.guest {
			l.cancel()
			delete(t.links, id)
			t.inbounds.closeFrom(id)
		}
	}
	return nil
}

func (t *Transport) setPeer(p Peer) {
	if l := t.links[p.ID]; l != nil {
		l.guest = false
		l.setURLs(p.URLs)
		return
	}
	t.startLink(p, false)
}

// startLink needs mu.
func (t *Transport) startLink(p Peer, guest bool) *link {
	l := newLink(t, p)
	l.guest = guest
	t.links[p.ID] = l
	t.work.Add(1)
	go l.run()
	return l
}

// met is told of each Hello that was accepted on a listener. The member lives:
// if we wait to redial it, we need not. If it is not in the address book, it is
// a guest: we dial what it says are its URLs, as long as its connection stands,
// so that a member which slept through configuration changes can answer the
// leader that tells it of them.
func (t *Transport) met(peer transport.Hello) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.links[peer.From]; l != nil {
		l.wakeUp()
		return
	}
	guests := 0
	for _, l := range t.links {
		if l.guest {
			guests++
		}
	}
	urls := strings.Split(peer.URLs, ",")
	badURL := func(u string) bool { _, err := parseURL(u); return err != nil }
	if t.closed || guests >= guestsMax || slices.ContainsFunc(urls, badURL) {
		return
	}
	t.config.Logger.Info("peer is not in the address book, dialling what it advertises", "peer", peer.From.String(), "urls", peer.URLs)
	t.startLink(Peer{ID: peer.From, URLs: urls}, true)
}

// left ends a guest's link when its last connection to us ended.
func (t *Transport) left(id raft.NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.links[id]; l != nil && l.guest && !t.inbounds.has(id) {
		l.cancel()
		delete(t.links, id)
	}
}

// Serve accepts peers on the listener until Close, which closes it too.
func (t *Transport) Serve(listener net.Listener) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		listener.Close()
		return ErrClosed
	}
	t.listeners = append(t.listeners, listener)
	t.work.Add(1)
	go t.accept(listener)
	return nil
}

// Close ends all connections and waits until no goroutine and no callback of
// this Transport runs any more. Frames still queued are lost.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	t.cancel()
	for _, listener := range t.listeners {
		listener.Close()
	}
	t.listeners = nil
	clear(t.links)
	t.mu.Unlock()
	t.inbounds.closeAll()
	t.work.Wait()
}

// begin counts one more piece of work that Close must wait for.
func (t *Transport) begin() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return ErrClosed
	}
	t.work.Add(1)
	return nil
}
