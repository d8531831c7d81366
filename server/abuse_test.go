package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// rude is a connection on which a test says what no gRPC client would.
type rude struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	stream uint32
	header bytes.Buffer
	coder  *hpack.Encoder
}

func newRude(t *testing.T, c *cluster, settings ...http2.Setting) *rude {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.configs[0].ListenClientURLs, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &rude{t: t, conn: conn, framer: http2.NewFramer(conn, conn), stream: 1}
	r.coder = hpack.NewEncoder(&r.header)
	fmt.Fprint(conn, http2.ClientPreface)
	if err := r.framer.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return r
}

// fields encodes the header of a gRPC request.
func (r *rude) fields(method string, more ...hpack.HeaderField) []byte {
	r.header.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: method},
		{Name: ":authority", Value: "x"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, more...) {
		_ = r.coder.WriteField(f) // into memory
	}
	return bytes.Clone(r.header.Bytes())
}

// open begins a request, without its message.
func (r *rude) open(method string) (stream uint32, err error) {
	stream = r.stream
	r.stream += 2
	return stream, r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: r.fields(method), EndHeaders: true})
}

// message frames a request as gRPC does.
func message(m proto.Message) []byte {
	body, _ := proto.Marshal(m)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

// drain reads and forgets until the server hangs up, and tells how it said so.
func (r *rude) drain() (code http2.ErrCode, debug string, err error) {
	r.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		f, err := r.framer.ReadFrame()
		if err != nil {
			return code, debug, err
		}
		if away, ok := f.(*http2.GoAwayFrame); ok {
			code, debug = away.ErrCode, string(away.DebugData())
		}
	}
}

// memory is the live heap after a collection.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const mib = 1 << 20

// settles waits until a figure is at most a bound.
func settles(t *testing.T, what string, bound uint64, figure func() uint64) {
	t.Helper()
	var last uint64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = figure(); last <= bound {
			return
		}
	}
	t.Errorf("%s: %d, want at most %d", what, last, bound)
}

func goroutines() uint64 { return uint64(runtime.NumGoroutine()) }

// TestAbuse: one rude client at a time. It gets nowhere, a polite one is served
// meanwhile, and afterwards memory and goroutines are as before.
func TestAbuse(t *testing.T) {
	c := newCluster(t, 1)
	cli := c.client()
	value := strings.Repeat("v", mib)
	if _, err := cli.Put(within(t, 10*time.Second), "large", value); err != nil {
		t.Fatal(err)
	}
	for _, abuse := range []struct {
		name string
		do   func(t *testing.T)
		// heap is what the client may cost while it is there, in bytes.
		heap uint64
	}{
		{"a header without end", func(t *testing.T) {
			r := newRude(t, c)
			piece := bytes.Repeat([]byte("x"), 16000)
			err := r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.fields("/x")})
			sent := 0
			for ; err == nil && sent < 64*mib; sent += len(piece) {
				r.header.Reset()
				_ = r.coder.WriteField(hpack.HeaderField{Name: fmt.Sprint("n", sent), Value: string(piece[:12000]), Sensitive: true})
				err = r.framer.WriteContinuation(1, false, r.header.Bytes()[:min(r.header.Len(), 16000)])
			}
			if err == nil {
				t.Errorf("%d bytes of header were taken", sent)
			}
		}, 16 * mib},
		{"a header that is too large", func(t *testing.T) {
			ctx := metadata.AppendToOutgoingContext(within(t, 5*time.Second), "x", strings.Repeat("x", 2*headerBytesMax))
			if _, err := cli.Get(ctx, "large"); err == nil {
				t.Error("it was served")
			}
		}, 16 * mib},
		{"a message of a gigabyte", func(t *testing.T) {
			r := newRude(t, c)
			stream, err := r.open("/etcdserverpb.KV/Put")
			if err == nil {
				err = r.framer.WriteData(stream, false, binary.BigEndian.AppendUint32([]byte{0}, 1<<30))
			}
			if err != nil {
				t.Fatal(err)
			}
			if status := r.status(stream); status != "8" { // ResourceExhausted
				t.Errorf("grpc-status %q", status)
			}
		}, 16 * mib},
		{"pings", func(t *testing.T) {
			r := newRude(t, c)
			go func() {
				for range 10_000 {
					if r.framer.WritePing(false, [8]byte{}) != nil {
						return
					}
				}
			}()
			if code, text, _ := r.drain(); code != http2.ErrCodeEnhanceYourCalm || text != "too_many_pings" {
				t.Errorf("%v %q", code, text)
			}
		}, 16 * mib},
		{"settings, unread answers", func(t *testing.T) {
			r := newRude(t, c)
			r.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
			for range 200_000 {
				if r.framer.WriteSettings() != nil {
					return // the server stopped reading: it has enough to say already
				}
			}
		}, 16 * mib},
		{"resets", func(t *testing.T) {
			r := newRude(t, c)
			go r.drain()
			body := message(&pb.RangeRequest{Key: []byte("large")})
			for range 5000 {
				stream, err := r.open("/etcdserverpb.KV/Range")
				if err == nil {
					err = r.framer.WriteData(stream, true, body)
				}
				if err == nil {
					err = r.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
				}
				if err != nil {
					return
				}
			}
		}, 128 * mib},
		{"a window of zero", func(t *testing.T) {
			r := newRude(t, c, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			go r.drain()
			body := message(&pb.RangeRequest{Key: []byte("large")})
			for range 50 {
				stream, err := r.open("/etcdserverpb.KV/Range")
				if err == nil {
					err = r.framer.WriteData(stream, true, body)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(200 * time.Millisecond)
		}, 128 * mib}, // 50 answers, once each
	} {
		heap, running := memory(), goroutines()
		t.Run(abuse.name, func(t *testing.T) {
			abuse.do(t)
			if grown := memory(); grown > heap+abuse.heap {
				t.Errorf("heap of %d MiB, %d before", grown/mib, heap/mib)
			}
			if _, err := cli.Get(within(t, 5*time.Second), "large", clientv3.WithKeysOnly()); err != nil {
				t.Errorf("a polite client: %v", err)
			}
		})
		// Its connection is closed now.
		settles(t, "goroutines after "+abuse.name, running+5, goroutines)
		settles(t, "heap after "+abuse.name, heap+16*mib, memory)
	}
}

// status reads a stream's grpc-status.
func (r *rude) status(stream uint32) string {
	r.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		f, err := r.framer.ReadFrame()
		if err != nil {
			r.t.Fatal(err)
		}
		h, ok := f.(*http2.MetaHeadersFrame)
		if !ok || h.StreamID != stream {
			continue
		}
		for _, field := range h.Fields {
			if field.Name == "grpc-status" {
				return field.Value
			}
		}
	}
}

// TestSlowClients: who dribbles bytes, or says nothing, is let go.
func TestSlowClients(t *testing.T) {
	const patience = 300 * time.Millisecond
	p := newPapers(t)
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.ClientTLS = p.issue("member", "127.0.0.1")
		cfg.ListenClientURLs += "," + https(cfg.ListenClientURLs)
		cfg.AdvertiseClientURLs = cfg.ListenClientURLs
		cfg.handshakeTimeout = patience
	})
	plain, _, _ := strings.Cut(c.configs[0].ListenClientURLs, ",")
	for _, say := range []string{"", "P", "PRI * HTT", "GET /health HTTP/1.1\r\nX-", "\x16\x03\x01", http2.ClientPreface} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(plain, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for i := range len(say) {
			if _, err := conn.Write([]byte{say[i]}); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		conn.SetReadDeadline(time.Now().Add(20 * patience))
		_, err = io.Copy(io.Discard, conn)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("%q: still connected after %v", say, time.Since(began))
		}
		conn.Close()
	}
}

// TestConnectionRation: clients can't take the descriptors that the member needs.
func TestConnectionRation(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRation(descriptorsReserved+2, time.Minute)
	l := r.listener(inner)
	accepted := make(chan net.Conn, 3)
	ended := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	for range 3 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first := <-accepted
	second := <-accepted
	select {
	case <-accepted:
		t.Fatal("a third connection over a ration of two")
	case <-time.After(50 * time.Millisecond):
	}
	for range 2 { // closing twice frees one slot
		first.Close()
	}
	third := <-accepted
	select {
	case <-accepted:
		t.Fatal("one close freed two slots")
	case <-time.After(50 * time.Millisecond):
	}
	l.Close()
	if err := <-ended; err == nil {
		t.Error("a closed listener accepts")
	}
	second.Close()
	third.Close()
}

// TestStalledReader: a client that takes nothing is let go, so that what waits
// for it is freed.
func TestStalledReader(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newRation(0, 100*time.Millisecond).listener(inner)
	defer l.Close()
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*clientConn).served.Store(true)
	piece := make([]byte, mib)
	for end := time.Now().Add(10 * time.Second); ; {
		if _, err := conn.Write(piece); err != nil {
			if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
				t.Errorf("%v", err)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("a client that reads nothing takes everything")
		}
	}
}

// TestHardened: the profile tightens, and never loosens what was asked for.
func TestHardened(t *testing.T) {
	for _, c := range []struct {
		name    string
		edit    func(*Config)
		streams uint32
		version string
		header  int
	}{
		{"off", func(*Config) {}, 1<<32 - 1, "TLS1.2", headerBytesMax},
		{"on", func(c *Config) { c.Hardened = true }, 1000, "TLS1.3", 16 << 10},
		{"fewer streams", func(c *Config) { c.Hardened, c.MaxConcurrentStreams = true, 10 }, 10, "TLS1.3", 16 << 10},
		{"an old version", func(c *Config) { c.Hardened, c.TLSMaxVersion = true, "TLS1.2" }, 1000, "TLS1.2", 16 << 10},
	} {
		cfg := DefaultConfig()
		c.edit(&cfg)
		set, err := cfg.resolve()
		if err != nil {
			t.Fatal(err)
		}
		if set.MaxConcurrentStreams != c.streams || set.TLSMinVersion != c.version || set.limits.headerBytes != c.header {
			t.Errorf("%s: %d streams, %s, %d bytes of header", c.name, set.MaxConcurrentStreams, set.TLSMinVersion, set.limits.headerBytes)
		}
	}
}

// TestFileModes: what a member writes is for its owner.
func TestFileModes(t *testing.T) {
	c := newCluster(t, 1, overTLS(TLS{Auto: true}, TLS{Auto: true}))
	seen := 0
	err := filepath.WalkDir(c.configs[0].DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		switch {
		case d.IsDir():
			want = 0o700
		case strings.HasSuffix(path, "cert.pem"): // nothing secret
			want = 0o644
		}
		seen++
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil || seen < 5 {
		t.Errorf("%d files, %v", seen, err)
	}
}

// TestOpenDirectory: a directory that others may look into is told.
func TestOpenDirectory(t *testing.T) {
	var log syncBuffer
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.Logger = NewLogger(&log, slog.LevelInfo)
		if err := os.Mkdir(cfg.DataDir, 0o755); err != nil {
			t.Fatal(err)
		}
	})
	const words = "the data directory is open to others"
	if !strings.Contains(log.String(), words) {
		t.Error("nothing was said")
	}
	before := strings.Count(log.String(), words)
	if err := os.Chmod(c.configs[0].DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := c.members[0].Stop(); err != nil {
		t.Fatal(err)
	}
	c.start(0)
	c.ready(0)
	if strings.Count(log.String(), words) != before {
		t.Error("told of a directory that is closed")
	}
}
