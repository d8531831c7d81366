// Package servertest runs a member in the process of a test, for tests of what
// stands before a server: commands and proxies.
package servertest

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
	"github.com/holdfast-db/holdfast/server"
)

// readyWithin is more than a cluster of one takes to elect itself on a busy machine.
const readyWithin = 10 * time.Second

// Start runs a cluster of one on loopback until the test ends, and returns its
// clients' address (HOST:PORT) and its data directory.
func Start(t *testing.T, edit ...func(*server.Config)) (address, dir string) {
	t.Helper()
	client, peer := freeURL(t), freeURL(t)
	c := server.DefaultConfig()
	c.DataDir = filepath.Join(t.TempDir(), "data")
	c.ListenClientURLs, c.AdvertiseClientURLs = client, client
	c.ListenPeerURLs, c.InitialAdvertisePeerURLs = peer, peer
	c.Logger = slog.New(slog.DiscardHandler)
	c.BcryptCost = 4 // the lowest: nothing here is about guessing
	for _, f := range edit {
		f(&c)
	}
	s, err := server.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case <-time.After(readyWithin):
		t.Fatal("not ready")
	}
	return strings.TrimPrefix(client, "http://"), c.DataDir
}

func freeURL(t *testing.T) string {
	t.Helper()
	port, err := proc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}
