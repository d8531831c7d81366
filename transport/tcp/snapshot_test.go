package tcp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

type raftNodeID = raft.NodeID

// memorySink keeps a snapshot in memory across transfers.
type memorySink struct {
	mu        sync.Mutex
	data      []byte
	offsets   []int64
	aborts    int
	committed bool

	write  func(have int) error
	commit func() error
}

func (s *memorySink) Offset() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offsets = append(s.offsets, int64(len(s.data)))
	return int64(len(s.data))
}

func (s *memorySink) Write(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.write != nil {
		if err := s.write(len(s.data)); err != nil {
			return err
		}
	}
	s.data = append(s.data, p...)
	return nil
}

func (s *memorySink) Commit() error {
	if s.commit != nil {
		if err := s.commit(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = true
	return nil
}

func (s *memorySink) Abort(error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aborts++
}

func snapshot(size int) (SnapshotOffer, []byte) {
	data := make([]byte, size)
	random := mathrand.NewChaCha8([32]byte{1})
	random.Read(data)
	return SnapshotOffer{
		Term: 4, Size: int64(size), File: 99,
		Meta: raft.SnapshotMeta{
			Last: raft.EntryID{Term: 3, Index: 1000},
			Config: raft.ConfigAt{At: raft.EntryID{Term: 1, Index: 1}, Config: raft.Configuration{
				Members: []raft.Member{{ID: 1, Voter: true, Address: "http://a:1"}},
			}},
		},
	}, data
}

func TestSnapshot(t *testing.T) {
	for _, size := range []int{1, chunkBytesMax, 3*chunkBytesMax + 7} {
		a, b := start(t, 1, loopback), start(t, 2, loopback)
		offer, data := snapshot(size)
		sink := &memorySink{}
		b.onSnapshot = func(from raft.NodeID, got SnapshotOffer) (SnapshotSink, error) {
			if from != 1 || got.Term != 4 || got.File != 99 || got.Meta.Last != offer.Meta.Last {
				t.Errorf("offer %+v from %v", got, from)
			}
			return sink, nil
		}
		a.peers(b)
		if err := a.SendSnapshot(t.Context(), 2, offer, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if !sink.committed || !bytes.Equal(sink.data, data) || sink.aborts != 0 {
			t.Fatalf("size %d: %d bytes arrived, committed %v, %d aborts", size, len(sink.data), sink.committed, sink.aborts)
		}
	}
}

// TestSnapshotResumes: after each break the transfer goes on where it was.
func TestSnapshotResumes(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	p, seen := proxyTo(t, b)
	a.peers(seen)
	offer, data := snapshot(50 * chunkBytesMax)
	breaks := 0
	sink := &memorySink{}
	sink.write = func(int) error {
		// Once in each of the first transfers. What the kernel holds by then still
		// arrives, so how many transfers it takes is not known.
		if breaks < 3 && len(sink.offsets) == breaks+1 {
			breaks++
			p.cut()
		}
		return nil
	}
	b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) { return sink, nil }
	if err := a.SendSnapshot(t.Context(), 2, offer, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if !sink.committed || !bytes.Equal(sink.data, data) {
		t.Fatalf("%d of %d bytes arrived", len(sink.data), len(data))
	}
	if len(sink.offsets) < 2 || sink.offsets[1] == 0 {
		t.Errorf("%d breaks, transfers began at %d", breaks, sink.offsets)
	}
}

// TestSnapshotGivesUp: without progress only so often.
func TestSnapshotGivesUp(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	offer, data := snapshot(100)
	asked := 0
	b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) {
		asked++
		return nil, ErrBusy
	}
	a.peers(b)
	var refusal *transport.Refusal
	if err := a.SendSnapshot(t.Context(), 2, offer, bytes.NewReader(data)); !errors.As(err, &refusal) || refusal.Code != transport.RefusedBusy {
		t.Errorf("got %v", err)
	}
	if asked != 5 {
		t.Errorf("asked %d times, not 5", asked)
	}
	if err := a.SendSnapshot(t.Context(), 9, offer, bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), "no address") {
		t.Errorf("to a member that is not in the book: %v", err)
	}
}

// TestSnapshotRefused: the receiver's reason reaches the sender in words,
// whatever it is doing at that moment, and is not asked for twice.
func TestSnapshotRefused(t *testing.T) {
	offer, data := snapshot(50 * chunkBytesMax)
	noSpace := errors.New("no space left on device")
	for name, c := range map[string]struct {
		sink   *memorySink
		err    error
		aborts int
	}{
		"offer":  {nil, noSpace, 0},
		"write":  {&memorySink{write: func(int) error { return noSpace }}, nil, 1},
		"commit": {&memorySink{commit: func() error { return noSpace }}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, 1, loopback), start(t, 2, loopback)
			asked := 0
			b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) {
				asked++
				return c.sink, c.err
			}
			a.peers(b)
			err := a.SendSnapshot(t.Context(), 2, offer, bytes.NewReader(data))
			var refusal *transport.Refusal
			if !errors.As(err, &refusal) || refusal.Code != transport.RefusedSnapshot || !strings.Contains(refusal.Reason, "no space") {
				t.Errorf("got %v", err)
			}
			if asked != 1 || c.sink != nil && c.sink.aborts != c.aborts {
				t.Errorf("asked %d times, sink %+v", asked, c.sink != nil)
			}
		})
	}
}

// TestSnapshotSlowCommit: a receiver that syncs its disk for longer than any
// timeout is not given up, because it sends pings.
func TestSnapshotSlowCommit(t *testing.T) {
	short := with(func(c *Config) { c.SnapshotTimeout = 500 * time.Millisecond })
	a, b := start(t, 1, loopback, short), start(t, 2, loopback, short)
	offer, data := snapshot(100)
	sink := &memorySink{commit: func() error { time.Sleep(1200 * time.Millisecond); return nil }}
	b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) { return sink, nil }
	a.peers(b)
	if err := a.SendSnapshot(t.Context(), 2, offer, bytes.NewReader(data)); err != nil || !sink.committed {
		t.Errorf("committed %v: %v", sink.committed, err)
	}
	if len(sink.offsets) != 1 {
		t.Errorf("%d transfers for one file", len(sink.offsets))
	}
}

// TestHeartbeatsPassSnapshot: frames arrive promptly while a snapshot is stuck
// in front of a slow disk.
func TestHeartbeatsPassSnapshot(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	offer, data := snapshot(50 * chunkBytesMax)
	slow := make(chan struct{})
	release := sync.OnceFunc(func() { close(slow) })
	t.Cleanup(release) // or a test that fails would hang
	sink := &memorySink{write: func(have int) error {
		if have == chunkBytesMax {
			<-slow
		}
		return nil
	}}
	b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) { return sink, nil }
	a.peers(b)
	a.awaitEvent("connected 2 boot 1")
	sent := make(chan error, 1)
	go func() { sent <- a.SendSnapshot(context.Background(), 2, offer, bytes.NewReader(data)) }()
	for i := range 20 {
		a.say(b, strings.Repeat("beat", i+1))
	}
	release()
	if err := <-sent; err != nil || !bytes.Equal(sink.data, data) {
		t.Errorf("the snapshot: %d bytes, %v", len(sink.data), err)
	}
}

func TestSnapshotCancelled(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	offer, data := snapshot(50 * chunkBytesMax)
	ctx, cancel := context.WithCancel(t.Context())
	sink := &memorySink{write: func(have int) error { cancel(); return nil }}
	b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) { return sink, nil }
	a.peers(b)
	if err := a.SendSnapshot(ctx, 2, offer, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	b.await("the abort", func() bool { sink.mu.Lock(); defer sink.mu.Unlock(); return sink.aborts == 1 })
}

// TestSnapshotFileShort: our own file is at fault, so there is no second try.
func TestSnapshotFileShort(t *testing.T) {
	a, b := start(t, 1, loopback), start(t, 2, loopback)
	offer, data := snapshot(1000)
	asked := 0
	b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) { asked++; return &memorySink{}, nil }
	a.peers(b)
	err := a.SendSnapshot(t.Context(), 2, offer, bytes.NewReader(data[:999]))
	if err == nil || !strings.Contains(err.Error(), "read at 0") || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestSnapshotWire(t *testing.T) {
	offer, _ := snapshot(1000)
	b := appendOffer(nil, offer)
	if got, err := decodeOffer(b); err != nil || got.Size != 1000 || got.File != 99 || got.Term != 4 || got.Meta.Last != offer.Meta.Last {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := decodeOffer(b[:n]); !errors.Is(err, transport.ErrMalformed) {
			t.Fatalf("%d bytes of an offer: %v", n, err)
		}
	}
	for name, bad := range map[string]SnapshotOffer{"empty": {Meta: offer.Meta}, "negative": {Meta: offer.Meta, Size: -1}} {
		if _, err := decodeOffer(appendOffer(nil, bad)); !errors.Is(err, transport.ErrMalformed) {
			t.Errorf("%s file: %v", name, err)
		}
	}
	if at, err := decodeAccept(appendAccept(nil, 7), 7); at != 7 || err != nil {
		t.Errorf("accept at %d, %v", at, err)
	}
	for _, bad := range [][]byte{appendAccept(nil, 8), appendAccept(nil, -1), nil, {2}, appendChunkHeader(nil, 0)} {
		if _, err := decodeAccept(bad, 7); !errors.Is(err, transport.ErrMalformed) {
			t.Errorf("accept %x: %v", bad, err)
		}
	}
	chunk := func(at int64, n int) []byte { return append(appendChunkHeader(nil, at), make([]byte, n)...) }
	if data, err := decodeChunk(chunk(5, 2), 5, 7); len(data) != 2 || err != nil {
		t.Errorf("chunk of %d, %v", len(data), err)
	}
	for _, bad := range [][]byte{chunk(4, 2), chunk(5, 3), chunk(5, 0), chunk(6, 1), nil, appendAccept(nil, 5)} {
		if _, err := decodeChunk(bad, 5, 7); !errors.Is(err, transport.ErrMalformed) {
			t.Errorf("chunk %x: %v", bad, err)
		}
	}
}

func FuzzOffer(f *testing.F) {
	offer, _ := snapshot(1000)
	f.Add(appendOffer(nil, offer))
	f.Fuzz(func(t *testing.T, b []byte) {
		if offer, err := decodeOffer(b); err == nil {
			if again := appendOffer(nil, offer); !bytes.Equal(again, b) {
				t.Fatalf("%x encodes to %x", b, again)
			}
		}
	})
}

// TestTLS: https both ways, and a peer without a certificate stays out.
func TestTLS(t *testing.T) {
	certificate, pool := selfSigned(t)
	secure := with(func(c *Config) {
		c.DialTLS = func(string) (*tls.Config, error) {
			return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}, nil
		}
		c.ListenTLS = func() (*tls.Config, error) {
			return &tls.Config{
				Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
				ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
			}, nil
		}
	})
	a, b := start(t, 1, "https://127.0.0.1:0", secure), start(t, 2, "https://127.0.0.1:0", secure)
	a.peers(b)
	b.peers(a)
	a.say(b, "secret")
	b.say(a, strings.Repeat("long secret", 10000))
	offer, data := snapshot(5 * chunkBytesMax)
	sink := &memorySink{}
	b.onSnapshot = func(raft.NodeID, SnapshotOffer) (SnapshotSink, error) { return sink, nil }
	if err := a.SendSnapshot(t.Context(), 2, offer, bytes.NewReader(data)); err != nil || !bytes.Equal(sink.data, data) {
		t.Errorf("snapshot: %v", err)
	}
	plain := start(t, 3, loopback)
	plain.peers(b)
	plain.awaitEvent("unreachable 2")
	bare := start(t, 4, loopback, with(func(c *Config) {
		c.DialTLS = func(string) (*tls.Config, error) { return &tls.Config{RootCAs: pool}, nil }
	}))
	bare.peers(&member{id: 2, url: "http" + strings.TrimPrefix(b.url, "http")})
	bare.awaitEvent("unreachable 2")
	b.Close()
	a.awaitEvent("closed 2")
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
