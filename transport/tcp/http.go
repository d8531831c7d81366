package tcp

import (
	"net"
	"time"

	"github.com/holdfast-db/holdfast/internal/oneport"
)

// httpMark is what requests over HTTP begin with; as the length of a frame it
// is beyond all bounds, so no Hello does.
const httpMark = "GET "

// first looks at the first bytes of a connection, if anybody wants HTTP, and
// puts them back. A connection that has none to show in time, or ends, is left
// for the handshake to fail on.
func (t *Transport) first(conn net.Conn, secured bool) (same net.Conn, request bool) {
	if t.config.HTTP == nil || !secured {
		return conn, false
	}
	head := make([]byte, 0, len(httpMark))
	if conn.SetReadDeadline(time.Now().Add(t.config.HandshakeTimeout)) != nil {
		return conn, false
	}
	for len(head) < len(httpMark) && string(head) == httpMark[:len(head)] {
		n, err := conn.Read(head[len(head):len(httpMark)])
		head = head[:len(head)+n]
		if err != nil {
			break
		}
	}
	_ = conn.SetReadDeadline(time.Time{}) // whoever reads next sets his own
	return &oneport.Conn{Conn: conn, Head: head}, string(head) == httpMark
}
