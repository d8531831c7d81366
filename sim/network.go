package sim

import (
	"bytes"

	"github.com/cespare/xxhash/v2"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/transport"
)

// maxMembers bounds the ids of one run.
const maxMembers = 24

// network carries frames between members. What travels is the encoded bytes,
// so codec and CRC are part of every run.
type network struct {
	w     *World
	knobs NetKnobs
	draw  draw
	// cut counts the faults that block a directed link; 0: open.
	cut [maxMembers + 1][maxMembers + 1]int
	// slow adds a delay to a directed link.
	slow [maxMembers + 1][maxMembers + 1]int64
	// busy is when the last frame of an ordered link arrives.
	busy [maxMembers + 1][maxMembers + 1]int64
	// links is what else is wrong with each directed link.
	links [maxMembers + 1][maxMembers + 1]link
	// astray is who gets what is sent to a member, if not 0: its address was
	// given to another.
	astray [maxMembers + 1]raft.NodeID
	past   past
	// perfect: no losses any more, only delay.
	perfect bool
}

func newNetwork(w *World) *network {
	n := &network{w: w, knobs: w.plan.Net, draw: w.netDraw}
	n.drawLinks()
	return n
}

func (n *network) open(from, to raft.NodeID) bool { return n.cut[from][to] == 0 }

// send takes one frame. It may lose, delay, repeat or damage it.
func (n *network) send(from, to raft.NodeID, frame []byte) {
	if to == 0 || int(to) > maxMembers || to == from {
		n.w.unsafe("S2 frames go to members", uint8(from), "frame for member %d", to)
	}
	if !n.open(from, to) {
		n.w.count.add("frames cut off")
		n.w.rec.frame(n.w, from, to, frame, -1)
		return
	}
	n.past.note(from, to, frame)
	if !n.perfect && n.draw.chance(n.knobs.DropPPM) {
		n.w.count.add("frames dropped")
		n.w.rec.frame(n.w, from, to, frame, -1)
		return
	}
	if n.draw.chance(n.links[from][to].lossPPM) {
		n.w.count.add("frames dropped in bursts")
		n.w.rec.frame(n.w, from, to, frame, -1)
		return
	}
	n.carry(from, to, frame)
	if !n.perfect && n.draw.chance(n.knobs.DupPPM) {
		n.w.count.add("frames duplicated")
		n.carry(from, to, frame)
	}
}

func (n *network) carry(from, to raft.NodeID, frame []byte) {
	if n.links[from][to].full(n.w.now) {
		n.w.count.add("frames dropped behind a full link")
		n.w.rec.frame(n.w, from, to, frame, -1)
		return
	}
	delay := n.delay(from, to, len(frame))
	if delay > backlogMax {
		n.w.count.add("frames longer under way than the link lives")
		return
	}
	if !n.perfect && n.draw.chance(n.knobs.CorruptPPM) {
		if bad := n.misframe(frame); bad != nil && n.draw.percent(30) {
			n.w.count.add("entries damaged before they were framed")
			n.w.rec.frame(n.w, from, to, bad, delay)
			n.w.at(delay, whatFrame, uint8(to), func() { n.arriveMisframed(from, to, bad) })
			return
		}
		frame = n.corrupt(frame)
		n.w.count.add("frames corrupted")
		n.w.rec.frame(n.w, from, to, frame, delay)
		n.w.at(delay, whatFrame, uint8(to), func() { n.arriveCorrupt(to, frame) })
		return
	}
	n.w.rec.frame(n.w, from, to, frame, delay)
	resets := n.links[from][to].resets
	n.w.at(delay, whatFrame, uint8(to), func() {
		if n.links[from][to].resets != resets {
			n.w.count.add("frames lost with their connection")
			return
		}
		n.arrive(from, n.receiver(to, frame), frame)
	})
}

// delay draws how long a frame travels.
func (n *network) delay(from, to raft.NodeID, size int) int64 {
	d := n.knobs.DelayMin + n.travel() + n.slow[from][to] + n.links[from][to].hold(n.w.now, size)
	if !n.perfect && n.draw.chance(n.knobs.SlowPPM) {
		n.w.count.add("frames delayed long")
		d += n.draw.between(0, n.knobs.SlowMax)
	}
	if n.knobs.Ordered {
		d = max(d, n.busy[from][to]-n.w.now)
		n.busy[from][to] = n.w.now + d
	}
	return d
}

func (n *network) arrive(from, to raft.NodeID, frame []byte) {
	node := n.w.node(to)
	if node == nil || !node.up {
		return
	}
	f, rest, err := transport.DecodeFrame(frame)
	if err != nil || len(rest) != 0 {
		n.w.unsafe("S2 frames decode", uint8(from), "a frame that was not damaged: %v, %d bytes left", err, len(rest))
	}
	n.w.trace.mark(n.w.now, whatFrame, uint8(to), uint64(from), xxhash.Sum64(frame), uint64(f.Kind))
	if n.w.trace.verbose() {
		n.w.trace.line(n.w.now, whatFrame, uint8(to), "← n%d %s", from, frameText(f))
	}
	ev, err := replica.DecodeFrame(from, f)
	if err != nil {
		n.w.unsafe("S2 frames decode", uint8(from), "a frame that was not damaged: %v", err)
	}
	node.enqueue(ev)
}

func frameText(f transport.Frame) string {
	if f.Kind != transport.KindRaft {
		return f.Kind.String()
	}
	m, err := transport.DecodeMessage(f.Payload)
	if err != nil {
		return err.Error()
	}
	return m.String()
}

// corrupt damages a copy: a bit, a byte, the length, the end is missing, or is
// that of another frame.
func (n *network) corrupt(frame []byte) []byte {
	c := bytes.Clone(frame)
	switch at := n.draw.IntN(len(c)); n.draw.IntN(5) {
	case 0:
		c[at] ^= 1 << n.draw.IntN(8)
	case 1:
		c[at] ^= byte(n.draw.between(1, 255))
	case 2:
		c[n.draw.IntN(4)] ^= byte(n.draw.between(1, 255)) // the length field
	case 3:
		other := n.past.any(n.draw)
		c = append(c[:at], other[min(at, len(other)):]...)
		if bytes.HasPrefix(c, frame) || bytes.HasPrefix(c, other) {
			c[0] ^= 1 // the two were alike behind the seam
		}
	default:
		c = c[:at]
	}
	return c
}

// arriveCorrupt: the frame's CRC must tell; nothing of it reaches raft.
func (n *network) arriveCorrupt(to raft.NodeID, frame []byte) {
	if _, _, err := transport.DecodeFrame(frame); err == nil {
		n.w.unsafe("S2 damaged frames are refused", uint8(to), "a frame of %d bytes passed its CRC", len(frame))
	}
}

// block cuts or opens one direction of a link.
func (n *network) block(from, to raft.NodeID, by int) {
	if from != to {
		n.cut[from][to] += by
	}
}
