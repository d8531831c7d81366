package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

const (
	// redialsMax and redialPause are for the moment in which a killed process
	// is taken apart: its listener may outlive its connections a little, and
	// then accepts a redial only to reset it.
	redialsMax  = 4
	redialPause = 2 * time.Millisecond
)

// errFull is what OnUnreachable says when a queue overflows.
var errFull = errors.New("tcp: the queue is full, frames are dropped")

// link carries frames to one member over a connection that we dial. run owns
// the connection; put only touches the queue.
type link struct {
	t      *Transport
	id     raft.NodeID
	ctx    context.Context
	cancel context.CancelFunc
	queue  *queue
	wake   chan struct{} // a sign of life: dial now
	// overflow tells run that the queue was full: the handler must hear of it,
	// but not on the goroutine of whoever called Send.
	overflow chan struct{}
	guest    bool // under t.mu
	stats    linkStats

	mu   sync.Mutex
	urls []string
	conn *connected // nil without a connection
}

// connected is an open connection and who stands at its other end.
type connected struct {
	stream *stream
	peer   transport.Hello
	url    string
}

func newLink(t *Transport, p Peer) *link {
	ctx, cancel := context.WithCancel(t.ctx)
	return &link{
		t: t, id: p.ID, ctx: ctx, cancel: cancel, urls: slices.Clone(p.URLs),
		queue: newQueue(t.config.QueueFramesMax, t.config.QueueBytesMax),
		wake:  make(chan struct{}, 1), overflow: make(chan struct{}, 1),
	}
}

func (l *link) put(frame []byte) {
	dropped, overflow := l.queue.put(frame)
	if dropped {
		l.stats.dropped.Add(1)
	}
	if overflow {
		signal(l.overflow)
	}
}

// wakeUp ends a wait before the next dial.
func (l *link) wakeUp() { signal(l.wake) }

// signal sets a flag that is a channel of one element.
func signal(flag chan<- struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}

// setURLs ends the connection if its URL is gone.
func (l *link) setURLs(urls []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Equal(l.urls, urls) {
		return
	}
	l.urls = slices.Clone(urls)
	if l.conn != nil && !slices.Contains(urls, l.conn.url) {
		l.conn.stream.hangUp()
	}
	l.wakeUp()
}

// run dials, carries, and dials again until the link is cancelled.
func (l *link) run() {
	defer l.t.work.Done()
	pause := newBackoff(&l.t.config)
	for l.ctx.Err() == nil {
		c, err := l.connect()
		for err == nil {
			pause.reset()
			err = l.carry(c)
			if l.ctx.Err() != nil {
				return
			}
			l.lost(err)
			c, err = l.redial(c)
		}
		if l.ctx.Err() != nil {
			return
		}
		l.lost(err)
		if !pause.wait(l.ctx, l.wake) {
			return
		}
	}
}

// connect tries each URL once. The error of the last one is returned, but any
// that is not "refused" first: only if nobody listens anywhere is it refused.
func (l *link) connect() (*connected, error) {
	l.mu.Lock()
	urls := slices.Clone(l.urls)
	l.mu.Unlock()
	failure := fmt.Errorf("tcp: member %v has no address", l.id)
	for i, u := range urls {
		c, err := l.t.open(l.ctx, l.id, u, false, &l.stats.counters)
		if err == nil {
			l.prefer(u)
			return c, nil
		}
		if i == 0 || refused(failure) {
			failure = err
		}
	}
	return nil, failure
}

// prefer puts the URL that answered first.
func (l *link) prefer(u string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.urls, u); i > 0 {
		l.urls[0], l.urls[i] = l.urls[i], l.urls[0]
	}
}

// open dials one URL and shakes hands.
func (t *Transport) open(ctx context.Context, id raft.NodeID, u string, snapshot bool, n *counters) (*connected, error) {
	conn, err := t.dialURL(ctx, u)
	if err != nil {
		return nil, err
	}
	read, write := t.config.ReadTimeout, t.config.WriteTimeout
	if snapshot {
		read, write = t.config.SnapshotTimeout, t.config.SnapshotTimeout
	}
	s := newStream(conn, read, write, &n.sent, &n.received)
	peer, err := t.greet(ctx, s, id, snapshot)
	if err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("tcp: %s: %w", u, err)
	}
	return &connected{stream: s, peer: peer, url: u}, nil
}

// redial follows at once on a connection that ended, and tells whether the
// process at its other end is gone: nobody listens there, or somebody else does.
func (l *link) redial(last *connected) (*connected, error) {
	for try := 1; ; try++ {
		c, err := l.connect()
		if l.ctx.Err() != nil {
			if c != nil {
				c.stream.hangUp()
			}
			return nil, l.ctx.Err()
		}
		gone := err == nil && (c.peer.Incarnation != last.peer.Incarnation || c.peer.Boot != last.peer.Boot)
		if gone || refused(err) && l.lists(last.url) {
			l.t.config.Handler.OnPeerClosed(l.id)
		}
		if err == nil || !torn(err) || try == redialsMax {
			return c, err
		}
		time.Sleep(redialPause)
	}
}

// lists tells whether the URL is still one of the member's: that nobody listens
// at a new one yet says nothing about the process.
func (l *link) lists(u string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.urls, u)
}

// torn tells a connection that was accepted and dropped before the handshake.
func torn(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, transport.ErrTruncated) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (l *link) lost(err error) {
	if l.stats.failed(err) {
		l.t.config.Logger.Warn("peer is unreachable", "peer", l.id.String(), "error", err.Error())
	}
	l.t.config.Handler.OnUnreachable(l.id, err)
}

// carry moves frames until the connection ends, and says why it did.
func (l *link) carry(c *connected) error {
	stop := context.AfterFunc(l.ctx, func() { c.stream.hangUp() })
	defer stop()
	defer c.stream.hangUp()
	l.mu.Lock()
	l.conn = c
	l.mu.Unlock()
	l.queue.setOpen(true)
	l.stats.connected(c)
	l.t.config.Logger.Info("connected to peer", "peer", l.id.String(), "url", c.url, "boot", c.peer.Boot)
	l.t.config.Handler.OnConnected(l.id, c.peer)

	answers := make(chan error, 1)
	go func() {
		err := l.readPings(c)
		c.stream.hangUp() // wakes a writer that is stuck
		answers <- err
	}()
	err := l.write(c, answers)

	l.mu.Lock()
	l.conn = nil
	l.mu.Unlock()
	l.queue.setOpen(false)
	l.stats.disconnected()
	return err
}

// write is the link's writer: all that waits goes out together.
func (l *link) write(c *connected, answers <-chan error) error {
	ping := time.NewTicker(l.t.config.PingInterval)
	defer ping.Stop()
	var batch [][]byte
	for {
		var err error
		select {
		case readErr := <-answers:
			return readErr
		case <-l.queue.ready:
			batch = l.queue.take(batch)
			err = c.stream.send(batch...)
			l.stats.frames.Add(uint64(len(batch)))
			l.queue.release(batch)
			clear(batch) // the array is used again, the frames are not
		case <-l.overflow:
			l.t.config.Handler.OnUnreachable(l.id, errFull)
		case <-ping.C:
			l.stats.pinged()
			err = c.stream.send(pingFrame)
		}
		if err != nil {
			c.stream.hangUp()
			readErr := <-answers
			if errors.Is(err, net.ErrClosed) {
				return readErr // the reader closed the connection, and knows why
			}
			return err
		}
	}
}

// readPings reads what the other end may say here: pings in answer to ours.
func (l *link) readPings(c *connected) error {
	for {
		if _, err := c.stream.reader.NextOf(transport.KindPing); err != nil {
			return err
		}
		l.stats.ponged()
	}
}
