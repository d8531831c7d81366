package sim

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/snapshot"
	"github.com/holdfast-db/holdfast/transport"
)

// outgoing is a snapshot on its way to another member: chunks over virtual
// time, on a link of its own, as the server sends it.
type outgoing struct {
	from, to         *Node
	fromLife, toLife uint64
	order            replica.SnapshotOrder
	reader           *snapshot.Sender
	receiver         *snapshot.Receiver // the other end, once it has agreed
	offset           int64
	unreadable       bool // for the sender's own file
	// before is the chunk that was sent last; tainted: one was damaged before it
	// got its frame.
	before  []byte
	tainted bool
}

// streamSnapshot begins what an actor ordered.
func (n *Node) streamSnapshot(o replica.SnapshotOrder) {
	n.w.count.add("snapshot streams")
	s := &outgoing{from: n, fromLife: n.life, to: n.w.node(o.To), order: o}
	n.later(n.w.net.delay(n.id, o.To, 64), whatChunk, s.begin)
}

// begin opens the file here and there. The receiver says where to go on, if an
// earlier transfer was interrupted.
func (s *outgoing) begin() {
	n := s.from
	reader, err := n.rep.OpenSnapshot(s.order.Last)
	if n.diskStopped() {
		n.crashAtDisk("opening a snapshot")
		return
	}
	if err != nil {
		s.unreadable = true // damaged, or retired meanwhile: raft asks again for a newer one
		if errors.Is(err, snapshot.ErrCorrupt) {
			n.w.count.add("snapshots found rotten by their sender")
		}
		s.end(false)
		return
	}
	s.reader = reader
	if s.to == nil || !s.to.up || s.to.removed || !n.w.net.open(n.id, s.order.To) {
		s.end(false)
		return
	}
	s.toLife = s.to.life
	s.receive()
}

// receive opens the other end. One member receives one snapshot at a time.
func (s *outgoing) receive() {
	if old := s.to.receiving; old != nil {
		if old.sending() {
			s.end(false) // one at a time: it is busy
			return
		}
		_ = old.receiver.Close() // its sender died; what arrived is taken up again
	}
	receiver, err := s.to.rep.ReceiveSnapshot(s.reader.Incoming())
	if s.to.diskStopped() {
		s.to.crashAtDisk("receiving a snapshot")
		s.end(false)
		return
	}
	if err != nil {
		s.mustExcuse(err, Crashed, "S1 snapshots are received")
		s.end(false)
		return
	}
	s.receiver, s.to.receiving = receiver, s
	s.offset = receiver.Offset()
	s.next()
}

func (s *outgoing) next() {
	pace := s.from.w.net.knobs.ChunkMicros
	if s.from.w.net.perfect {
		pace = 50 // a slow link is a fault too
	}
	if s.to != nil {
		// It shares the link with everything else, and waits where a frame would
		// be dropped.
		pace += s.from.w.net.links[s.from.id][s.to.id].hold(s.from.w.now, s.from.w.net.knobs.ChunkBytes)
	}
	if pace > backlogMax {
		s.end(false)
		return
	}
	s.from.later(pace, whatChunk, s.chunk)
}

// sending tells whether this end is still the process that began.
func (s *outgoing) sending() bool { return s.from.up && s.from.life == s.fromLife }

// taken tells whether the other end is still there and takes this stream.
func (s *outgoing) taken() bool {
	return s.receiver != nil && s.to.life == s.toLife && s.to.up && !s.to.removed && s.to.receiving == s
}

// chunk carries one frame of the stream.
func (s *outgoing) chunk() {
	w, net := s.from.w, s.from.w.net
	if !s.taken() || !net.open(s.from.id, s.to.id) || !net.open(s.to.id, s.from.id) {
		w.count.add("snapshot streams interrupted")
		s.end(false)
		return
	}
	frame, n, err := s.frame()
	if err != nil {
		s.mustExcuse(err, Crashed, "S1 snapshots are readable")
		s.unreadable = true
		w.count.add("snapshots found rotten by their sender")
		s.end(false)
		return
	}
	if n == 0 {
		s.finish()
		return
	}
	if w.phase == PhaseChaos && net.draw.chance(net.knobs.CorruptPPM) {
		frame = net.corrupt(frame)
		w.count.add("frames corrupted")
	}
	f, _, err := transport.DecodeFrame(frame)
	if err != nil {
		s.end(false) // the link is closed at the first bad frame
		return
	}
	if !s.written(f.Payload) {
		s.end(false)
		return
	}
	s.offset += int64(n)
	w.trace.mark(w.now, whatChunk, uint8(s.to.id), uint64(s.from.id), uint64(s.offset), 0)
	s.next()
}

// written gives a chunk to the receiver, and tells whether it took it.
func (s *outgoing) written(payload []byte) bool {
	err := s.receiver.Write(int64(binary.LittleEndian.Uint64(payload)), payload[8:])
	switch {
	case s.to.diskStopped():
		s.to.crashAtDisk("writing a snapshot's chunk")
		return false
	case err != nil && s.tainted:
		s.from.w.count.add("damaged chunks refused")
	case err != nil:
		s.mustExcuse(err, Unsafe, "S2 snapshots arrive as they were sent")
	}
	return err == nil
}

// frame reads the next part of the file; 0 bytes at its end.
func (s *outgoing) frame() ([]byte, int, error) {
	chunk := make([]byte, s.from.w.net.knobs.ChunkBytes)
	n, err := s.reader.ReadAt(chunk, s.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	chunk = chunk[:min(n, int(s.reader.Size()-s.offset))]
	if net := s.from.w.net; len(chunk) > 0 && !net.perfect && !s.tainted && net.draw.chance(net.knobs.CorruptPPM) {
		s.spoil(chunk)
	}
	s.before = chunk
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(s.offset))
	return transport.AppendFrame(nil, transport.KindSnapshot, head[:], chunk), len(chunk), nil
}

// finish makes the received file durable and tells both ends.
func (s *outgoing) finish() {
	w, to := s.from.w, s.to
	if s.tainted {
		s.finishTainted()
		return
	}
	meta, err := s.receiver.Finish()
	if err == nil {
		err = to.rep.VerifySnapshot(meta.Last)
	}
	to.receiving = nil
	_ = s.receiver.Close() // as the transport does in the end
	if to.diskStopped() {
		to.crashAtDisk("finishing a snapshot")
		s.end(false)
		return
	}
	if errors.Is(err, disk.ErrNotExist) && stateOf(to.rep).AppliedIndex() >= uint64(s.order.Last.Index) {
		w.count.add("snapshot streams outdated") // its part went with the older snapshots
		s.end(false)
		return
	}
	if err != nil {
		s.mustExcuse(err, Unsafe, "S2 snapshots arrive as they were sent")
		s.end(false)
		return
	}
	w.count.add("snapshots received")
	to.checkSnapshots("a snapshot was received")
	w.trace.line(w.now, whatChunk, uint8(to.id), "has received snapshot %v from n%d", meta.Last, s.from.id)
	incarnation := s.from.rep.Recovered().Incarnation
	to.later(w.net.delay(s.from.id, to.id, 64), whatChunk, func() {
		to.enqueue(replica.SnapshotArrivedEvent{From: s.from.id, Incarnation: incarnation, Term: s.order.Term, Meta: meta})
	})
	s.end(true)
}

// finishTainted: all bytes have come, and those that were damaged must not pass.
func (s *outgoing) finishTainted() {
	if s.receiver.Done() {
		s.from.w.unsafe("S2 damaged chunks are refused", uint8(s.to.id), "snapshot %v from n%d was damaged on its way and found sound", s.order.Last, s.from.id)
	}
	s.from.w.count.add("damaged chunks refused")
	s.end(false)
}

// end tells the sender's core, and frees both ends.
func (s *outgoing) end(ok bool) {
	if s.reader != nil {
		_ = s.reader.Close() // a read-only handle
	}
	if !ok && s.taken() {
		_ = s.receiver.Close() // what arrived stays, to be taken up again
		s.to.receiving = nil
	}
	s.from.later(s.from.w.net.delay(s.from.id, s.order.To, 64), whatChunk, func() {
		s.from.enqueue(replica.SnapshotSentEvent{To: s.order.To, Last: s.order.Last, OK: ok, Unreadable: s.unreadable})
	})
}

// mustExcuse fails the run for an error that neither end's disk is to blame for.
func (s *outgoing) mustExcuse(err error, class Class, check string) {
	if !s.from.excused(err) && !s.to.excused(err) {
		s.from.w.fail(class, check, uint8(s.to.id), "%v: %v", s.order.Last, err)
	}
	s.from.w.count.add("snapshot streams broken by a disk")
}
