package tcp

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/internal/oneport"
	"github.com/holdfast-db/holdfast/transport"
)

const (
	// coalesceBytes is how many bytes of small frames share one write call.
	coalesceBytes = 64 << 10
	// pieceBytes is what a write deadline is given for: a large frame on a slow
	// link is progress, and must not be cut off for being large.
	pieceBytes = 256 << 10
)

// stream is a connection whose reads and writes end when nothing moves for too
// long. One goroutine may read and one may write.
type stream struct {
	conn    net.Conn
	reader  *transport.Reader
	writer  *bufio.Writer
	patient patientConn
}

// patientConn renews the deadline with each piece that is read or written.
type patientConn struct {
	conn          net.Conn
	read, write   time.Duration
	sent, arrived *atomic.Uint64
	// until, if set, is a deadline for all of it: a handshake gets no credit
	// for dribbling.
	until time.Time
}

func (p *patientConn) deadline(patience time.Duration) time.Time {
	if !p.until.IsZero() {
		return p.until
	}
	return time.Now().Add(patience)
}

func newStream(conn net.Conn, read, write time.Duration, sent, arrived *atomic.Uint64) *stream {
	s := &stream{conn: conn, patient: patientConn{conn: conn, read: read, write: write, sent: sent, arrived: arrived}}
	s.reader = transport.NewReader(&s.patient)
	s.writer = bufio.NewWriterSize(&s.patient, coalesceBytes)
	return s
}

// Read implements io.Reader.
func (p *patientConn) Read(b []byte) (int, error) {
	if err := p.conn.SetReadDeadline(p.deadline(p.read)); err != nil {
		return 0, err
	}
	n, err := p.conn.Read(b)
	p.arrived.Add(uint64(n))
	return n, err
}

// Write implements io.Writer.
func (p *patientConn) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		if err := p.conn.SetWriteDeadline(p.deadline(p.write)); err != nil {
			return written, err
		}
		n, err := p.conn.Write(b[written:min(len(b), written+pieceBytes)])
		written += n
		p.sent.Add(uint64(n))
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// send writes frames and flushes them: small ones together, large ones as they are.
func (s *stream) send(frames ...[]byte) error {
	for _, f := range frames {
		if _, err := s.writer.Write(f); err != nil {
			return err
		}
	}
	return s.writer.Flush()
}

// hangUp ends the connection at once, whatever its reader and writer wait for.
func (s *stream) hangUp() { hangUp(s.conn) }

// hangUp closes the socket below TLS: tls.Conn.Close may wait seconds to say
// goodbye to a peer that does not listen.
func hangUp(conn net.Conn) {
	if begun, ok := conn.(*oneport.Conn); ok {
		conn = begun.Conn
	}
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	conn.Close()
}

var pingFrame = transport.AppendFrame(nil, transport.KindPing)
