//go:build unix

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestServiceManager: a unit with Type=notify, as distributions' packages of etcd have it, is started when the process
// says so, and it says so once clients are let in. Without a quorum that isn't yet.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "notify") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	address := filepath.Join(dir, "s")
	socket := must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"}))(t)
	t.Cleanup(func() { _ = socket.Close() })
	c := must(proc.New(proc.Options{Binary: serverBinary, Members: 3, Dir: t.TempDir(), Env: []string{"NOTIFY_SOCKET=" + address}}))(t)
	t.Cleanup(func() { _ = c.KillAll() })

	if err := c.Members[0].Start(); err != nil {
		t.Fatal(err)
	}
	if said := hear(t, socket, 2*time.Second); said != "" {
		t.Errorf("alone it says %q", said)
	}
	for _, m := range c.Members[1:] {
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for range c.Members {
		if said := hear(t, socket, 30*time.Second); said != "READY=1" {
			t.Fatalf("it says %q", said)
		}
	}
	if err := c.WaitReady(timeout(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}

// hear returns what is said within so long, "" for nothing.
func hear(t *testing.T, socket *net.UnixConn, within time.Duration) string {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	n, err := socket.Read(buf)
	if err != nil && !os.IsTimeout(err) {
		t.Fatal(err)
	}
	return string(buf[:n])
}
