package tcp

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// lingerTime bounds how long a refused sender's chunks are thrown away.
const lingerTime = 2 * time.Second

// ErrBusy may be returned by Handler.OnSnapshot: the sender asks again.
var ErrBusy = errors.New("tcp: another snapshot is being received")

// receiveSnapshot is the receiving half of a snapshot stream. Whatever ends it,
// the sink gets exactly one Commit or Abort (both, if Commit fails).
func (t *Transport) receiveSnapshot(s *stream, peer transport.Hello) error {
	f, err := s.reader.NextOf(transport.KindSnapshot)
	if err != nil {
		return err
	}
	offer, err := decodeOffer(f.Payload)
	if err != nil {
		return err
	}
	end, err := t.beginReceiving(peer.From)
	if err != nil {
		return t.refuseSnapshot(s, err)
	}
	defer end()
	sink, err := t.config.Handler.OnSnapshot(peer.From, peer.Incarnation, offer)
	if err != nil {
		return t.refuseSnapshot(s, err)
	}
	offset := sink.Offset()
	if offset < 0 || offset > offer.Size {
		panic(fmt.Sprintf("tcp: snapshot sink at offset %d of %d", offset, offer.Size))
	}
	if err := s.send(transport.AppendFrame(nil, transport.KindSnapshot, appendAccept(nil, offset))); err != nil {
		sink.Abort(err)
		return err
	}
	stopPings := keepAlive(s, t.config.PingInterval)
	ours, err := t.fill(s, sink, offer, offset)
	stopPings()
	switch {
	case err == nil:
		return s.send(transport.AppendFrame(nil, transport.KindSnapshot, []byte{snapshotDone}))
	case ours:
		return t.refuseSnapshot(s, err)
	}
	return err
}

// beginReceiving waits until an earlier transfer of the same sender has ended,
// whose connection admit has closed: what was in its buffers must not be
// written behind the back of this one. A long Commit is not waited for.
func (t *Transport) beginReceiving(from raft.NodeID) (end func(), err error) {
	patience := time.NewTimer(t.config.HandshakeTimeout)
	defer patience.Stop()
	in := t.inbounds
	for {
		in.mu.Lock()
		earlier := in.receiving[from]
		if earlier == nil {
			done := make(chan struct{})
			in.receiving[from] = done
			in.mu.Unlock()
			return func() { in.endReceiving(from, done) }, nil
		}
		in.mu.Unlock()
		select {
		case <-earlier:
		case <-patience.C:
			return nil, ErrBusy
		case <-t.ctx.Done():
			return nil, ErrClosed
		}
	}
}

func (in *inbounds) endReceiving(from raft.NodeID, done chan struct{}) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.receiving, from)
	close(done)
}

// fill brings all chunks into the sink and commits. ours tells an error of
// this side, which the sender should hear, from one of the connection.
func (t *Transport) fill(s *stream, sink SnapshotSink, offer SnapshotOffer, offset int64) (ours bool, err error) {
	defer func() {
		if err != nil {
			sink.Abort(err)
		}
	}()
	for offset < offer.Size {
		f, err := s.reader.NextOf(transport.KindSnapshot)
		if err != nil {
			return false, err
		}
		data, err := decodeChunk(f.Payload, offset, offer.Size)
		if err != nil {
			return false, err
		}
		if err := sink.Write(data); err != nil {
			return true, err
		}
		offset += int64(len(data))
	}
	return true, sink.Commit()
}

func (t *Transport) refuseSnapshot(s *stream, why error) error {
	code := transport.RefusedSnapshot
	if errors.Is(why, ErrBusy) {
		code = transport.RefusedBusy
	}
	err := s.send(refusalFrame(&transport.Refusal{Code: code, Reason: why.Error()}))
	// Closing a connection with unread bytes resets it, and a reset may
	// overtake the refusal. The sender hangs up when it has read it.
	s.patient.until = time.Now().Add(lingerTime)
	_, _ = io.Copy(io.Discard, &s.patient) // how it ends tells nothing new
	return errors.Join(why, err)
}
