package tcp

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/transport"
)

// proxy stands before a member and can swallow what goes either way.
type proxy struct {
	t        *testing.T
	listener net.Listener
	target   string

	mu       sync.Mutex
	thaw     chan struct{} // non-nil: bytes wait for it
	thawBack chan struct{}
	conns    []net.Conn
	closed   bool // conns accepted from now on are closed at once
	work     sync.WaitGroup
}

// proxyTo returns a proxy, and the member as it is seen through it.
func proxyTo(t *testing.T, m *member) (*proxy, *member) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := parseURL(m.url)
	p := &proxy{t: t, listener: listener, target: u.Host}
	p.work.Add(1)
	go p.accept()
	t.Cleanup(func() {
		p.freeze(false, false)
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		listener.Close()
		p.cut()
		p.work.Wait()
	})
	return p, &member{id: m.id, url: "http://" + listener.Addr().String()}
}

func (p *proxy) accept() {
	defer p.work.Done()
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		if p.closed {
			in.Close()
			out.Close()
		}
		p.mu.Unlock()
		p.work.Add(2)
		go p.pump(out, in, func() chan struct{} { return p.thaw })
		go p.pump(in, out, func() chan struct{} { return p.thawBack })
	}
}

func (p *proxy) pump(to, from net.Conn, gate func() chan struct{}) {
	defer p.work.Done()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		wait := gate()
		p.mu.Unlock()
		if wait != nil {
			<-wait
		}
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// freeze holds bytes back: forth are those to the member, back those from it.
func (p *proxy) freeze(forth, back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := func(gate *chan struct{}, frozen bool) {
		switch {
		case frozen && *gate == nil:
			*gate = make(chan struct{})
		case !frozen && *gate != nil:
			close(*gate)
			*gate = nil
		}
	}
	set(&p.thaw, forth)
	set(&p.thawBack, back)
}

// cut resets all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}

// TestKilledProcess: its port answers "refused", so it is gone.
func TestKilledProcess(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	a.peers(b)
	a.say(b, "hello")
	b.Close()
	a.awaitEvent("closed 2")
	if a.stats(2).Connected || a.stats(2).LastError == "" {
		t.Errorf("stats %+v", a.stats(2))
	}
	// It stays away: that is told once, not at each redial.
	n := a.counted("unreachable 2")
	a.await("more failed dials", func() bool { return a.count("unreachable 2") > n+2 })
	if n := a.counted("closed 2"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// TestRestartedProcess: the redial succeeds, but meets another boot.
func TestRestartedProcess(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	p, seen := proxyTo(t, b)
	a.peers(seen)
	a.say(b, "to boot 1")
	again := start(t, 2, loopback, boot(2))
	u, _ := parseURL(again.url)
	p.mu.Lock()
	p.target = u.Host
	p.mu.Unlock()
	p.cut()
	a.awaitEvent("connected 2 boot 2")
	a.say(again, "to boot 2")
	if n := a.counted("closed 2"); n != 1 {
		t.Errorf("closed told %d times", n)
	}
}

// TestCutConnection: the same process answers the redial, so nothing is closed.
func TestCutConnection(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	p, seen := proxyTo(t, b)
	a.peers(seen)
	for i := range 5 {
		a.say(b, fmt.Sprint("message ", i))
		p.cut()
	}
	a.say(b, "at last")
	if n := a.counted("closed 2"); n != 0 {
		t.Errorf("closed told %d times of a process that lives", n)
	}
	if n := a.counted("connected 2 boot 1"); n < 2 {
		t.Errorf("connected %d times", n)
	}
}

// TestBlackHole: bytes vanish in one direction or both, and nobody resets. The
// link must end by itself, and recover by itself, without "closed".
func TestBlackHole(t *testing.T) {
	for _, c := range []struct{ forth, back bool }{{true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprintf("forth=%v/back=%v", c.forth, c.back), func(t *testing.T) {
			t.Parallel()
			a, b := start(t, 1, loopback), start(t, 2, loopback)
			p, seen := proxyTo(t, b)
			a.peers(seen)
			b.peers(a)
			a.say(b, "before")
			b.say(a, "before")
			p.freeze(c.forth, c.back)
			a.await("the loss", func() bool { return a.count("unreachable 2") > 0 && !a.stats(2).Connected })
			// The other direction has a connection of its own, and works.
			b.say(a, "meanwhile")
			p.freeze(false, false)
			a.say(b, "after")
			if n := a.counted("closed 2"); n != 0 {
				t.Errorf("closed told %d times", n)
			}
		})
	}
}

// TestHalfOpen: the dialler is gone without a word; the acceptor notices.
func TestHalfOpen(t *testing.T) {
	a := start(t, 1, loopback)
	conn := stranger(t, a)
	greetAs(t, conn, transport.Hello{Version: 1, Cluster: 0xc, From: 3, To: 1})
	began := time.Now()
	hungUp(t, conn)
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("closed after %v, the read timeout is 1 s", took)
	}
	if a.inbounds.has(3) {
		t.Error("still counted as connected")
	}
}

// TestSilentPeer: who takes a connection and says nothing, as a frozen process or a proxy before a dead one does, is
// given up and dialled again, with TLS too.
func TestSilentPeer(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			dials := make(chan net.Conn, 100)
			go func() {
				for {
					c, err := silent.Accept()
					if err != nil {
						close(dials)
						return
					}
					dials <- c
				}
			}()
			a := start(t, 1, loopback, with(func(c *Config) {
				c.HandshakeTimeout = 200 * time.Millisecond
				c.DialTLS = func(string) (*tls.Config, error) { return &tls.Config{InsecureSkipVerify: true}, nil }
			}))
			if err := a.SetPeers([]Peer{{ID: 2, URLs: []string{scheme + "://" + silent.Addr().String()}}}); err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				select {
				case c := <-dials:
					defer c.Close()
				case <-time.After(patience):
					t.Fatalf("it was dialled %d times", n)
				}
			}
			a.awaitEvent("unreachable 2")
			if err := a.SetPeers(nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSlowReader: a member that does not read costs others nothing: Send
// returns at once, memory is bounded, the drops are counted and told.
func TestSlowReader(t *testing.T) {
	const framesMax, frameBytes = 50, 64 << 10
	a := start(t, 1, loopback, with(func(c *Config) {
		c.QueueFramesMax = framesMax
		c.WriteTimeout, c.ReadTimeout = patience, patience
	}))
	b, c := start(t, 2, loopback), start(t, 3, loopback)
	block := make(chan struct{})
	b.onFrame = func(_ raftNodeID, _ transport.Frame) error { <-block; return nil }
	t.Cleanup(func() { close(block) }) // before b is closed, which waits for its handler
	a.peers(b, c)
	a.awaitEvent("connected 2 boot 1")
	frame := transport.AppendFrame(nil, transport.KindForward, make([]byte, frameBytes))
	const sends = 2000
	began := time.Now()
	for range sends {
		a.Send(2, frame)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("%d sends took %v", sends, took)
	}
	stats := a.stats(2)
	if stats.QueuedFrames > framesMax || stats.FramesDropped == 0 {
		t.Errorf("queue holds %d frames, %d dropped", stats.QueuedFrames, stats.FramesDropped)
	}
	a.say(c, "others are served")
}

// TestOverflowIsTold: a queue that overflows makes raft probe again.
func TestOverflowIsTold(t *testing.T) {
	a := start(t, 1, loopback, with(func(c *Config) { c.QueueFramesMax = 1; c.ReadTimeout, c.WriteTimeout = patience, patience }))
	b := start(t, 2, loopback)
	a.peers(b)
	a.awaitEvent("connected 2 boot 1")
	frame := transport.AppendFrame(nil, transport.KindForward, make([]byte, 8<<20))
	a.await("overflow", func() bool {
		for range 10 {
			a.Send(2, frame)
		}
		return a.last == errFull
	})
	if !a.stats(2).Connected {
		t.Error("an overflow must not end the link")
	}
}

// TestWriteTimeout: a link on which nothing can be written ends.
func TestWriteTimeout(t *testing.T) {
	slow := with(func(c *Config) { c.ReadTimeout = 3 * patience })
	a, b := start(t, 1, loopback, slow), start(t, 2, loopback, slow)
	p, seen := proxyTo(t, b)
	a.peers(seen)
	a.say(b, "before")
	p.freeze(true, false)
	frame := transport.AppendFrame(nil, transport.KindForward, make([]byte, 16<<20))
	a.Send(2, frame)
	a.await("the end of the link", func() bool { return a.last != nil && strings.Contains(a.last.Error(), "timeout") })
}

// TestDyingListener: a redial that is accepted and dropped at once is tried
// again, for so looks a process in the moment it is killed.
func TestDyingListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer listener.Close()
		conn, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		// A proper answer to the Hello, then the end, and a reset for a redial.
		_, err = transport.NewReader(conn).Next()
		conn.Write(transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil,
			transport.Hello{Version: 1, Cluster: 0xc, From: 2, To: 1})))
		time.Sleep(50 * time.Millisecond)
		conn.Close()
		if conn, err := listener.Accept(); err == nil {
			conn.Close()
		}
		done <- err
	}()
	a := start(t, 1, loopback, with(func(c *Config) { c.BackoffMin, c.BackoffMax = time.Hour, time.Hour }))
	a.peers(&member{id: 2, url: "http://" + listener.Addr().String()})
	a.awaitEvent("closed 2")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestBackoff: waits double up to the maximum, spread by the jitter.
func TestBackoff(t *testing.T) {
	for _, jitter := range []float64{0, 0.5, 0.999} {
		c := Config{BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, Jitter: func() float64 { return jitter }}
		b := newBackoff(&c)
		for _, whole := range []time.Duration{10, 20, 40, 80, 100, 100} {
			whole *= time.Millisecond
			want := whole/2 + time.Duration(jitter*float64(whole/2))
			if got := b.draw(); got != want || got < whole/2 || got >= whole {
				t.Errorf("jitter %v: wait %v, want %v", jitter, got, want)
			}
		}
		b.reset()
		if got := b.draw(); got >= 10*time.Millisecond {
			t.Errorf("after a reset: %v", got)
		}
	}
}

// TestSignOfLife: a member waits long before it redials; the other's Hello
// ends the wait.
func TestSignOfLife(t *testing.T) {
	a := start(t, 1, loopback, with(func(c *Config) { c.BackoffMin, c.BackoffMax = time.Hour, time.Hour }))
	// b's address is known before it listens.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + free.Addr().String()
	free.Close()
	a.peers(&member{id: 2, url: address})
	a.awaitEvent("unreachable 2")
	b := start(t, 2, address)
	b.peers(a)
	a.awaitEvent("connected 2 boot 1")
}

func TestQueue(t *testing.T) {
	q := newQueue(3, 100)
	if dropped, overflow := q.put(make([]byte, 1)); !dropped || overflow {
		t.Fatal("a queue without a link must drop, and not complain of being full")
	}
	q.setOpen(true)
	if dropped, _ := q.put(make([]byte, 1000)); dropped {
		t.Fatal("one frame always fits")
	}
	if dropped, overflow := q.put(make([]byte, 1)); !dropped || !overflow {
		t.Fatal("bytes are bounded, and the first drop is told")
	}
	taken := q.take(nil)
	if dropped, overflow := q.put(make([]byte, 1)); !dropped || overflow {
		t.Fatal("what is being written counts, and the second drop is not told")
	}
	q.release(taken)
	for i := range 4 {
		if dropped, overflow := q.put([]byte{byte(i)}); dropped != (i == 3) || overflow != (i == 3) {
			t.Fatalf("frame %d: dropped %v, overflow %v", i, dropped, overflow)
		}
	}
	if taken := q.take(nil); len(taken) != 3 || taken[0][0] != 0 || taken[2][0] != 2 {
		t.Fatalf("the newest is dropped, the order kept: %v", taken)
	}
	q.setOpen(false)
	if n, bytes := q.depth(); n != 0 || bytes != 0 {
		t.Fatalf("closed with %d frames of %d bytes", n, bytes)
	}
}

// FuzzConnection feeds a member whole connections of arbitrary bytes, after a
// proper Hello or without: it must neither panic nor hand anything over that is
// not a proper frame.
func FuzzConnection(f *testing.F) {
	hello := transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil,
		transport.Hello{Version: 1, Cluster: 0xc, From: 3, To: 1, Snapshot: true}))
	f.Add(true, transport.AppendFrame(nil, transport.KindRaft, []byte("x")))
	f.Add(false, hello)
	f.Add(false, transport.AppendFrame(hello, transport.KindSnapshot, []byte{1}))
	f.Fuzz(func(t *testing.T, greet bool, b []byte) {
		m := &member{t: t, id: 1, changed: make(chan struct{}), frames: map[raftNodeID][]string{}}
		m.onFrame = func(_ raftNodeID, f transport.Frame) error {
			if !strings.Contains(string(b), string(f.Payload)) {
				t.Errorf("handed over %q", f.Payload)
			}
			return nil
		}
		m.onSnapshot = func(raftNodeID, SnapshotOffer) (SnapshotSink, error) { return &memorySink{}, nil }
		tr, err := New(Config{Handler: m, HandshakeTimeout: patience, Self: func() transport.Hello {
			return transport.Hello{Cluster: 0xc, From: 1}
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		ours, theirs := net.Pipe()
		defer ours.Close()
		tr.receive(theirs)
		go io.Copy(io.Discard, ours)
		if greet {
			ours.Write(transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil,
				transport.Hello{Version: 1, Cluster: 0xc, From: 3, To: 1})))
		}
		ours.SetWriteDeadline(time.Now().Add(patience))
		ours.Write(b)
	})
}
