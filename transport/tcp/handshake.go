package tcp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// hello is what this member says to the member to.
func (t *Transport) hello(to raft.NodeID, snapshot bool) transport.Hello {
	h := t.config.Self()
	h.Version = transport.ProtocolVersion
	h.To, h.Snapshot = to, snapshot
	h.URLs = strings.Join(t.config.Advertise, ",")
	return h
}

// greet is the dialler's half of the handshake: Hello out, Hello or Refusal in.
func (t *Transport) greet(ctx context.Context, s *stream, to raft.NodeID, snapshot bool) (transport.Hello, error) {
	stop := context.AfterFunc(ctx, func() { s.hangUp() })
	defer stop()
	s.patient.until = time.Now().Add(t.config.HandshakeTimeout)
	// The first write makes TLS's handshake, which reads, too: a write deadline
	// alone would wait for ever for an answer that nobody sends.
	if err := s.conn.SetDeadline(s.patient.until); err != nil {
		return transport.Hello{}, err
	}
	ours := t.hello(to, snapshot)
	if err := s.send(transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil, ours))); err != nil {
		return transport.Hello{}, err
	}
	peer, err := readHello(s)
	if err != nil {
		return transport.Hello{}, err
	}
	if peer.From != to {
		return transport.Hello{}, fmt.Errorf("tcp: dialled member %v, member %v answered", to, peer.From)
	}
	if refusal := t.vet(ours, peer); refusal != nil {
		return transport.Hello{}, fmt.Errorf("tcp: member %v is not accepted: %s", to, refusal.Reason)
	}
	s.patient.until = time.Time{}
	return peer, nil
}

func readHello(s *stream) (transport.Hello, error) {
	f, err := s.reader.NextOf(transport.KindHello, transport.KindRefusal)
	if err != nil {
		return transport.Hello{}, err
	}
	if f.Kind == transport.KindRefusal {
		refusal, err := transport.DecodeRefusal(f.Payload)
		if err != nil {
			return transport.Hello{}, err
		}
		return transport.Hello{}, &refusal
	}
	return transport.DecodeHello(f.Payload)
}

// vet applies the rules of both sides to a peer's Hello.
func (t *Transport) vet(ours, peer transport.Hello) *transport.Refusal {
	if refusal := transport.CheckHello(ours, peer); refusal != nil {
		return refusal
	}
	if t.config.Vet != nil {
		return t.config.Vet(peer)
	}
	return nil
}

// welcome is the accepting half: it answers a Hello with ours, or with a
// refusal, which is also returned.
func (t *Transport) welcome(s *stream) (transport.Hello, error) {
	s.patient.until = time.Now().Add(t.config.HandshakeTimeout)
	peer, err := readHello(s)
	if err != nil {
		return transport.Hello{}, err
	}
	ours := t.hello(peer.From, peer.Snapshot)
	refusal := t.vet(ours, peer)
	if refusal == nil {
		refusal = t.inbounds.check(peer)
	}
	if refusal != nil {
		return peer, errors.Join(refusal, s.send(refusalFrame(refusal)))
	}
	err = s.send(transport.AppendFrame(nil, transport.KindHello, transport.AppendHello(nil, ours)))
	s.patient.until = time.Time{}
	return peer, err
}

func refusalFrame(r *transport.Refusal) []byte {
	return transport.AppendFrame(nil, transport.KindRefusal, transport.AppendRefusal(nil, *r))
}
