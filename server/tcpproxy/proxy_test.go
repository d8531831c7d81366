package tcpproxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-db/holdfast/internal/proc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers each connection with its name, then echoes until the client has said its last, then says "bye".
func server(t *testing.T, name, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintln(conn, name)
				if _, err := io.Copy(conn, conn); err == nil {
					fmt.Fprint(conn, "bye")
				}
			}()
		}
	}()
	return l
}

type running struct {
	*Proxy
	log  *proc.Output
	stop func() error // asks it to end and waits
}

func (r *running) address() string { return r.Listener.Addr().String() }

func startProxy(t *testing.T, retry time.Duration, addresses ...string) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Proxy: &Proxy{Listener: l, RetryDelay: retry}, log: &proc.Output{}}
	r.Log = slog.New(slog.NewTextHandler(r.log, nil))
	for _, a := range addresses {
		r.Endpoints = append(r.Endpoints, Endpoint{Address: a})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = func() error { cancel(); return <-ended }
	t.Cleanup(func() { cancel() })
	return r
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// greeting is who answered a new connection; "" for nobody.
func greeting(t *testing.T, address string) string {
	t.Helper()
	conn := dial(t, address)
	defer conn.Close()
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

// TestHalfClose: the client says its last word, and still hears all of the server's answer.
func TestHalfClose(t *testing.T) {
	s := server(t, "n1", "127.0.0.1:0")
	p := startProxy(t, time.Minute, s.Addr().String())
	conn := dial(t, p.address())
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		if _, err := conn.Write(sent); err == nil {
			_ = conn.CloseWrite()
		}
	}()
	got, err := io.ReadAll(conn)
	want := "n1\n" + string(sent) + "bye"
	if err != nil || string(got) != want {
		t.Errorf("%d bytes, want %d; error %v", len(got), len(want), err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// TestSetAside: an endpoint that is gone costs no client its connection, is left alone, and is back in turn once a
// probe finds it.
func TestSetAside(t *testing.T) {
	one, two := server(t, "n1", "127.0.0.1:0"), server(t, "n2", "127.0.0.1:0")
	p := startProxy(t, 50*time.Millisecond, one.Addr().String(), two.Addr().String())
	if a, b := greeting(t, p.address()), greeting(t, p.address()); a != "n1" || b != "n2" {
		t.Fatalf("%s, then %s", a, b)
	}
	address := one.Addr().String()
	one.Close()
	for range 4 {
		if got := greeting(t, p.address()); got != "n2" {
			t.Fatalf("%q answered", got)
		}
	}
	if n := strings.Count(p.log.String(), "deactivated endpoint"); n != 1 {
		t.Errorf("it was set aside %d times:\n%s", n, p.log)
	}
	server(t, "n1", address)
	deadline := time.Now().Add(5 * time.Second)
	for !strings.Contains(p.log.String(), "msg=activated") {
		if time.Now().After(deadline) {
			t.Fatalf("it was never found:\n%s", p.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if a, b := greeting(t, p.address()), greeting(t, p.address()); a != "n1" || b != "n2" {
		t.Errorf("%s, then %s", a, b)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// TestLastResort: when every endpoint was set aside and one is back before its probe, clients get it.
func TestLastResort(t *testing.T) {
	s := server(t, "n1", "127.0.0.1:0")
	address := s.Addr().String()
	s.Close()
	p := startProxy(t, time.Hour, address)
	for range 2 {
		if got := greeting(t, p.address()); got != "" {
			t.Fatalf("%q answered", got)
		}
	}
	server(t, "n1", address)
	if got := greeting(t, p.address()); got != "n1" {
		t.Errorf("%q answered:\n%s", got, p.log)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// TestStop: what is open is closed, new connections are refused, and nothing is left behind (goleak).
func TestStop(t *testing.T) {
	s := server(t, "n1", "127.0.0.1:0")
	p := startProxy(t, time.Minute, s.Addr().String())
	conn := dial(t, p.address())
	r := bufio.NewReader(conn)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
	if c, err := net.Dial("tcp", p.address()); err == nil {
		c.Close()
		t.Error("new connections are accepted")
	}
}
