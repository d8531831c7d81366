package tcp

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// Handler is the driver's side. Its methods are called from the goroutines of
// links: those about one link in order, others at the same time. They may call
// Send, SetPeers and Stats, but not Close, and should only hand things over:
// as long as OnFrame runs, nothing more is read from that peer.
type Handler interface {
	// OnFrame delivers a frame of kind KindRaft, KindForward or
	// KindForwardReply that came over a connection of the member from. The
	// payload belongs to the handler. An error says that it is malformed or not
	// from that member; the connection is then closed.
	OnFrame(from raft.NodeID, incarnation raft.Incarnation, f transport.Frame) error
	// OnConnected: the link that we dial to the member stands; peer is its Hello.
	OnConnected(id raft.NodeID, peer transport.Hello)
	// OnUnreachable: frames to the member were or will be lost: the link ended,
	// a dial failed, or the queue is full (told once until it drains).
	OnUnreachable(id raft.NodeID, err error)
	// OnPeerClosed: the link that we dial to the member ended, and an immediate
	// redial was refused or met another boot. Its process is gone.
	OnPeerClosed(id raft.NodeID)
	// OnSnapshot decides on a snapshot that a member offers. The sink takes its
	// bytes. An error is told to the sender, which gives up; with ErrBusy it asks
	// a few times more.
	OnSnapshot(from raft.NodeID, incarnation raft.Incarnation, offer SnapshotOffer) (SnapshotSink, error)
}

// SnapshotOffer describes a snapshot file.
type SnapshotOffer struct {
	// Term is the sender's, for the InstallSnapshot that follows.
	Term raft.Term
	Meta raft.SnapshotMeta
	// Size of the file in bytes, positive.
	Size int64
	// File names the bytes: two files with the same Meta, Size and File are
	// equal, so that a transfer may go on where another one ended. A hash of
	// the file's footer will do.
	File uint64
}

// SnapshotSink takes one transfer on the receiving side. The calls come from
// one goroutine: Offset once, then Write in order, and at the end either
// Commit or Abort (both, if Commit fails). At most one transfer of a member runs
// at a time; those of different members may overlap.
type SnapshotSink interface {
	// Offset is the number of leading bytes that an earlier transfer of the same
	// offer has brought already.
	Offset() int64
	// Write takes the next bytes. p is only lent. An error ends the transfer and
	// is told to the sender.
	Write(p []byte) error
	// Commit: all bytes are there; verify them and make them durable. It may
	// take long. An error is told to the sender.
	Commit() error
	// Abort: the transfer broke, or Commit failed. What has arrived may be kept
	// for the next Offset.
	Abort(err error)
}
