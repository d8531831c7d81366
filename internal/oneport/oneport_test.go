package oneport

import (
	"errors"
	"io"
	"net"
	"testing"
)

// TestSniff: as many bytes are read as it takes to know, and none is lost.
func TestSniff(t *testing.T) {
	for _, c := range []struct{ sent, head string }{
		{"PRI * HTTP/2.0\r\n\r\nSM", "PRI * HTTP/2.0"},
		{"PRINT / HTTP/1.1\r\n", "PRINT / HTTP/1"},
		{"P", "P"},
	} {
		client, server := net.Pipe()
		go func() {
			io.WriteString(client, c.sent)
			client.Close()
		}()
		head, err := Sniff(server)
		if err != nil || string(head) != c.head {
			t.Errorf("%q: %q, %v", c.sent, head, err)
		}
		all, err := io.ReadAll(&Conn{Conn: server, Head: head})
		if err != nil || string(all) != c.sent {
			t.Errorf("%q: then %q, %v", c.sent, all, err)
		}
	}
}

// TestHandoff: what is given is accepted, and closed when nobody accepts any more.
func TestHandoff(t *testing.T) {
	h := NewHandoff()
	_, server := net.Pipe()
	go h.Give(server)
	if got, err := h.Accept(); err != nil || got != server {
		t.Errorf("%v, %v", got, err)
	}
	h.Close()
	h.Give(server)
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("not closed: %v", err)
	}
	if _, err := h.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
