package tcp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

func TestThreeMembersTalk(t *testing.T) {
	a, b, c := start(t, 1, loopback), start(t, 2, loopback), start(t, 3, "http://[::1]:0")
	a.peers(a, b, c)
	b.peers(a, b, c)
	c.peers(a, b, c)
	for _, from := range []*member{a, b, c} {
		for _, to := range []*member{a, b, c} {
			if from != to {
				from.say(to, fmt.Sprintf("%v to %v", from.id, to.id))
			}
		}
	}
	stats := a.stats(2)
	if !stats.Connected || !stats.Inbound || stats.Boot != 1 || stats.Incarnation != 200 || stats.URL != b.url {
		t.Errorf("stats %+v", stats)
	}
	a.await("counters", func() bool {
		stats := a.stats(2)
		return stats.FramesReceived > 0 && stats.BytesReceived > 0 && stats.BytesSent > 0 && stats.FramesSent > 0
	})
	a.await("a round trip", func() bool { return a.stats(2).RoundTrip > 0 })
}

// TestOrderAndContent: what arrives on one link arrives in order and whole.
func TestOrderAndContent(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	a.peers(b)
	a.awaitEvent("connected 2 boot 1")
	var want []string
	for i := range 300 {
		payload := fmt.Sprintf("%d %s", i, strings.Repeat("x", i*i))
		want = append(want, payload)
		a.Send(2, transport.AppendFrame(nil, transport.KindForwardReply, []byte(payload)))
	}
	b.await("300 frames", func() bool { return len(b.frames[1]) == len(want) })
	for i, payload := range b.frames[1] {
		if payload != want[i] {
			t.Fatalf("frame %d is %.20q", i, payload)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peer.sock")
	a, b := start(t, 1, loopback), start(t, 2, "unix://"+path)
	a.peers(b)
	a.say(b, "by file")
	b.Close()
	a.awaitEvent("closed 2")
	// A socket file left by a killed process does not keep the next one out.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	again := start(t, 2, "unix://"+path, boot(2))
	a.say(again, "again")
	if _, err := a.Listen("unix://" + path); err == nil {
		t.Fatal("a socket that is served was taken away")
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, want string
		option     option
		code       transport.RefusalCode
	}{
		{"cluster", "belongs to cluster d, not to c", cluster(0xd), transport.RefusedCluster},
		{"member", "this is member 9, not 2", func(_ *Config, h *transport.Hello) { h.From = 9 }, transport.RefusedMember},
		{"vetoed", "removed", with(func(c *Config) {
			c.Vet = func(peer transport.Hello) *transport.Refusal {
				return &transport.Refusal{Code: transport.RefusedUnknownPeer, Reason: "removed"}
			}
		}), transport.RefusedUnknownPeer},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := start(t, 1, loopback), start(t, 2, loopback, c.option)
			a.peers(b)
			a.await("a refusal in words", func() bool {
				var refusal *transport.Refusal
				return errors.As(a.last, &refusal) && refusal.Code == c.code && strings.Contains(refusal.Reason, c.want)
			})
			a.Send(2, transport.AppendFrame(nil, transport.KindForward, []byte("x")))
			a.await("the drop", func() bool { return a.stats(2).FramesDropped == 1 })
			if a.stats(2).Connected || a.counted("closed 2") != 0 || len(b.frames) != 0 {
				t.Errorf("a link to a member that refused: %+v", a.stats(2))
			}
		})
	}
}

// TestDiallerVetsToo: the acceptor is content, the dialler is not.
func TestDiallerVetsToo(t *testing.T) {
	a := start(t, 1, loopback, with(func(c *Config) {
		c.Vet = func(peer transport.Hello) *transport.Refusal {
			if peer.Incarnation == 200 {
				return &transport.Refusal{Code: transport.RefusedIncarnation, Reason: "another disk"}
			}
			return nil
		}
	}))
	b := start(t, 2, loopback)
	a.peers(b)
	a.await("the veto", func() bool { return a.last != nil && strings.Contains(a.last.Error(), "another disk") })
	if a.stats(2).Connected {
		t.Error("connected nevertheless")
	}
}

// TestOlderStartIsRefused: while start 5 of a member is connected, a process
// that is its start 4 has no business here.
func TestOlderStartIsRefused(t *testing.T) {
	a, new := start(t, 1, loopback), start(t, 2, loopback, boot(5))
	new.peers(a)
	new.say(a, "from start 5")
	old := start(t, 2, loopback, boot(4))
	old.peers(a)
	old.await("a refusal", func() bool {
		var refusal *transport.Refusal
		return errors.As(old.last, &refusal) && refusal.Code == transport.RefusedIncarnation
	})
	new.say(a, "still connected")
}

// TestMalformedInput: strangers' bytes end their connection, reach no handler,
// and disturb no one else.
func TestMalformedInput(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	b.peers(a)
	b.say(a, "before")
	hello := transport.Hello{Version: 1, Cluster: 0xc, From: 3, To: 1, Boot: 1}
	frame := transport.AppendFrame(nil, transport.KindRaft, []byte("never delivered"))
	damaged := bytes.Clone(frame)
	damaged[len(damaged)-1] ^= 1
	oversized := bytes.Clone(frame)
	oversized[3] = 0x7f
	for name, c := range map[string]struct {
		greet bool
		bytes []byte
	}{
		"HTTP":               {false, []byte("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")},
		"garbage":            {false, bytes.Repeat([]byte{0xa5}, 100)},
		"frame before hello": {false, frame},
		"truncated hello":    {false, transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil, hello))[:30]},
		"damaged frame":      {true, damaged},
		"oversized length":   {true, oversized},
		"truncated frame":    {true, frame[:20]},
		"second hello":       {true, transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil, hello))},
		"snapshot on a link": {true, transport.AppendFrame(nil, transport.KindSnapshot, []byte{1})},
		"unknown kind":       {true, append([]byte{0, 0, 0, 0, 99}, make([]byte, 7)...)},
	} {
		conn := stranger(t, a)
		if c.greet {
			greetAs(t, conn, hello)
		}
		if _, err := conn.Write(c.bytes); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "truncated") {
			conn.(*net.TCPConn).CloseWrite()
		}
		hungUp(t, conn)
	}
	b.say(a, "after")
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.frames[3]) != 0 {
		t.Errorf("handler saw %q", a.frames[3])
	}
}

// TestHandlerRejects: an error of OnFrame ends the connection, and only that.
func TestHandlerRejects(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	b.onFrame = func(_ raft.NodeID, f transport.Frame) error {
		if string(f.Payload) == "bad" {
			return transport.ErrMalformed
		}
		return nil
	}
	a.peers(b)
	a.say(b, "good")
	a.Send(2, transport.AppendFrame(nil, transport.KindRaft, []byte("bad")))
	a.await("the loss", func() bool { return a.count("unreachable 2") > 0 })
	a.say(b, "good again")
	if n := a.counted("closed 2"); n != 0 {
		t.Errorf("the process lives, and was declared closed %d times", n)
	}
}

// TestSilentStranger: a connection that says nothing is closed.
func TestSilentStranger(t *testing.T) {
	a := start(t, 1, loopback, with(func(c *Config) { c.HandshakeTimeout = 400 * time.Millisecond }))
	began := time.Now()
	hungUp(t, stranger(t, a))
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("closed after %v already", took)
	}
}

// TestHandshakesAreBounded: strangers that say nothing make room for each other,
// and don't keep members out.
func TestHandshakesAreBounded(t *testing.T) {
	a := start(t, 1, loopback, with(func(c *Config) { c.HandshakesMax = 2 }))
	began := time.Now()
	first := stranger(t, a)
	stranger(t, a)
	stranger(t, a)
	hungUp(t, first)
	if took := time.Since(began); took > patience/2 {
		t.Errorf("one too many was kept for %v", took)
	}
	b := start(t, 2, loopback)
	b.peers(a)
	b.say(a, "let me in")
	if took := time.Since(began); took > patience/2 {
		t.Errorf("a member had to wait for %v", took)
	}
}

// TestSetPeers: rows come, change and go while the transport runs.
func TestSetPeers(t *testing.T) {
	a, b, c := start(t, 1, loopback), start(t, 2, loopback), start(t, 3, loopback)
	a.peers(b)
	a.say(b, "one")
	a.peers(b, c)
	a.say(c, "two")
	// b moves: the old address is not used any more.
	moved := start(t, 2, loopback, boot(2))
	a.peers(moved, c)
	a.say(moved, "three")
	// c goes.
	c.peers(a)
	c.say(a, "from c")
	a.peers(moved)
	c.await("the end of its connection", func() bool { return c.count("unreachable 1") > 0 })
	if stats := a.stats(3); stats.Connected && stats.URL == c.url && len(a.Stats()) > 2 {
		t.Errorf("still connected to a member that left: %+v", stats)
	}
	if err := a.SetPeers([]Peer{{ID: 4, URLs: []string{"ftp://x:1"}}}); err == nil || len(a.Stats()) == 0 {
		t.Errorf("a bad URL: %v, %d rows", err, len(a.Stats()))
	}
}

// TestGuest: a member that is not in the address book can be answered.
func TestGuest(t *testing.T) {
	a := start(t, 1, loopback)
	leader := start(t, 7, loopback)
	leader.config.Advertise = []string{leader.url}
	leader.peers(a)
	leader.say(a, "you don't know me")
	a.say(leader, "now I do")
	leader.Close()
	a.await("the guest to be forgotten", func() bool { return len(a.Stats()) == 0 })
}

func TestParseURL(t *testing.T) {
	for _, good := range []string{"http://a:1", "https://[::1]:2380", "http://10.0.0.1:2380/", "unix://localhost:20001", "unix:///run/x.sock", "http://:2380"} {
		if _, err := parseURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a:1", "http://a", "http://a:1/path", "ftp://a:1", "unix://", "http://a:x", "://"} {
		if _, err := parseURL(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestConfig(t *testing.T) {
	self := func() transport.Hello { return transport.Hello{} }
	for name, c := range map[string]Config{
		"nothing":      {},
		"bad url":      {Self: self, Handler: &member{}, Advertise: []string{"x"}},
		"many urls":    {Self: self, Handler: &member{}, Advertise: []string{"http://" + strings.Repeat("a", 4000) + ":1"}},
		"read timeout": {Self: self, Handler: &member{}, ReadTimeout: time.Millisecond},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestClosed(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	a.peers(b)
	a.Close()
	a.Close()
	a.Send(2, transport.AppendFrame(nil, transport.KindForward, nil))
	if err := a.SetPeers(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("SetPeers: %v", err)
	}
	if _, err := a.Listen(loopback); !errors.Is(err, ErrClosed) {
		t.Errorf("Listen: %v", err)
	}
	if err := a.SendSnapshot(t.Context(), 2, SnapshotOffer{Size: 1}, strings.NewReader("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("SendSnapshot: %v", err)
	}
}

// TestLocalAddress: links are dialled from the address that was asked for.
func TestLocalAddress(t *testing.T) {
	a := start(t, 1, loopback, with(func(c *Config) { c.LocalAddress = net.IPv4(127, 0, 0, 7) }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := a.SetPeers([]Peer{{ID: 2, URLs: []string{"http://" + listener.Addr().String()}}}); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Skip("this machine has no second loopback address: ", err)
	}
	defer conn.Close()
	if host, _, _ := net.SplitHostPort(conn.RemoteAddr().String()); host != "127.0.0.7" {
		t.Errorf("dialled from %s", host)
	}
}
