package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/snapshot"
	"github.com/holdfast-db/holdfast/transport"
	"github.com/holdfast-db/holdfast/transport/tcp"
)

// peers is the driver as the transport sees it: what comes from other members
// becomes events of the core.
type peers struct {
	d       *driver
	removed func() // another member says that this one was removed

	// receiving allows one snapshot at a time: two would only fight for the disk.
	receiving sync.Mutex
}

// OnFrame hands a frame to the core; a malformed one closes the link. It waits while the core is behind, which
// stops reading from that peer and from nobody else.
func (p *peers) OnFrame(from raft.NodeID, _ raft.Incarnation, f transport.Frame) error {
	ev, err := replica.DecodeFrame(from, f)
	if err != nil {
		return err
	}
	if !p.d.boxes[replica.ToCore].putWait(ev) {
		return tcp.ErrClosed
	}
	return nil
}

// OnConnected lets the core tell the member of this life: what was sent before
// may be lost. Else raft probes by itself.
func (p *peers) OnConnected(id raft.NodeID, _ transport.Hello) {
	p.d.post(replica.PeerConnectedEvent{Peer: id})
}

// OnUnreachable tells raft that messages were lost, so that it probes instead
// of waiting for answers.
func (p *peers) OnUnreachable(id raft.NodeID, err error) {
	var refusal *transport.Refusal
	if errors.As(err, &refusal) && refusal.Code == transport.RefusedRemoved {
		p.removed()
	}
	p.d.log.Debug("peer unreachable", "peer", id.String(), "reason", err.Error()) // the link tells of it aloud
	p.d.metrics.sendFailures.Inc()
	p.d.post(replica.PeerUnreachableEvent{Peer: id})
}

// OnPeerClosed tells raft that a member's process is gone.
func (p *peers) OnPeerClosed(id raft.NodeID) {
	p.d.log.Info("peer's process is gone", "peer", id.String())
	p.d.post(replica.PeerClosedEvent{Peer: id})
}

// OnSnapshot takes in a snapshot that the leader sends because its log no
// longer reaches back to where this member stands.
func (p *peers) OnSnapshot(from raft.NodeID, incarnation raft.Incarnation, offer tcp.SnapshotOffer) (tcp.SnapshotSink, error) {
	if !p.receiving.TryLock() {
		return nil, tcp.ErrBusy
	}
	r, err := p.d.replica.ReceiveSnapshot(snapshot.Incoming{Last: offer.Meta.Last, Size: offer.Size, Digest: offer.File})
	if err != nil {
		p.receiving.Unlock()
		p.d.log.Warn("cannot take a snapshot", "peer", from.String(), "error", err)
		return nil, err
	}
	p.d.log.Info("receiving snapshot", "peer", from.String(), "last", offer.Meta.Last.String(), "bytes", offer.Size, "offset", r.Offset())
	p.d.metrics.receiving.Set(1)
	return &incoming{peers: p, from: from, incarnation: incarnation, term: offer.Term, receiver: r, began: time.Now()}, nil
}

// incoming is one transfer's sink.
type incoming struct {
	peers       *peers
	from        raft.NodeID
	incarnation raft.Incarnation
	term        raft.Term
	receiver    *snapshot.Receiver
	began       time.Time
	over        bool
}

func (s *incoming) Offset() int64 { return s.receiver.Offset() }

func (s *incoming) Write(p []byte) error { return s.receiver.Write(s.receiver.Offset(), p) }

// Commit verifies the file and makes it durable before raft hears of it.
func (s *incoming) Commit() error {
	if !s.receiver.Done() {
		return snapshot.ErrForeign // sound so far, but not a whole snapshot
	}
	meta, err := s.receiver.Finish()
	if err != nil {
		return err
	}
	if err := s.peers.d.replica.VerifySnapshot(meta.Last); err != nil {
		return err
	}
	s.end()
	s.peers.d.log.Info("received snapshot", "peer", s.from.String(), "last", meta.Last.String())
	s.peers.d.post(replica.SnapshotArrivedEvent{From: s.from, Incarnation: s.incarnation, Term: s.term, Meta: meta})
	return nil
}

// Abort keeps what has come, for the next try to go on from.
func (s *incoming) Abort(err error) {
	s.peers.d.log.Warn("snapshot transfer broke", "peer", s.from.String(), "error", err)
	_ = s.receiver.Close() // a file that can't be closed is checked again anyway
	s.end()
}

func (s *incoming) end() {
	if !s.over {
		s.over = true
		s.peers.d.metrics.receiving.Set(0)
		s.peers.d.metrics.times.receive.Observe(time.Since(s.began).Seconds())
		s.peers.receiving.Unlock()
	}
}

// sendSnapshot streams a snapshot to a member that lags too far for the log.
func (d *driver) sendSnapshot(order replica.SnapshotOrder) {
	unreadable, err := d.streamSnapshot(order)
	if err != nil && !errors.Is(err, tcp.ErrClosed) {
		d.log.Warn("cannot send snapshot", "peer", order.To.String(), "last", order.Last.String(), "error", err)
	}
	d.post(replica.SnapshotSentEvent{To: order.To, Last: order.Last, OK: err == nil, Unreadable: unreadable})
}

// streamSnapshot also tells whether it failed for this member's own file.
func (d *driver) streamSnapshot(order replica.SnapshotOrder) (unreadable bool, err error) {
	file, err := d.replica.OpenSnapshot(order.Last)
	if err != nil {
		return true, err
	}
	defer file.Close()
	d.log.Info("sending snapshot", "peer", order.To.String(), "last", order.Last.String(), "bytes", file.Size())
	offer := tcp.SnapshotOffer{Term: order.Term, Meta: file.Meta(), Size: file.Size(), File: file.Digest()}
	err = d.network.SendSnapshot(context.Background(), order.To, offer, file)
	return file.Failed() != nil, err
}
