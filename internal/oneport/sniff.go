package oneport

import (
	"bytes"
	"net"
)

// Preface opens every HTTP/2 connection without TLS (RFC 9113 §3.4). The first
// bytes of it tell gRPC from HTTP/1.1, whose methods are other words.
var Preface = []byte("PRI * HTTP/2.0")

// TLSRecord is the first byte of a TLS connection (RFC 8446 §5.1: handshake).
const TLSRecord = 0x16

// Sniff reads until the first bytes are the preface or can't become it.
func Sniff(conn net.Conn) ([]byte, error) {
	head := make([]byte, 0, len(Preface))
	for len(head) < cap(head) && bytes.HasPrefix(Preface, head) {
		n, err := conn.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if err != nil && len(head) == 0 {
			return nil, err
		}
		if err != nil {
			break
		}
	}
	return head, nil
}

// Conn gives back the bytes that were read to find out.
type Conn struct {
	net.Conn
	Head []byte
}

func (c *Conn) Read(p []byte) (int, error) {
	if len(c.Head) > 0 {
		n := copy(p, c.Head)
		c.Head = c.Head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
